// Debug values of one element after an access (models.md §5).
import type { Engine } from "../engine/engine.js";
import type { SparseLayout } from "./sparseLayout.js";
import type { ElementState } from "./sparseState.js";
import { forEachValue } from "./sparseValues.js";

/**
 * @param state with the lists of `record`
 * @param now the clock of the access
 */
export function writeDebug(
  engine: Engine,
  layout: SparseLayout,
  state: ElementState,
  record: number,
  now: number,
  out: ReadonlyMap<string, Float32Array>,
): void {
  const positions = visibleRows(engine, layout, state, record);
  for (const [field, values] of out) {
    values.fill(field === "usage" ? now : 0);
    const put = (position: number, value: number) => {
      values[position] = field === "usage" ? now - value : value;
    };
    if (field === "usage") forEachValue(layout, state, "last_access", put);
    else if (field === "read_positions") values.set(positions.map((row) => (row < 0 ? -1 : state.cell(row))));
    else if (field === "visible_memory") writeVisible(values, state, positions, layout.cellSize);
    else if (field === "rev_link_matrix" || field === "link_matrix") writeLinks(values, state, positions, field === "rev_link_matrix");
    else forEachValue(layout, state, field, put);
  }
}

/** Head by head its content rows, backward and forward ones (-1 where there are fewer), and last the row written to first, z. */
function visibleRows(engine: Engine, layout: SparseLayout, state: ElementState, record: number): number[] {
  const { heads, reads, temporalReads, contentStride, temporalStride, contentRows, temporalRows } = layout.fields;
  const rows: number[] = [];
  for (let h = 0; h < heads; h++) {
    rows.push(...engine.i32(record + contentRows + 4 * h * contentStride, reads));
    for (let way = 0; way < 2; way++) rows.push(...engine.i32(record + temporalRows + 4 * (2 * h + way) * temporalStride, temporalReads));
  }
  rows.push(state.writeList.rows[0] as number);
  return rows;
}

function writeVisible(out: Float32Array, state: ElementState, positions: readonly number[], cellSize: number): void {
  for (const [i, row] of positions.entries()) if (row >= 0) out.set(state.word(row), i * cellSize);
}

function writeLinks(out: Float32Array, state: ElementState, positions: readonly number[], isReversed: boolean): void {
  const size = positions.length;
  for (const [a, row] of positions.entries()) {
    if (row < 0) continue;
    const { rows, weights } = state.links(row);
    for (const [b, column] of positions.entries()) {
      const k = column < 0 ? -1 : rows.indexOf(column);
      if (k >= 0) out[isReversed ? b * size + a : a * size + b] = weights[k] as number;
    }
  }
}
