// Readouts that make one number of an element's whole output: its sum over time and channels, or the sum of its channels at its
// last step. The number is the prediction that a loss looks at, as an output row of size 1.
//
// Packed rows: time step after time step, and within a step the elements still running in one order, the longest first: so
// elements[row] equals elements[0] exactly where a step begins, and an element stands at the same position in all its steps.
// out, dOut [rows, PAD8(O)], prediction and dPrediction [batch, 8]: position p belongs to batch element elements[p].
import { floats, zero4 } from "./simd";

/** Bytes of a prediction's row: one value padded to 8. */
const PREDICTION: usize = 32;

/** Sum of a row's channels, in float64: four running sums. */
// @ts-ignore: decorator
@inline
function sumOfRow(row: usize, size: i32): f64 {
  let s01 = f64x2.splat(0), s23 = f64x2.splat(0);
  for (let j = 0; j < size; j += 4) {
    const inRow = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(size - j));
    const x = v128.and(v128.load(row + floats(j)), inRow);
    s01 = f64x2.add(s01, f64x2.promote_low_f32x4(x));
    s23 = f64x2.add(s23, f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 1)));
  }
  const sum = f64x2.add(s01, s23);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** row = x in its first `size` values, 0 in the padding. */
// @ts-ignore: decorator
@inline
function fillRow(row: usize, x: f32, size: i32): void {
  for (let j = 0, width = (size + 7) & ~7; j < width; j += 4) {
    v128.store(row + floats(j), v128.and(f32x4.splat(x), i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(size - j))));
  }
}

// @ts-ignore: decorator
@inline
function storePrediction(at: usize, x: f32): void {
  v128.store(at, f32x4.replace_lane(zero4(), 0, x));
  v128.store(at, zero4(), 16);
}

/** Adds each element's rows and channels to its float64 sum, which its prediction's place holds until `sumReadoutEnd`; in order of time. */
export function sumReadout(sums: usize, out: usize, elements: usize, rows: i32, size: i32): void {
  const stride = floats((size + 7) & ~7);
  const first = load<i32>(elements);
  let at = sums;
  for (let row = 0; row < rows; row++) {
    at = load<i32>(elements + floats(row)) == first ? sums : at + PREDICTION;
    store<f64>(at, load<f64>(at) + sumOfRow(out, size));
    out += stride;
  }
}

/** prediction = its sum, rounded once. */
export function sumReadoutEnd(prediction: usize, batch: i32): void {
  for (let p = 0; p < batch; p++) {
    storePrediction(prediction, <f32>load<f64>(prediction));
    prediction += PREDICTION;
  }
}

/** dOut = the element's dPrediction on all its rows and channels. */
export function sumReadoutBackward(dOut: usize, dPrediction: usize, elements: usize, rows: i32, size: i32): void {
  const stride = floats((size + 7) & ~7);
  const first = load<i32>(elements);
  let at = dPrediction;
  for (let row = 0; row < rows; row++) {
    at = load<i32>(elements + floats(row)) == first ? dPrediction : at + PREDICTION;
    fillRow(dOut, load<f32>(at), size);
    dOut += stride;
  }
}

/** prediction = Σ over the channels of an element's last row among these, whose number is noted in lastRow [batch] (i32). */
export function lastReadout(prediction: usize, lastRow: usize, out: usize, elements: usize, rows: i32, size: i32, batch: i32): void {
  const stride = floats((size + 7) & ~7);
  const first = load<i32>(elements);
  let at = lastRow;
  for (let row = 0; row < rows; row++) {
    at = load<i32>(elements + floats(row)) == first ? lastRow : at + 4;
    store<i32>(at, row);
  }
  for (let p = 0; p < batch; p++) {
    storePrediction(prediction, <f32>sumOfRow(out + <usize>load<i32>(lastRow + floats(p)) * stride, size));
    prediction += PREDICTION;
  }
}

/** dOut = the element's dPrediction on the channels of its last row, 0 on all other rows. */
export function lastReadoutBackward(dOut: usize, dPrediction: usize, lastRow: usize, rows: i32, size: i32, batch: i32): void {
  const stride = floats((size + 7) & ~7);
  memory.fill(dOut, 0, <usize>rows * stride);
  for (let p = 0; p < batch; p++) {
    fillRow(dOut + <usize>load<i32>(lastRow + floats(p)) * stride, load<f32>(dPrediction), size);
    dPrediction += PREDICTION;
  }
}
