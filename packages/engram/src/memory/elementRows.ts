// The rows of one batch element of a sparse memory on the engine: a TouchedRows struct and the arrays it points to.
import { Block } from "../engine/block.js";
import { type DescriptorFields, descriptorBytes, type Engine } from "../engine/engine.js";
import { descriptors } from "../engine/kernels.generated.js";
import { ENTRY_WORDS, HEAD_WORDS, pad4, type SparseLayout } from "./sparseLayout.js";
import { ElementState, PARTS, type Part, partWords, type Words } from "./sparseState.js";

export const ROWS_BYTES = descriptorBytes("TouchedRows");
export const LINKS_BYTES = descriptorBytes("Links");
/** Four-byte words of a LinkNote. */
const NOTE_WORDS = 4;
/** Before the first link's weight, for the one at place -1. */
const SPARE_WORDS = 4;

const SENTINEL = -1;

/** Codes lie 16 rows side by side. */
const pad16 = (rows: number): number => (rows + 15) & ~15;

function offsetOf(field: (typeof descriptors.TouchedRows)[number]): number {
  return 4 * descriptors.TouchedRows.indexOf(field);
}

type Pointers = Pick<
  DescriptorFields<"TouchedRows">,
  "entries" | "marks" | "slots" | "memory" | "inverseNorms" | "codes" | "usedRows" | "work" | "workNorms"
>;

type LinkPointers = Pick<DescriptorFields<"Links">, "columns" | "weights" | "places" | "notes" | "precedence">;

interface Structs {
  readonly memory: number;
  readonly rows: number;
  readonly links: number;
}

export class ElementRows {
  private block: Block;
  private capacity = 0;
  private pointers: Pointers = { entries: 0, marks: 0, slots: 0, memory: 0, inverseNorms: 0, codes: 0, usedRows: 0, work: 0, workNorms: 0 };

  private linkPointers: LinkPointers = { columns: 0, weights: 0, places: 0, notes: 0, precedence: 0 };
  private readonly struct: number;

  /**
   * @param structs addresses of the shard's SparseMemory, and of the element's TouchedRows and Links, zeroed @param lists address of the element's record of state, zeroed
   */
  constructor(
    private readonly engine: Engine,
    private readonly layout: SparseLayout,
    private readonly structs: Structs,
    private readonly lists: number,
  ) {
    this.struct = structs.rows;
    this.block = new Block(engine);
    this.grow(0, 0);
    this.clear();
  }

  get bytes(): number {
    return this.block.bytes;
  }

  /** Rows there is room for. */
  get room(): number {
    return this.capacity;
  }

  get touched(): number {
    return this.count("touched");
  }

  /** Rows that the recorded sequence used. */
  get used(): number {
    return this.count("used");
  }

  private count(field: "touched" | "used" | "filled"): number {
    return this.engine.i32(this.struct + offsetOf(field), 1)[0] as number;
  }

  /**
   * Room for `touched` rows and `more` new ones; the present ones are kept. A memory that was there before grows by half of itself beyond
   * that, so that one that is carried on and on is moved now and then only.
   */
  grow(touched: number, more: number): void {
    const { nrCells } = this.layout;
    const needed = Math.min(nrCells, touched + more);
    if (this.bytes > 0 && needed <= this.capacity) return;
    const previous = this.block;
    const state = previous.bytes > 0 ? ([this.pointers, this.linkPointers] as const) : undefined;
    this.capacity = pad4(Math.max(1, Math.min(nrCells, needed + (touched >> 1))));
    this.block = new Block(this.engine);
    this.placeRows();
    if (state !== undefined) this.load(this.stateAt(...state, this.lists));
    previous.free();
  }

  private placeRows(): void {
    const { wordWidth, linked, linkStride } = this.layout;
    const { capacity } = this;
    const linkWords = capacity * linkStride;
    this.block.place((take) => {
      this.pointers = {
        ...this.pointers,
        marks: take(capacity),
        slots: take(capacity),
        entries: take(ENTRY_WORDS * (1 + capacity)) + 4 * ENTRY_WORDS,
        inverseNorms: take(capacity),
        memory: take(capacity * wordWidth),
        codes: take((pad16(capacity) * this.layout.fields.codeBytes) / 4),
      };
      this.linkPointers = {
        columns: take(linkWords),
        weights: take(SPARE_WORDS + linkWords) + 4 * SPARE_WORDS,
        places: take(linkWords),
        notes: take(linked ? NOTE_WORDS * (1 + capacity) : 0) + 4 * NOTE_WORDS,
        precedence: take(partWords(this.layout, "precedence", 0)),
      };
    });
    this.writeStruct();
  }

  /** Where the rows that a recorded sequence uses get their copies and gradients. */
  setSlots(slots: Pick<Pointers, "usedRows" | "work" | "workNorms">): void {
    const { usedRows, work, workNorms } = this.pointers;
    if (usedRows === slots.usedRows && work === slots.work && workNorms === slots.workNorms) return;
    this.pointers = { ...this.pointers, ...slots };
    this.writeStruct();
  }

  private writeStruct(): void {
    const [touched, nextCell, loaded, passed, finger] = this.head() as unknown as [number, number, number, number, number];
    const counts = {
      nrCells: this.layout.nrCells,
      touched,
      nextCell,
      loaded,
      passed,
      finger,
      used: this.used,
      filled: this.count("filled"),
    };
    this.engine.writeDescriptor(this.struct, "TouchedRows", { ...counts, ...this.pointers });
    if (!this.layout.linked) return;
    const sizes = { most: this.layout.options.temporalLinks, shift: 31 - Math.clz32(this.layout.linkStride) };
    this.engine.writeDescriptor(this.structs.links, "Links", { ...sizes, ...this.linkPointers });
  }

  private head(): Int32Array {
    return this.engine.i32(this.struct + offsetOf("touched"), HEAD_WORDS);
  }

  clear(): void {
    this.releaseUsedRows();
    this.head().set([0, 0, 0, 0, SENTINEL]);
    this.engine.i32(this.struct + offsetOf("filled"), 1)[0] = 0;
    const { entries } = this.pointers;
    this.engine.i32(entries - 4 * ENTRY_WORDS, ENTRY_WORDS).set([0, 0, SENTINEL, SENTINEL]);
    this.engine.u8(this.lists, this.layout.stateBytes).fill(0);
    this.engine.i32(this.linkPointers.precedence, partWords(this.layout, "precedence", 0)).fill(0);
  }

  /** Views of the present state, or with other lists than it has, valid until the engine's memory grows. */
  state(lists = this.lists): ElementState {
    return this.stateAt(this.pointers, this.linkPointers, lists);
  }

  private stateAt({ entries, memory }: Pointers, links: LinkPointers, lists: number): ElementState {
    const addresses: Record<Part, number> = {
      head: this.struct + offsetOf("touched"),
      entries: entries - 4 * ENTRY_WORDS,
      memory,
      lists,
      linkColumns: links.columns,
      linkWeights: links.weights,
      linkPlaces: links.places,
      precedence: links.precedence,
    };
    const parts = {} as Record<Part, Words>;
    for (const part of PARTS) {
      const words = partWords(this.layout, part, this.touched);
      parts[part] = { ints: this.engine.i32(addresses[part], words), floats: this.engine.f32(addresses[part], words) };
    }
    return new ElementState(this.layout, parts);
  }

  /** Takes over a state, for whose rows there must be room. */
  load(state: ElementState): void {
    this.releaseUsedRows();
    this.head().set(state.parts.head.ints);
    const own = this.state();
    for (const part of PARTS) own.parts[part].ints.set(state.parts[part].ints);
    const { inverseNorms, memory, slots } = this.pointers;
    this.engine.kernels.rowNorms(inverseNorms, memory, this.touched, this.layout.wordWidth);
    this.engine.i32(slots, this.touched).fill(0);
    if (this.layout.fields.codeBytes > 0) this.engine.kernels.encodeRows(this.structs.memory, this.struct);
  }

  /** Forgets the recorded sequence. */
  releaseUsedRows(): void {
    this.engine.kernels.releaseUsedRows(this.struct);
  }

  /** Readies the copies that backward works on; gradients zero. */
  copyUsedRows(): void {
    this.engine.kernels.copyUsedRows(this.struct, this.layout.wordWidth);
  }

  /** The row in each slot. */
  usedRows(): Int32Array {
    return this.engine.i32(this.pointers.usedRows, this.used);
  }

  /** Gradient of the row in a slot, [W]. */
  gradient(slot: number): Float32Array {
    const { wordWidth, cellSize } = this.layout;
    return this.engine.f32(this.pointers.work + 4 * wordWidth * (2 * slot + 1), cellSize);
  }

  /** Gradients of the first `slots` slots, 2·wordWidth floats apart. */
  gradients(slots: number): Float32Array {
    const { wordWidth } = this.layout;
    return this.engine.f32(this.pointers.work + 4 * wordWidth, slots === 0 ? 0 : (2 * slots - 1) * wordWidth);
  }

  /** The slot of a row, or -1 where the recorded sequence did not use it. */
  slotOf(row: number): number {
    return (this.engine.i32(this.pointers.slots + 4 * row, 1)[0] as number) - 1;
  }

  free(): void {
    this.block.free();
  }
}
