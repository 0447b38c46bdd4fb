// Gradients of a sparse memory's state: in with respect to the state after a sequence, out with respect to the one before it.
//
// A read or write weight that is not on its list is zero because of a choice, and choices are constants: it has no gradient. A
// cell that the sequence did not use keeps its gradient as it came.
import type { Take } from "../engine/block.js";
import type { Engine } from "../engine/engine.js";
import type { ElementRows } from "./elementRows.js";
import type { FieldValues, SparseTensor } from "./memory.js";
import { forEachNonZero } from "./sparseFromTensors.js";
import type { SparseLayout } from "./sparseLayout.js";
import type { ElementState, WeightList } from "./sparseState.js";

export class SparseGradients {
  /** Addresses: [B, R, Ep] gradient of the read lists, [B, Sp] of the write lists. */
  dEntries = 0;
  dWrites = 0;
  /** Of each element: gradients [W] of cells that the sequence did not use, by cell. */
  private unused: Map<number, Float32Array>[] = [];

  constructor(
    private readonly engine: Engine,
    private readonly layout: SparseLayout,
  ) {}

  place(take: Take, batch: number): void {
    this.dEntries = take((batch * this.layout.entriesBytes) / 4);
    this.dWrites = take((batch * this.layout.fields.writesBytes) / 4);
  }

  begin(elements: readonly ElementRows[], gradients: ReadonlyMap<string, FieldValues>): void {
    this.unused = elements.map(() => new Map());
    for (const [e, rows] of elements.entries()) {
      rows.copyUsedRows();
      this.entries(e).fill(0);
      this.writes(e).fill(0);
      if (gradients.size === 0) continue;
      const state = rows.state();
      this.beginWords(rows, state, e, gradients.get("memory"));
      forEachNonZero(gradients.get("read_weights"), e, (position, value) => {
        const head = Math.floor(position / this.layout.nrCells);
        const i = placeIn(state.readList(head), state.rowOf(position % this.layout.nrCells));
        if (i >= 0) this.entries(e)[head * this.layout.fields.entryStride + i] = value;
      });
      forEachNonZero(gradients.get("write_weights"), e, (cell, value) => {
        const i = placeIn(state.writeList, state.rowOf(cell));
        if (i >= 0) this.writes(e)[i] = value;
      });
    }
  }

  /** Positions come cell by cell, so each cell's place is looked for once. */
  private beginWords(rows: ElementRows, state: ElementState, element: number, values: FieldValues | undefined): void {
    const { cellSize } = this.layout;
    let cell = -1;
    let word: Float32Array = new Float32Array(0);
    forEachNonZero(values, element, (position, value) => {
      const at = Math.floor(position / cellSize);
      if (at !== cell) {
        cell = at;
        word = this.wordOf(rows, state, element, cell);
      }
      word[position - cell * cellSize] = value;
    });
  }

  /** Where the gradient of a cell is kept. */
  private wordOf(rows: ElementRows, state: ElementState, element: number, cell: number): Float32Array {
    const row = state.rowOf(cell);
    const slot = row < 0 ? -1 : rows.slotOf(row);
    if (slot >= 0) return rows.gradient(slot);
    const unused = this.unused[element] as Map<number, Float32Array>;
    let word = unused.get(cell);
    if (word === undefined) {
      word = new Float32Array(this.layout.cellSize);
      unused.set(cell, word);
    }
    return word;
  }

  private entries(element: number): Float32Array {
    const bytes = this.layout.entriesBytes;
    return this.engine.f32(this.dEntries + element * bytes, bytes / 4);
  }

  private writes(element: number): Float32Array {
    const bytes = this.layout.fields.writesBytes;
    return this.engine.f32(this.dWrites + element * bytes, bytes / 4);
  }

  /** The gradient of a field of the state before the sequence, whose lists are those of `first`. */
  read(elements: readonly ElementRows[], field: string, first: (element: number) => number): SparseTensor[] {
    const { nrCells, heads, fields } = this.layout;
    return elements.map((rows, e) => {
      if (field === "memory") return this.words(rows, e);
      const state = rows.state(first(e));
      if (field === "write_weights") return sparseTensor([nrCells], listed(state, state.writeList, this.writes(e), 0));
      const found: [number, number][] = [];
      for (let h = 0; h < heads; h++) {
        found.push(...listed(state, state.readList(h), this.entries(e).subarray(h * fields.entryStride), h * nrCells));
      }
      return sparseTensor([heads, nrCells], found);
    });
  }

  /** The cells used, in order, and those of the gradients given that were not. */
  private words(rows: ElementRows, element: number): SparseTensor {
    const { nrCells, cellSize, wordWidth } = this.layout;
    const unused = this.unused[element] as Map<number, Float32Array>;
    const state = rows.state();
    const used = rows.usedRows();
    // Both in one number each, exact for 2^24 cells, so that a sort of numbers orders the slots by cell.
    const slots = used.length;
    const keys = new Float64Array(slots + unused.size);
    for (let slot = 0; slot < slots; slot++) keys[slot] = state.cell(used[slot] as number) * (slots + 1) + slot;
    let next = slots;
    for (const cell of unused.keys()) keys[next++] = cell * (slots + 1) + slots;
    keys.sort();
    const gradients = rows.gradients(slots);
    const positions = new Float64Array(keys.length * cellSize);
    const values = new Float32Array(keys.length * cellSize);
    for (let n = 0, at = 0; n < keys.length; n++) {
      const cell = Math.floor((keys[n] as number) / (slots + 1));
      const slot = (keys[n] as number) - cell * (slots + 1);
      const word = slot === slots ? unused.get(cell) : undefined;
      const from = slot * 2 * wordWidth;
      for (let i = 0; i < cellSize; i++, at++) {
        values[at] = word === undefined ? (gradients[from + i] as number) : (word[i] as number);
        positions[at] = cell * cellSize + i;
      }
    }
    return { shape: [nrCells, cellSize], positions, values };
  }
}

function placeIn({ rows }: WeightList, row: number): number {
  return row < 0 ? -1 : rows.indexOf(row);
}

function listed(state: ElementState, { rows }: WeightList, gradient: Float32Array, from: number): [number, number][] {
  return Array.from(rows, (row, i) => [from + state.cell(row), gradient[i] as number]);
}

/** Positions in order. */
function sparseTensor(shape: readonly number[], found: [number, number][]): SparseTensor {
  found.sort((a, b) => a[0] - b[0]);
  return {
    shape,
    positions: Float64Array.from(found, (pair) => pair[0]),
    values: Float32Array.from(found, (pair) => pair[1]),
  };
}
