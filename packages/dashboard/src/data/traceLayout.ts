// What the axes of a memory file's tensors are (models.md §5). A row of a debug tensor is one memory access; its values are laid out
// over the axes named here, the last one fastest.
import type { TraceHeader } from "./api.js";

/** "slot": the cells a sparse memory looks at in a step, in the order of `read_positions`. */
export type AxisKind = "cell" | "word" | "head" | "mode" | "slot" | "channel";

export interface Axis {
  readonly kind: AxisKind;
  readonly size: number;
}

const PREFIX = "debug.";
const MODES = 3;

/** The sizes that the axes have. */
export interface TraceSizes {
  readonly layers: number;
  readonly steps: number;
  readonly cells: number;
  readonly cellSize: number;
  readonly heads: number;
  /** C of models.md §5; 0 for a DNC. */
  readonly slots: number;
}

export function traceSizes({ options, tensors }: TraceHeader): TraceSizes {
  const size = (name: string, standard: number) => {
    const value = options[name];
    return typeof value === "number" ? value : standard;
  };
  const layers = size("numLayers", 1);
  const rows = tensors[`${PREFIX}write_weights`]?.[0] ?? 0;
  return {
    layers,
    steps: tensors.input?.[0] ?? Math.floor(rows / layers),
    cells: size("nrCells", tensors[`${PREFIX}write_weights`]?.[1] ?? 0),
    cellSize: size("cellSize", 1),
    heads: size("readHeads", 1),
    slots: tensors[`${PREFIX}read_positions`]?.[1] ?? 0,
  };
}

/** The axes of a row of a tensor, without those left out by `cells`. */
export function axesOf(name: string, header: TraceHeader): readonly Axis[] {
  const { cells, cellSize, heads, slots } = traceSizes(header);
  const cell: Axis = { kind: "cell", size: cells };
  const slot: Axis = { kind: "slot", size: slots };
  const word: Axis = { kind: "word", size: cellSize };
  const head: Axis = { kind: "head", size: heads };
  switch (name) {
    case "debug.memory":
      return [cell, word];
    case "debug.write_weights":
    case "debug.usage_vector":
    case "debug.usage":
    case "debug.precedence":
      return [cell];
    case "debug.read_weights":
      return [head, cell];
    case "debug.link_matrix":
    case "debug.rev_link_matrix":
      return slots > 0 ? [slot, slot] : [cell, cell];
    case "debug.visible_memory":
      return [slot, word];
    case "debug.read_positions":
      return [slot];
    case "debug.read_modes":
      return [head, { kind: "mode", size: MODES }];
    case "debug.free_gates":
    case "debug.read_strengths":
      return [head];
    default:
      return [{ kind: "channel", size: (header.tensors[name] ?? []).slice(1).reduce((product, size) => product * size, 1) }];
  }
}

/** Values that a tensor has in all, of the header's cells only. */
export function sizeOf(name: string, header: TraceHeader): number {
  const cells = header.cells?.length;
  const width = axesOf(name, header).reduce((product, { kind, size }) => product * (kind === "cell" ? (cells ?? size) : size), 1);
  return width * (header.tensors[name]?.[0] ?? 0);
}

/** More cells than this can't be told apart on a screen, nor scrubbed through. */
export const MOST_CELLS = 512;
/** A memory of so many cells is shown whole, used or not. */
const SHOWN_WHOLE = 64;
/** Unused cells fill up to a multiple of this, so that the choice does not change with every sequence of a run that is watched. */
const GROUP = 16;

/** Whether a memory has cells that may not be worth showing. */
export const mayChoose = (cells: number): boolean => cells > SHOWN_WHOLE;

/**
 * The cells worth showing of a large memory of which less than half is used: those with any weight in any step, the MOST_CELLS
 * heaviest where they are more, in order.
 * @param weights tensors of [rows, …, cells], the write and the read weights
 * @returns null for all cells
 */
export function chooseCells(weights: readonly Float32Array[], cells: number): number[] | null {
  if (!mayChoose(cells)) return null;
  const heaviest = new Float32Array(cells);
  for (const values of weights) {
    for (let i = 0, cell = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (value > (heaviest[cell] as number)) heaviest[cell] = value;
      if (++cell === cells) cell = 0;
    }
  }
  const used: number[] = [];
  const unused: number[] = [];
  for (const [cell, weight] of heaviest.entries()) {
    if (weight > 0) used.push(cell);
    else if (unused.length < GROUP) unused.push(cell);
  }
  if (used.length > cells / 2 && cells <= MOST_CELLS) return null;
  if (used.length > MOST_CELLS) used.sort((a, b) => (heaviest[b] as number) - (heaviest[a] as number) || a - b).length = MOST_CELLS;
  const shown = Math.max(GROUP, Math.ceil(used.length / GROUP) * GROUP);
  return [...used, ...unused.slice(0, shown - used.length)].sort((a, b) => a - b);
}

/** Rows of a tensor with the chosen cells only. */
export function pickCells(values: Float32Array, axes: readonly Axis[], cells: readonly number[] | null): Float32Array {
  if (cells === null || !axes.some(({ kind }) => kind === "cell")) return values;
  const positions = positionsOf(axes, cells);
  const width = axes.reduce((product, { size }) => product * size, 1);
  const rows = values.length / width;
  const out = new Float32Array(rows * positions.length);
  for (let row = 0, at = 0; row < rows; row++) {
    for (const position of positions) out[at++] = values[row * width + position] as number;
  }
  return out;
}

/** Where in a row the values of the chosen cells stand. */
function positionsOf(axes: readonly Axis[], cells: readonly number[]): number[] {
  return axes.reduce<number[]>(
    (positions, { kind, size }) => {
      const indices = kind === "cell" ? cells : Array.from({ length: size }, (_, i) => i);
      return positions.flatMap((position) => indices.map((index) => position * size + index));
    },
    [0],
  );
}
