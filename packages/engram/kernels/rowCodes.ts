// Codes of two bits a dimension for every touched row: the index of SAM and SDNC when asked for (option `index: "quantized"`).
//
// A row over its norm is turned by a fixed random rotation, so that whatever its own dimensions hold, each of the D turned ones is near a normal
// number of variance 1/D; of √D times that the code keeps one of four levels, the best quantizer of a normal number (Max 1960). The code is a function of
// the row alone: it depends neither on other rows nor on what the row held before, so there is nothing to train, to balance or to undo.
//
// D = cell size padded to 8. The rotation is [D/4, Wp, 4] · √D: what four turned dimensions take of each of the row's own. Codes are [rows / 16, D/4, 16]
// bytes: byte k of 16 rows side by side, four dimensions a byte, the first in the lowest bits.
import { floats, splat, sumLanesOfInts, zero4 } from "./simd";
import { SparseMemory } from "./sparseLayout";
import { inverseNorm, TouchedRows } from "./touchedRows";

// Levels and the thresholds between them for a normal number of variance 1 (Max 1960, table I, n = 4).
export const INNER_LEVEL: f32 = 0.4528;
export const OUTER_LEVEL: f32 = 1.51;
const THRESHOLD: f32 = 0.9816;

/** Rows that lie side by side. */
export const ROWS_A_BLOCK: i32 = 16;

/** Four turned dimensions of x, [Wp]; `columns`: their part of the rotation. */
// @ts-ignore: decorator
@inline
export function turnFour(columns: usize, x: usize, rowBytes: usize): v128 {
  let sum = zero4();
  for (const end = x + rowBytes; x < end; x += 16, columns += 64) {
    const four = v128.load(x);
    sum = f32x4.add(sum, f32x4.mul(v128.shuffle<f32>(four, four, 0, 0, 0, 0), v128.load(columns)));
    sum = f32x4.add(sum, f32x4.mul(v128.shuffle<f32>(four, four, 1, 1, 1, 1), v128.load(columns, 16)));
    sum = f32x4.add(sum, f32x4.mul(v128.shuffle<f32>(four, four, 2, 2, 2, 2), v128.load(columns, 32)));
    sum = f32x4.add(sum, f32x4.mul(v128.shuffle<f32>(four, four, 3, 3, 3, 3), v128.load(columns, 48)));
  }
  return sum;
}

/** True for a row that holds anything. */
// @ts-ignore: decorator
@inline
export function isFilled(rows: TouchedRows, row: i32): bool {
  return load<f32>(rows.inverseNorms + floats(row)) != inverseNorm(0);
}

/** Makes a row's code, from the row and its norm. */
export function encodeRow(s: SparseMemory, rows: TouchedRows, row: i32): void {
  const rowBytes = floats(s.wordWidth);
  const x = rows.memory + <usize>row * rowBytes;
  const norm = v128.load_splat<f32>(rows.inverseNorms + floats(row));
  let to = codeOf(rows.codes, s.codeBytes, row);
  for (let columns = s.rotation, end = columns + <usize>s.codeBytes * 4 * rowBytes; columns < end; columns += 4 * rowBytes) {
    const turned = f32x4.mul(turnFour(columns, x, rowBytes), norm);
    // The level's number is how many thresholds the value reaches; a comparison that holds is -1.
    const reached = i32x4.add(
      i32x4.add(f32x4.ge(turned, splat(-THRESHOLD)), f32x4.ge(turned, zero4())), f32x4.ge(turned, splat(THRESHOLD)),
    );
    store<u8>(to, sumLanesOfInts(i32x4.mul(reached, i32x4(-1, -4, -16, -64))));
    to += ROWS_A_BLOCK;
  }
}

/** Where a row's first byte is; the next are ROWS_A_BLOCK further. */
// @ts-ignore: decorator
@inline
function codeOf(codes: usize, codeBytes: i32, row: i32): usize {
  return codes + <usize>(row & ~(ROWS_A_BLOCK - 1)) * <usize>codeBytes + <usize>(row & (ROWS_A_BLOCK - 1));
}

/** Makes the codes of all touched rows of one TouchedRows, and counts those that hold anything. `memory`: the SparseMemory. */
export function encodeRows(memory: usize, rows: usize): void {
  const s = changetype<SparseMemory>(memory), t = changetype<TouchedRows>(rows);
  t.filled = 0;
  for (let row = 0; row < t.touched; row++) {
    encodeRow(s, t, row);
    t.filled += i32(isFilled(t, row));
  }
}

/** Brings the codes up to date after the rows of an access's write list changed; `filledBefore` of them held something. */
export function encodeWritten(s: SparseMemory, rows: TouchedRows, writeRows: usize, count: i32, filledBefore: i32): void {
  for (let at = writeRows, end = writeRows + floats(count); at < end; at += 4) encodeRow(s, rows, load<i32>(at));
  rows.filled += countFilled(rows, writeRows, count) - filledBefore;
}

export function countFilled(rows: TouchedRows, writeRows: usize, count: i32): i32 {
  let filled = 0;
  for (let at = writeRows, end = writeRows + floats(count); at < end; at += 4) filled += i32(isFilled(rows, load<i32>(at)));
  return filled;
}
