// The rotation that kernels/rowCodes.ts turns rows by: drawn from a seed of its own, the same for every model and process.
import { Random } from "../random.js";

const SEED = 0x9e3779b9;

/**
 * √D times an orthogonal matrix of D = `size`, a multiple of 4, its first Wp = `width` columns laid out [D/4, Wp, 4]: what each four turned dimensions
 * take of each of a row's own. Its rows are uniform numbers made orthogonal to those before (Gram–Schmidt).
 */
export function randomRotation(size: number, width: number): Float32Array {
  const random = new Random(SEED);
  const rows: Float64Array[] = [];
  for (let i = 0; i < size; i++) {
    const row = Float64Array.from({ length: size }, () => 2 * random.uniform() - 1);
    for (const other of rows) addScaled(row, other, -dot(row, other));
    const norm = Math.sqrt(dot(row, row));
    rows.push(row.map((x) => x / norm));
  }
  const laidOut = new Float32Array(size * width);
  for (let i = 0; i < size * width; i++) {
    const [block, lane] = [Math.floor(i / (4 * width)), i % 4];
    const column = Math.floor(i / 4) % width;
    laidOut[i] = Math.sqrt(size) * ((rows[4 * block + lane] as Float64Array)[column] as number);
  }
  return laidOut;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function addScaled(to: Float64Array, from: Float64Array, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + factor * (from[i] as number);
}
