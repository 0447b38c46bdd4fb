// A field of a sparse memory's state, value by value in order of position.
import type { SparseTensor } from "./memory.js";
import type { SparseLayout } from "./sparseLayout.js";
import type { ElementState, WeightList } from "./sparseState.js";

type Visit = (position: number, value: number) => void;

/** Every value of a field that may not be zero, with its flat position, which rises. */
export function forEachValue(layout: SparseLayout, state: ElementState, field: string, visit: Visit): void {
  const { nrCells, cellSize } = layout;
  switch (field) {
    case "memory":
      for (const row of state.rowsByCell()) {
        const word = state.word(row);
        const from = state.cell(row) * cellSize;
        for (let i = 0; i < cellSize; i++) visit(from + i, word[i] as number);
      }
      return;
    case "read_weights":
      for (let head = 0; head < layout.heads; head++) visitList(state, state.readList(head), head * nrCells, visit);
      return;
    case "write_weights":
      visitList(state, state.writeList, 0, visit);
      return;
    case "last_access":
      for (const row of state.rowsByCell()) visit(state.cell(row), state.lastAccess(row));
      return;
    case "link_matrix":
      for (const row of state.rowsByCell()) visitList(state, state.links(row), state.cell(row) * nrCells, visit);
      return;
    default:
      visitList(state, state.precedence, 0, visit);
  }
}

function visitList(state: ElementState, { rows, weights }: WeightList, from: number, visit: Visit): void {
  const places = [...rows.keys()].filter((i) => (rows[i] as number) >= 0);
  const cellAt = (i: number) => state.cell(rows[i] as number);
  for (const i of places.sort((a, b) => cellAt(a) - cellAt(b))) visit(from + cellAt(i), weights[i] as number);
}

/** The values of a field that are not zero. */
export function sparseValues(layout: SparseLayout, state: ElementState, field: string, shape: readonly number[]): SparseTensor {
  let count = 0;
  forEachValue(layout, state, field, (_, value) => {
    if (value !== 0) count++;
  });
  const positions = new Float64Array(count);
  const values = new Float32Array(count);
  let next = 0;
  forEachValue(layout, state, field, (position, value) => {
    if (value === 0) return;
    positions[next] = position;
    values[next++] = value;
  });
  return { shape, positions, values };
}
