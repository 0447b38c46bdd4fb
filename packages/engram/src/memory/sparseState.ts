// One element's sparse state as views, whether they lie in a snapshot or on the engine, and the snapshot that holds a batch of them.

import type { MemorySnapshot } from "./memory.js";
import { ENTRY_WORDS, HEAD_WORDS, pad4, type SparseLayout } from "./sparseLayout.js";

/** The parts of an element's state, in snapshot order; `words` of four bytes for `touched` rows. */
export const PARTS = ["head", "entries", "memory", "lists", "linkColumns", "linkWeights", "linkPlaces", "precedence"] as const;
export type Part = (typeof PARTS)[number];

export function partWords(layout: SparseLayout, part: Part, touched: number): number {
  switch (part) {
    case "head":
      return HEAD_WORDS;
    case "entries":
      return ENTRY_WORDS * (1 + touched);
    case "memory":
      return touched * layout.wordWidth;
    case "lists":
      return layout.stateBytes / 4;
    case "precedence":
      return layout.linked ? 4 + 2 * layout.linkStride : 0;
    default:
      return touched * layout.linkStride;
  }
}

/** Bits of a part as int32 and as float32. */
export interface Words {
  readonly ints: Int32Array;
  readonly floats: Float32Array;
}

/** One element's state. A list of weights is its rows and their weights; rows become cells through `cell`. */
export class ElementState {
  constructor(
    private readonly layout: SparseLayout,
    readonly parts: Readonly<Record<Part, Words>>,
  ) {}

  get touched(): number {
    return this.parts.head.ints[0] as number;
  }

  cell(row: number): number {
    return this.parts.entries.ints[ENTRY_WORDS * (row + 1)] as number;
  }

  lastAccess(row: number): number {
    return this.parts.entries.ints[ENTRY_WORDS * (row + 1) + 1] as number;
  }

  /** The row of a touched cell, or -1: the loaded rows are in order of their cells, and so are those after them. */
  rowOf(cell: number): number {
    const loaded = this.parts.head.ints[2] as number;
    const row = this.search(cell, 0, loaded);
    return row >= 0 ? row : this.search(cell, loaded, this.touched);
  }

  private search(cell: number, from: number, to: number): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.cell(middle) < cell) low = middle + 1;
      else high = middle;
    }
    return low < to && this.cell(low) === cell ? low : -1;
  }

  /** The rows in order of their cells: the loaded ones and those after them, merged. */
  rowsByCell(): Int32Array {
    const loaded = this.parts.head.ints[2] as number;
    const { touched } = this;
    const rows = new Int32Array(touched);
    let [first, second] = [0, loaded];
    for (let i = 0; i < touched; i++) {
      const isFirst = second === touched || (first < loaded && this.cell(first) < this.cell(second));
      rows[i] = isFirst ? first++ : second++;
    }
    return rows;
  }

  word(row: number): Float32Array {
    const { wordWidth, cellSize } = this.layout;
    return this.parts.memory.floats.subarray(row * wordWidth, row * wordWidth + cellSize);
  }

  readList(head: number): WeightList {
    const { counts, readRows, readWeights, entryStride } = this.layout.fields;
    const at = head * entryStride;
    return this.list(this.parts.lists.ints[counts / 4 + head] as number, readRows / 4 + at, readWeights / 4 + at);
  }

  get writeList(): WeightList {
    const { counts, writeRows, writeWeights, heads } = this.layout.fields;
    return this.list(this.parts.lists.ints[counts / 4 + heads] as number, writeRows / 4, writeWeights / 4);
  }

  private list(count: number, rows: number, weights: number): WeightList {
    const { ints, floats } = this.parts.lists;
    return { rows: ints.subarray(rows, rows + count), weights: floats.subarray(weights, weights + count) };
  }

  get precedence(): WeightList {
    const { ints, floats } = this.parts.precedence;
    const count = ints[0] as number;
    const stride = this.layout.linkStride;
    return { rows: ints.subarray(4, 4 + count), weights: floats.subarray(4 + stride, 4 + stride + count) };
  }

  /** Zeroes what earlier accesses left in the lists beyond their ends, so that equal states have equal bytes. */
  clearUnused(): void {
    const { counts, heads, entryStride, readRows, readWeights, writeRows, writeWeights } = this.layout.fields;
    const lists = this.parts.lists.ints;
    const clear = (from: number, count: number, size: number) => lists.fill(0, from / 4 + count, from / 4 + size);
    for (let h = 0; h < heads; h++) {
      const count = lists[counts / 4 + h] as number;
      clear(readRows + 4 * h * entryStride, count, entryStride);
      clear(readWeights + 4 * h * entryStride, count, entryStride);
    }
    const written = lists[counts / 4 + heads] as number;
    clear(writeRows, written, pad4(this.layout.writes));
    clear(writeWeights, written, pad4(this.layout.writes));
    if (!this.layout.linked) return;
    const { ints } = this.parts.precedence;
    const stride = this.layout.linkStride;
    for (const from of [4, 4 + stride]) ints.fill(0, from + (ints[0] as number), from + stride);
  }

  /** The links of row i: the rows j they lead from, -1 in free places, and L_ij. */
  links(row: number): WeightList {
    const stride = this.layout.linkStride;
    const from = row * stride;
    return {
      rows: this.parts.linkColumns.ints.subarray(from, from + stride),
      weights: this.parts.linkWeights.floats.subarray(from, from + stride),
    };
  }
}

export interface WeightList {
  readonly rows: Int32Array;
  readonly weights: Float32Array;
}

/** Words before the first element of a snapshot: batch and clock, padded. */
const PREFIX_WORDS = 4;

/** Room for a snapshot of elements with so many touched rows each; every part is to be filled in. */
export function newSnapshot(layout: SparseLayout, clock: number, touched: readonly number[]): MemorySnapshot {
  const words = touched.reduce((sum, rows) => sum + elementWords(layout, rows), PREFIX_WORDS);
  const snapshot = { batch: touched.length, bytes: new Uint8Array(4 * words) };
  const ints = new Int32Array(snapshot.bytes.buffer);
  ints[0] = touched.length;
  ints[1] = clock;
  let at = PREFIX_WORDS;
  for (const rows of touched) {
    ints[at] = rows;
    at += elementWords(layout, rows);
  }
  return snapshot;
}

function elementWords(layout: SparseLayout, touched: number): number {
  return PARTS.reduce((sum, part) => sum + pad4(partWords(layout, part, touched)), 0);
}

export function snapshotClock(snapshot: MemorySnapshot): number {
  return wordsOf(snapshot).ints[1] as number;
}

/** Views of every element. Bytes that start between words (a part of something larger) are copied first. */
export function elementsOf(layout: SparseLayout, snapshot: MemorySnapshot): ElementState[] {
  const { ints, floats } = wordsOf(snapshot);
  const elements: ElementState[] = [];
  let at = PREFIX_WORDS;
  for (let element = 0; element < snapshot.batch; element++) {
    const touched = ints[at] as number;
    const parts = {} as Record<Part, Words>;
    for (const part of PARTS) {
      const words = partWords(layout, part, touched);
      parts[part] = { ints: ints.subarray(at, at + words), floats: floats.subarray(at, at + words) };
      at += pad4(words);
    }
    elements.push(new ElementState(layout, parts));
  }
  return elements;
}

function wordsOf({ bytes }: MemorySnapshot): Words {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const length = aligned.byteLength >> 2;
  return {
    ints: new Int32Array(aligned.buffer, aligned.byteOffset, length),
    floats: new Float32Array(aligned.buffer, aligned.byteOffset, length),
  };
}
