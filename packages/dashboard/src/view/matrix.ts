// What a heatmap shows, and how its values become colours.
import type { RampName } from "../data/colors.js";

/** Row-major. NaN: nothing there. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

export const emptyMatrix: Matrix = { rows: 0, columns: 0, values: new Float32Array(0) };

/**
 * unit: 0 … 1; positive: 0 … the largest value; signed: ± the largest magnitude. The largest value is that of all that was shown
 * so far, rounded up, so that colours mean the same at every step.
 */
export type Scale = "unit" | "positive" | "signed";

export const rampOf = (scale: Scale): RampName => (scale === "signed" ? "diverging" : "sequential");

/** The next of 1, 2, 5, 10, 20, … */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((step) => step * power >= value * (1 - 1e-6)) ?? 10;
  return Number((factor * power).toPrecision(1));
}

export function largest(values: Float32Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i] as number);
    if (size > most) most = size;
  }
  return most;
}

/**
 * Colours values: 0 … most (or −most … most) over a ramp. NaN is left as it is in `pixels`.
 * The loop is as plain as it is because it runs over a quarter of a million links at every step that somebody scrubs through.
 */
export function colorValues(pixels: Uint32Array, values: Float32Array, colors: Uint32Array, most: number, scale: Scale): void {
  const last = colors.length - 1;
  const factor = scale === "signed" ? last / (2 * most) : last / most;
  const start = (scale === "signed" ? last / 2 : 0) + 0.5;
  for (let i = 0; i < values.length; i++) {
    const at = start + factor * (values[i] as number);
    if (at >= last) pixels[i] = colors[last] as number;
    else if (at < 1) pixels[i] = colors[0] as number;
    else if (at >= 1) pixels[i] = colors[at | 0] as number; // not for NaN
  }
}

/**
 * A matrix cut down to at most so many rows and columns. Of the values that fall together the one of the largest magnitude stays, so
 * that a single heavy weight is still seen.
 */
export function pool(matrix: Matrix, mostRows: number, mostColumns: number): Matrix {
  const { rows, columns, values } = matrix;
  if (rows <= mostRows && columns <= mostColumns) return matrix;
  const [height, width] = [Math.min(rows, mostRows), Math.min(columns, mostColumns)];
  const target = Int32Array.from({ length: columns }, (_, column) => Math.floor((column * width) / columns));
  const pooled = new Float32Array(height * width).fill(Number.NaN);
  for (let row = 0; row < rows; row++) {
    const start = Math.floor((row * height) / rows) * width;
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column] as number;
      const at = start + (target[column] as number);
      const kept = pooled[at] as number;
      if (!(Math.abs(kept) >= Math.abs(value))) pooled[at] = value;
    }
  }
  return { rows: height, columns: width, values: pooled };
}
