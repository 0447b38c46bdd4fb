// Draws a memory's weights over time with block characters: a row each cell, a column each step, the darker the heavier.
import type { Tensor } from "engram";

const SHADES = [" ", "░", "▒", "▓", "█"] as const;
/** Cells that never have at least this weight are not worth a row. */
const WORTH_A_ROW = 0.1;
const MOST_ROWS = 24;

/** weights[t][cell]; of several layers and heads the largest at each step. */
export type WeightsOverTime = readonly Float32Array[];

/**
 * @param debug rows of weights, [layers · time, heads · cells]
 */
export function weightsOverTime(debug: Tensor, numLayers: number, nrCells: number): WeightsOverTime {
  const [rows = 0, width = 0] = debug.shape;
  const steps = Array.from({ length: rows / numLayers }, () => new Float32Array(nrCells));
  for (let row = 0; row < rows; row++) {
    const step = steps[Math.floor(row / numLayers)] as Float32Array;
    for (let i = 0; i < width; i++) step[i % nrCells] = Math.max(step[i % nrCells] as number, debug.data[row * width + i] as number);
  }
  return steps;
}

/** The cells worth drawing, in the order in which they were first written to, so that a sequence shows as a diagonal. */
export function cellsByFirstWrite(written: WeightsOverTime, read: WeightsOverTime): number[] {
  const heaviest = (weights: WeightsOverTime, cell: number) => Math.max(...weights.map((step) => step[cell] as number));
  const firstWrite = (cell: number) => {
    const most = heaviest(written, cell);
    return most < WORTH_A_ROW ? Number.POSITIVE_INFINITY : written.findIndex((step) => (step[cell] as number) >= most / 2);
  };
  const cells = Array.from({ length: written[0]?.length ?? 0 }, (_, cell) => cell);
  return cells
    .map((cell) => ({ cell, first: firstWrite(cell), weight: Math.max(heaviest(written, cell), heaviest(read, cell)) }))
    .filter(({ weight }) => weight >= WORTH_A_ROW)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, MOST_ROWS)
    .sort((a, b) => (a.first === b.first ? a.cell - b.cell : a.first - b.first))
    .map(({ cell }) => cell);
}

/**
 * The weights as lines of text.
 * @param asked whether an answer was asked for at each step; marked under the drawing
 */
export function drawWeights(title: string, weights: WeightsOverTime, cells: readonly number[], asked: readonly boolean[]): string[] {
  const label = Math.max(4, ...cells.map((cell) => String(cell).length));
  const rows = cells.map((cell) => `${String(cell).padStart(label)} │${weights.map((step) => shade(step[cell] as number)).join("")}│`);
  const marks = asked.map((answer) => (answer ? "▲" : "·")).join("");
  return [title, ...rows, `${"".padStart(label)}  ${marks}`];
}

function shade(weight: number): string {
  const level = Math.ceil(Math.min(weight, 1) * SHADES.length - 0.5); // below a tenth: blank
  return SHADES[Math.max(0, Math.min(level, SHADES.length - 1))] as string;
}

/** Two drawings beside each other where there is room, else one below the other. */
export function sideBySide(left: readonly string[], right: readonly string[], columns: number): string[] {
  const width = Math.max(...left.map((line) => line.length));
  const needed = width + 3 + Math.max(...right.map((line) => line.length));
  if (needed > columns) return [...left, "", ...right];
  return left.map((line, i) => `${line.padEnd(width)}   ${right[i] ?? ""}`.trimEnd());
}
