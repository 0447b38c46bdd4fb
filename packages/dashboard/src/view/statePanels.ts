// The maps of one step: the memory itself, and the links between its cells.
import type { TraceHeader } from "../data/api.js";
import { float32Text } from "../data/numbers.js";
import { traceSizes } from "../data/traceLayout.js";
import type { HeatmapSpec } from "./heatmap.js";
import { shownCells, slotNames } from "./timePanels.js";

/** A map whose values are a whole row of a tensor, as rows · columns. */
export interface StatePanel {
  readonly tensor: string;
  readonly rows: number;
  readonly columns: number;
  readonly spec: HeatmapSpec;
  /** Whether it has as many rows as columns and is drawn so. */
  readonly isSquare: boolean;
  /** Whether a strip of the weights of this step stands beside its rows. */
  readonly hasWeights: boolean;
}

/** @param positions the cells in the places of a sparse memory at the step that is shown */
export function statePanels(header: TraceHeader, positions: () => ArrayLike<number>): StatePanel[] {
  const { slots } = traceSizes(header);
  const all =
    slots > 0 ? [visibleMemory(header, positions), slotLinks(header, positions), memory(header)] : [memory(header), links(header)];
  return all.filter(({ tensor, rows, columns }) => tensor in header.tensors && rows * columns > 0);
}

function memory(header: TraceHeader): StatePanel {
  const cells = shownCells(header);
  return {
    tensor: "debug.memory",
    rows: cells.length,
    columns: traceSizes(header).cellSize,
    isSquare: false,
    hasWeights: true,
    spec: {
      id: "memory",
      title: "Memory",
      scale: "signed",
      rowName: (row) => `cell ${cells[row]}`,
      columnName: (column) => `value ${column}`,
      rowTick: (row) => String(cells[row]),
      rowHeight: 14,
      mostHeight: 360,
    },
  };
}

function links(header: TraceHeader): StatePanel {
  const cells = shownCells(header);
  return {
    tensor: "debug.link_matrix",
    rows: cells.length,
    columns: cells.length,
    isSquare: true,
    hasWeights: false,
    spec: {
      id: "link_matrix",
      title: "Link matrix",
      scale: "unit",
      rowName: (row) => `to cell ${cells[row]}`,
      columnName: (column) => `from cell ${cells[column]}`,
      rowTick: (row) => String(cells[row]),
      describe: (value, row, column) => (value > 0 ? `cell ${cells[row]} was written after cell ${cells[column]}` : ""),
    },
  };
}

/** "head 1, content 2: cell 204" */
function placeName(header: TraceHeader, positions: () => ArrayLike<number>): (slot: number) => string {
  const names = slotNames(header).map(({ name }) => name);
  return (slot) => {
    const cell = positions()[slot] ?? -1;
    return `${names[slot]}: ${cell < 0 ? "no cell" : `cell ${cell}`}`;
  };
}

function visibleMemory(header: TraceHeader, positions: () => ArrayLike<number>): StatePanel {
  const { slots, cellSize } = traceSizes(header);
  const ticks = slotNames(header).map(({ tick }) => tick);
  return {
    tensor: "debug.visible_memory",
    rows: slots,
    columns: cellSize,
    isSquare: false,
    hasWeights: false,
    spec: {
      id: "visible_memory",
      title: "Visible memory",
      scale: "signed",
      rowName: placeName(header, positions),
      columnName: (column) => `value ${column}`,
      rowTick: (row) => ticks[row] ?? "",
      rowHeight: 12,
      mostHeight: 360,
    },
  };
}

function slotLinks(header: TraceHeader, positions: () => ArrayLike<number>): StatePanel {
  const { slots } = traceSizes(header);
  const ticks = slotNames(header).map(({ tick }) => tick);
  const place = placeName(header, positions);
  return {
    tensor: "debug.link_matrix",
    rows: slots,
    columns: slots,
    isSquare: true,
    hasWeights: false,
    spec: {
      id: "link_matrix",
      title: "Links among visible cells",
      scale: "unit",
      rowName: (row) => `to ${place(row)}`,
      columnName: (column) => `from ${place(column)}`,
      rowTick: (row) => ticks[row] ?? "",
      describe: (value, row, column) =>
        value > 0 ? `cell ${positions()[row]} follows cell ${positions()[column]} with ${float32Text(value)}` : "",
    },
  };
}
