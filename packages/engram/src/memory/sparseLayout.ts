// Sizes of a sparse memory and where everything lies: the interface vector, the record of an access, one element's state.
// kernels/sparseLayout.ts has the same fields with their meaning.
import type { Take } from "../engine/block.js";
import { type DescriptorFields, descriptorBytes } from "../engine/engine.js";
import type { Block, InterfaceSection, MemoryOptions } from "./memory.js";
import { randomRotation } from "./rotation.js";

export const pad4 = (n: number): number => (n + 3) & ~3;
export const pad8 = (n: number): number => (n + 7) & ~7;

/** Four-byte words of a RowEntry. */
export const ENTRY_WORDS = 4;
/** What TouchedRows counts: touched, nextCell, loaded, passed, finger, one after the other. */
export const HEAD_WORDS = 5;

/** The largest table entry in kernels/quantizedSearch.ts; two tables for each byte of a code. */
const LARGEST_ENTRY = 63;

/** Consecutive places for arrays of four-byte words; `take` gives the byte offset of the next. */
class Placer {
  private at = 0;
  take(words: number): number {
    const offset = this.at;
    this.at += 4 * pad4(words);
    return offset;
  }
  get bytes(): number {
    return this.at;
  }
}

/** Addresses of a shard's scratch: one element at a time uses it. */
export type Scratch = Pick<
  DescriptorFields<"SparseMemory">,
  | "queries"
  | "untouchedCells"
  | "accessed"
  | "accessedWeights"
  | "accessedCells"
  | "accessedOrder"
  | "dSimilarities"
  | "fallingRows"
  | "fallingWeights"
  | "precedenceRows"
  | "precedenceBefore"
  | "linksMet"
  | "newLinks"
  | "newLinkCounts"
  | "columnWeights"
  | "spreadReads"
  | "candidates"
  | "candidateSums"
  | "mixedRows"
  | "mixedWeights"
  | "mixedCells"
  | "mixedPlaces"
  | "dContent"
  | "dTemporal"
  | "rotation"
  | "turned"
  | "tables"
  | "scoreCounts"
  | "nominees"
>;

/** Sizes and offsets. */
type SizeFields = Omit<DescriptorFields<"SparseMemory">, "rows" | "rowsBytes" | "links" | "linksBytes" | "order" | keyof Scratch>;

/** All sizes that follow from the options; `linked` adds SDNC's temporal links. */
export class SparseLayout {
  readonly nrCells: number;
  readonly cellSize: number;
  readonly wordWidth: number;
  readonly heads: number;
  /** Entries a head can read, and cells an access can write. */
  readonly entries: number;
  readonly writes: number;
  /** Rows an access can touch for the first time: z, and K of the untouched. */
  readonly newRows: number;
  /** Slots for links in a row: a power of two, at least K_L; 0 without links. */
  readonly linkStride: number;
  /** Bytes of a record that are state: the read and write lists. */
  readonly stateBytes: number;
  readonly fields: SizeFields;
  private ownRotation: Float32Array | undefined;

  constructor(
    readonly options: MemoryOptions,
    readonly linked: boolean,
  ) {
    const { nrCells, cellSize, readHeads, sparseReads } = options;
    const temporalReads = linked ? options.temporalReads : 0;
    this.nrCells = nrCells;
    this.cellSize = cellSize;
    this.wordWidth = pad4(cellSize);
    this.heads = readHeads;
    this.entries = Math.min(nrCells, sparseReads + 2 * temporalReads);
    this.writes = Math.min(nrCells, readHeads * this.entries + 1);
    this.newRows = sparseReads + 1;
    this.linkStride = linked ? powerOfTwo(Math.max(4, options.temporalLinks)) : 0;

    const { wordWidth, heads } = this;
    const contentStride = pad4(sparseReads);
    const entryStride = pad4(this.entries);
    const temporalStride = pad4(temporalReads);
    const xi = new Placer();
    xi.take(heads * wordWidth);
    const writeVector = xi.take(wordWidth);
    const strengths = xi.take(heads);
    const gates = xi.take(2);
    const modes = xi.take(linked ? 4 * heads : 0);

    const record = new Placer();
    const counts = record.take(heads + 1);
    const readRows = record.take(heads * entryStride);
    const readWeights = record.take(heads * entryStride);
    const writeRows = record.take(this.writes);
    const writeWeights = record.take(this.writes);
    this.stateBytes = record.bytes;
    const writeMeans = record.take(this.writes);
    const writeSlots = record.take(heads * entryStride);
    const queryNorms = record.take(heads);
    const similarities = record.take(heads * contentStride);
    const contentRows = linked ? record.take(heads * contentStride) : readRows;
    const contentWeights = linked ? record.take(heads * contentStride) : readWeights;
    const temporalRows = record.take(heads * 2 * temporalStride);
    const temporalWeights = record.take(heads * 2 * temporalStride);
    const ranks = record.take(linked ? heads * (contentStride + 2 * temporalStride) : 0);
    const linksRead = record.take(heads * 2 * temporalStride * (4 + entryStride));

    const saved = new Placer();
    saved.take(pad4(this.writes) * wordWidth);
    const savedNorms = saved.take(this.writes);
    const writesBytes = 4 * pad4(this.writes);
    const isQuantized = options.index === "quantized";

    this.fields = {
      heads,
      reads: sparseReads,
      temporalReads,
      wordWidth,
      contentStride,
      entryStride,
      temporalStride,
      interfaceWidth: pad8(xi.bytes / 4),
      writeVector,
      strengths,
      gates,
      modes,
      readWidth: pad8(heads * wordWidth),
      recordBytes: record.bytes,
      counts,
      readRows,
      readWeights,
      writeRows,
      writeWeights,
      writeMeans,
      writeSlots,
      queryNorms,
      contentRows,
      contentWeights,
      similarities,
      temporalRows,
      temporalWeights,
      ranks,
      linksRead,
      savedBytes: saved.bytes,
      savedNorms,
      writesBytes,
      codeBytes: isQuantized ? pad8(cellSize) / 4 : 0,
      compared: isQuantized ? Math.max(256, 128 * sparseReads) : 0,
    };
  }

  /** Of the index; made once for a layout. */
  get rotation(): Float32Array {
    this.ownRotation ??= randomRotation(4 * this.fields.codeBytes, this.wordWidth);
    return this.ownRotation;
  }

  takeScratch(take: Take): Scratch {
    const { heads, entries, wordWidth, writes, linked, fields } = this;
    const links = linked ? this.options.temporalLinks : 0;
    const mixed = linked ? entries : 0;
    return {
      queries: take(heads * wordWidth),
      untouchedCells: take(fields.reads),
      accessed: take(2 * writes),
      accessedWeights: take(2 * writes),
      accessedCells: take(2 * writes),
      accessedOrder: take(2 * writes),
      dSimilarities: take(fields.contentStride),
      fallingRows: take(linked ? writes : 0),
      fallingWeights: take(linked ? writes : 0),
      precedenceRows: take(links),
      precedenceBefore: take(links),
      linksMet: take(((1 + writes) * this.linkStride) / 4 + 4),
      newLinks: take((links * fields.writesBytes) / 4),
      newLinkCounts: take(links),
      columnWeights: take(links),
      spreadReads: take(linked ? writes * pad4(heads) : 0),
      candidates: take(2 + writes * links),
      candidateSums: take((1 + writes * links) * pad4(heads)),
      mixedRows: take(mixed),
      mixedWeights: take(mixed),
      mixedCells: take(mixed),
      mixedPlaces: take(mixed),
      dContent: take(fields.contentStride),
      dTemporal: take(2 * fields.temporalStride),
      ...this.takeIndexScratch(take),
    };
  }

  private takeIndexScratch(take: Take): Pick<Scratch, "rotation" | "turned" | "tables" | "scoreCounts" | "nominees"> {
    const { codeBytes } = this.fields;
    if (codeBytes === 0) return { rotation: 0, turned: 0, tables: 0, scoreCounts: 0, nominees: 0 };
    return {
      rotation: take(4 * codeBytes * this.wordWidth),
      turned: take(Math.max(4 * codeBytes, 16)),
      tables: take(2 * 8 * codeBytes),
      scoreCounts: take(2 * codeBytes * LARGEST_ENTRY + 1),
      nominees: take((2 * descriptorBytes("Nominees")) / 4),
    };
  }

  /** Bytes of one value for every entry of an element's read lists. */
  get entriesBytes(): number {
    return 4 * this.heads * this.fields.entryStride;
  }

  /** Rows that a sequence of `accesses` recorded accesses can use. */
  usedRows(accesses: number): number {
    return this.heads * this.entries + accesses * (this.heads * this.entries + 1);
  }

  get sections(): InterfaceSection[] {
    const { cellSize, wordWidth, heads, fields } = this;
    const sections: InterfaceSection[] = [
      { name: "read_query", size: heads * cellSize, blocks: this.readBlocks },
      { name: "read_strengths", size: heads, blocks: [{ from: 0, to: fields.strengths / 4, count: heads }] },
      { name: "write_vector", size: cellSize, blocks: [{ from: 0, to: heads * wordWidth, count: cellSize }] },
      { name: "interpolation_gate", size: 1, blocks: [{ from: 0, to: fields.gates / 4, count: 1 }] },
      { name: "write_gate", size: 1, blocks: [{ from: 0, to: fields.gates / 4 + 1, count: 1 }] },
    ];
    if (this.linked) {
      const blocks = Array.from({ length: heads }, (_, h) => ({ from: 3 * h, to: fields.modes / 4 + 4 * h, count: 3 }));
      sections.push({ name: "read_modes", size: 3 * heads, blocks });
    }
    return sections;
  }

  /** A vector of every head, one Wp after the other. */
  get readBlocks(): Block[] {
    const { cellSize, wordWidth } = this;
    return Array.from({ length: this.heads }, (_, h) => ({ from: h * cellSize, to: h * wordWidth, count: cellSize }));
  }
}

function powerOfTwo(atLeast: number): number {
  let power = 1;
  while (power < atLeast) power *= 2;
  return power;
}
