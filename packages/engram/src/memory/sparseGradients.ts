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
  /** Of each element: gradients of cells that the sequence did not use, by position. */
  private unused: Map<number, number>[] = [];

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
      const state = rows.state();
      forEachNonZero(gradients.get("memory"), e, (position, value) => this.addToWord(rows, state, e, position, value));
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

  private addToWord(rows: ElementRows, state: ElementState, element: number, position: number, value: number): void {
    const cell = Math.floor(position / this.layout.cellSize);
    const row = state.rowOf(cell);
    const slot = row < 0 ? -1 : rows.slotOf(row);
    if (slot < 0) this.unused[element]?.set(position, value);
    else rows.gradient(slot)[position - cell * this.layout.cellSize] = value;
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
    const { nrCells, cellSize, heads, fields } = this.layout;
    return elements.map((rows, e) => {
      if (field === "memory") return sparseTensor([nrCells, cellSize], this.words(rows, e));
      const state = rows.state(first(e));
      if (field === "write_weights") return sparseTensor([nrCells], listed(state, state.writeList, this.writes(e), 0));
      const found: [number, number][] = [];
      for (let h = 0; h < heads; h++) {
        found.push(...listed(state, state.readList(h), this.entries(e).subarray(h * fields.entryStride), h * nrCells));
      }
      return sparseTensor([heads, nrCells], found);
    });
  }

  private words(rows: ElementRows, element: number): [number, number][] {
    const { cellSize } = this.layout;
    const found: [number, number][] = [...(this.unused[element] ?? [])];
    const state = rows.state();
    for (const [slot, row] of rows.usedRows().entries()) {
      const from = state.cell(row) * cellSize;
      for (const [i, value] of rows.gradient(slot).entries()) found.push([from + i, value]);
    }
    return found;
  }
}

function placeIn({ rows }: WeightList, row: number): number {
  return row < 0 ? -1 : rows.indexOf(row);
}

function listed(state: ElementState, { rows }: WeightList, gradient: Float32Array, from: number): [number, number][] {
  return Array.from(rows, (row, i) => [from + state.cell(row), gradient[i] as number]);
}

/** Positions in order. */
export function sparseTensor(shape: readonly number[], found: [number, number][]): SparseTensor {
  found.sort((a, b) => a[0] - b[0]);
  return {
    shape,
    positions: Float64Array.from(found, (pair) => pair[0]),
    values: Float32Array.from(found, (pair) => pair[1]),
  };
}
