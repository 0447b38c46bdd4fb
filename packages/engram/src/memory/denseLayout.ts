// Where everything of a DNC memory lies: ξ and r in a row, the state of an element, what an access saves, scratch. The kernels
// get these places as the descriptor DenseLayout (kernels/denseMemory.ts), whose comments say what each is.
import type { DescriptorFields } from "../engine/engine.js";
import { EngramError } from "../errors.js";
import type { StateField } from "./denseFields.js";
import type { Block, InterfaceSection, MemoryOptions } from "./memory.js";

type Offsets<Name extends string> = Readonly<Record<Name, number>>;

const pad4 = (n: number): number => (n + 3) & ~3;
const pad8 = (n: number): number => (n + 7) & ~7;

/** Puts parts of so many floats one after the other: the place of each, and the size of all. */
function place<Name extends string>(sizes: Readonly<Record<Name, number>>): { offsets: Offsets<Name>; floats: number } {
  const offsets = {} as Record<Name, number>;
  let floats = 0;
  for (const name in sizes) {
    offsets[name] = floats;
    floats += sizes[name];
  }
  return { offsets, floats };
}

/** In the order of kernels/denseInterface.ts. */
function placeInterface(paddedWidth: number, heads: number, paddedHeads: number) {
  return place({
    readKeys: heads * paddedWidth,
    writeKey: paddedWidth,
    writeVector: paddedWidth,
    readStrengths: paddedHeads,
    writeStrength: 4,
    eraseVector: paddedWidth,
    freeGates: paddedHeads,
    gates: 4,
    readModes: 3 * paddedHeads,
  });
}

/** The norms, which the memory determines, come last: a snapshot leaves them out. */
function placeState(cells: number, paddedWidth: number, paddedHeads: number) {
  return place({
    memory: cells * paddedWidth,
    linkMatrix: cells * cells,
    precedence: cells,
    readWeights: cells * paddedHeads,
    writeWeights: cells,
    usage: cells,
    norms: cells,
  });
}

function placeSaved(cells: number, paddedHeads: number) {
  return place({
    keyNorms: paddedHeads,
    writeKeyNorm: 4,
    writeSimilarity: cells,
    writeContent: cells,
    order: cells,
    product: cells,
    readSimilarity: cells * paddedHeads,
    readContent: cells * paddedHeads,
  });
}

function placeScratch(cells: number, paddedHeads: number) {
  return place({
    allocation: cells,
    adjusted: cells,
    sortKeys: (cells + 15) & ~15,
    unwritten: cells + 8,
    pairs: 2 * cells,
    alongRows: cells * paddedHeads,
    alongColumns: cells * paddedHeads,
    dReadWeights: cells * paddedHeads,
    dReadDots: cells * paddedHeads,
    dWriteDots: cells,
    shrink: cells,
    dAllocation: cells,
    dContent: cells,
    outerLeft: 2 * cells * paddedHeads,
    outerRight: 2 * cells * paddedHeads,
  });
}

export class DenseLayout {
  readonly sections: readonly InterfaceSection[];
  readonly interfaceWidth: number;
  readonly readBlocks: readonly Block[];
  readonly readWidth: number;
  readonly stateFields: readonly StateField[];
  /** Floats of one element's state in a snapshot, on the engine (norms too), with what one access saves, and of scratch. */
  readonly snapshotFloats: number;
  readonly stateFloats: number;
  readonly recordFloats: number;
  readonly scratchFloats: number;
  private readonly sizes: { cells: number; paddedCells: number; width: number; heads: number; paddedHeads: number };
  private readonly interface: ReturnType<typeof placeInterface>;
  private readonly state: ReturnType<typeof placeState>;
  private readonly saved: ReturnType<typeof placeSaved>;
  private readonly scratch: ReturnType<typeof placeScratch>;

  constructor({ nrCells, cellSize, readHeads }: Pick<MemoryOptions, "nrCells" | "cellSize" | "readHeads">) {
    const [paddedCells, width, paddedHeads] = [pad4(nrCells), pad4(cellSize), pad4(readHeads)];
    this.sizes = { cells: nrCells, paddedCells, width, heads: readHeads, paddedHeads };
    this.interface = placeInterface(width, readHeads, paddedHeads);
    this.state = placeState(paddedCells, width, paddedHeads);
    this.saved = placeSaved(paddedCells, paddedHeads);
    this.scratch = placeScratch(paddedCells, paddedHeads);
    this.interfaceWidth = pad8(this.interface.floats);
    this.readWidth = pad8(readHeads * width);
    this.snapshotFloats = this.state.offsets.norms;
    this.stateFloats = this.state.floats;
    this.recordFloats = this.state.floats + this.saved.floats;
    this.scratchFloats = this.scratch.floats + this.saved.floats;
    this.sections = this.describeSections(cellSize);
    this.readBlocks = this.headVectors(0, cellSize);
    this.stateFields = this.describeState(cellSize);
  }

  /** Where in scratch an access saves what it saves, when nothing is recorded. In a record it follows the state. */
  get savedInScratch(): number {
    return this.scratch.floats;
  }

  stateField(name: string): StateField {
    const field = this.stateFields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new EngramError(`internal: a DNC memory has no field ${name}`);
    return field;
  }

  /** @param recording states lie a record apart and each access saves its own, or states lie packed and all save to one place */
  descriptor(recording: boolean): DescriptorFields<"DenseLayout"> {
    const recordBytes = 4 * this.recordFloats;
    const stateBytes = 4 * this.stateFloats;
    return {
      ...this.sizes,
      stateStride: recording ? recordBytes : stateBytes,
      savedStride: recording ? recordBytes : 0,
      gradientStride: stateBytes,
      interfaceStride: 4 * this.interfaceWidth,
      readStride: 4 * this.readWidth,
      ...inBytes(this.interface.offsets),
      ...inBytes(this.state.offsets),
      ...inBytes(this.saved.offsets),
      ...inBytes(this.scratch.offsets),
    };
  }

  private describeSections(cellSize: number): InterfaceSection[] {
    const { offsets } = this.interface;
    const { heads, paddedHeads } = this.sizes;
    const one = (name: string, to: number, count = 1): InterfaceSection => ({ name, size: count, blocks: [{ from: 0, to, count }] });
    const modes = Array.from({ length: 3 * heads }, (_, from) => {
      const mode = from % 3;
      return { from, to: offsets.readModes + mode * paddedHeads + (from - mode) / 3, count: 1 };
    });
    return [
      { name: "read_keys", size: heads * cellSize, blocks: this.headVectors(offsets.readKeys, cellSize) },
      one("read_strengths", offsets.readStrengths, heads),
      one("write_key", offsets.writeKey, cellSize),
      one("write_strength", offsets.writeStrength),
      one("erase_vector", offsets.eraseVector, cellSize),
      one("write_vector", offsets.writeVector, cellSize),
      one("free_gates", offsets.freeGates, heads),
      one("allocation_gate", offsets.gates),
      one("write_gate", offsets.gates + 1),
      { name: "read_modes", size: 3 * heads, blocks: modes },
    ];
  }

  private headVectors(offset: number, cellSize: number): Block[] {
    const { heads, width } = this.sizes;
    return Array.from({ length: heads }, (_, h) => ({ from: h * cellSize, to: offset + h * width, count: cellSize }));
  }

  private describeState(cellSize: number): StateField[] {
    const { offsets } = this.state;
    const { cells, paddedCells, width, heads, paddedHeads } = this.sizes;
    const vector = (name: string, offset: number) => ({ name, shape: [cells], offset, rowStride: 0, columnStride: 1 });
    return [
      { name: "memory", shape: [cells, cellSize], offset: offsets.memory, rowStride: width, columnStride: 1 },
      { name: "link_matrix", shape: [cells, cells], offset: offsets.linkMatrix, rowStride: paddedCells, columnStride: 1 },
      vector("precedence", offsets.precedence),
      { name: "read_weights", shape: [heads, cells], offset: offsets.readWeights, rowStride: 1, columnStride: paddedHeads },
      vector("write_weights", offsets.writeWeights),
      vector("usage_vector", offsets.usage),
    ];
  }
}

function inBytes<Name extends string>(offsets: Offsets<Name>): Offsets<Name> {
  const bytes = {} as Record<Name, number>;
  for (const name in offsets) bytes[name] = 4 * offsets[name];
  return bytes;
}
