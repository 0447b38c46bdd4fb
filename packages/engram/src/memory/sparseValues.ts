// A field of a sparse memory's state, value by value.
import type { SparseLayout } from "./sparseLayout.js";
import type { ElementState, WeightList } from "./sparseState.js";

/** Every value of a field that may not be zero, with its flat position. */
export function forEachValue(
  layout: SparseLayout,
  state: ElementState,
  field: string,
  visit: (position: number, value: number) => void,
): void {
  const { nrCells, cellSize } = layout;
  const visitList = ({ rows, weights }: WeightList, from: number) => {
    for (const [i, row] of rows.entries()) if (row >= 0) visit(from + state.cell(row), weights[i] as number);
  };
  switch (field) {
    case "memory":
      for (let row = 0; row < state.touched; row++) {
        const from = state.cell(row) * cellSize;
        for (const [i, value] of state.word(row).entries()) visit(from + i, value);
      }
      return;
    case "read_weights":
      for (let head = 0; head < layout.heads; head++) visitList(state.readList(head), head * nrCells);
      return;
    case "write_weights":
      visitList(state.writeList, 0);
      return;
    case "last_access":
      for (let row = 0; row < state.touched; row++) visit(state.cell(row), state.lastAccess(row));
      return;
    case "link_matrix":
      for (let row = 0; row < state.touched; row++) visitList(state.links(row), state.cell(row) * nrCells);
      return;
    default:
      visitList(state.precedence, 0);
  }
}
