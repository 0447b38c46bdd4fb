// Losses over packed rows: each kernel gives Σ m·l in float64 (a fixed order) and writes the gradient, scale · m · dl/dy.
//
// Axes: rows of the network's output, `size` = O values each. out, dOut [rows, PAD8(O)]; dOut's padding is written as 0.
// target and mask lie unpadded as the caller staged them, 16 readable bytes after their ends: row i takes row source[i] of them.
// mask: 0 for none, else maskWidth 1 (a weight a row) or O (a weight a value). Where the weight is 0, loss and gradient are 0
// whatever the output (0 · ∞ is not).
import { expOfNegative4, log1pOfUnit, log4 } from "./functions";
import { floats, splat, sumLanes, zero4 } from "./simd";

/** Bytes of a row of `out`. */
// @ts-ignore: decorator
@inline
function rowBytes(size: i32): usize {
  return floats((size + 7) & ~7);
}

/** All bits of the lanes j … j+3 that lie within a row. */
// @ts-ignore: decorator
@inline
function within(j: i32, size: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(size - j));
}

/** The weights of values j … j+3 of a row whose weights begin at `mask`; 0 beyond the row. */
// @ts-ignore: decorator
@inline
function weights(mask: usize, maskWidth: i32, j: i32, size: i32): v128 {
  let weight = splat(1);
  if (mask != 0) weight = maskWidth == 1 ? v128.load32_splat(mask) : v128.load(mask + floats(j));
  return v128.and(weight, within(j, size));
}

/** x · weight, and 0 where the weight is 0. */
// @ts-ignore: decorator
@inline
function weighed(x: v128, weight: v128): v128 {
  return v128.andnot(f32x4.mul(x, weight), f32x4.eq(weight, zero4()));
}

/** sum + the four lanes of x, in float64: two running sums. */
// @ts-ignore: decorator
@inline
function addLanes(sum: v128, x: v128): v128 {
  return f64x2.add(sum, f64x2.add(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 1))));
}

// @ts-ignore: decorator
@inline
function bothLanes(sum: v128): f64 {
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** Zeroes the second half of the last eight values when the row does not reach it: loops over a row stop after the row's last vector. */
// @ts-ignore: decorator
@inline
function zeroPadding(row: usize, size: i32): void {
  if (((size + 3) & 4) != 0) v128.store(row + rowBytes(size) - 16, zero4());
}

/**
 * l = −t·ln σ(y) − (1 − t)·ln(1 − σ(y)) = max(y, 0) − y·t + ln(1 + e^−|y|), as torch.nn.BCEWithLogitsLoss.
 * dl/dy = σ(y) − t, taken from the side of σ that is small, so that it does not vanish while the loss is still there.
 */
export function binaryCrossEntropyRows(
  dOut: usize, out: usize, target: usize, mask: usize, maskWidth: i32, source: usize, rows: i32, size: i32, scale: f32,
): f64 {
  let sum = f64x2.splat(0);
  for (let row = 0; row < rows; row++) {
    const natural = <usize>load<i32>(source);
    const t = target + natural * floats(size);
    const m: usize = mask == 0 ? 0 : mask + natural * floats(maskWidth);
    for (let j = 0; j < size; j += 4) {
      const weight = weights(m, maskWidth, j, size);
      const y = v128.load(out + floats(j));
      const want = v128.load(t + floats(j));
      const e = expOfNegative4(f32x4.neg(f32x4.abs(y)));
      const linear = f32x4.sub(f32x4.pmax(y, zero4()), f32x4.mul(y, want));
      sum = addLanes(sum, weighed(f32x4.add(linear, log1pOfUnit(e)), weight));
      const small = f32x4.div(e, f32x4.add(splat(1), e)); // σ(−|y|)
      const ofPositive = f32x4.sub(f32x4.sub(splat(1), want), small);
      const gradient = v128.bitselect(ofPositive, f32x4.sub(small, want), f32x4.ge(y, zero4()));
      v128.store(dOut + floats(j), weighed(f32x4.mul(gradient, splat(scale)), weight));
    }
    zeroPadding(dOut, size);
    out += rowBytes(size);
    dOut += rowBytes(size);
    source += 4;
  }
  return bothLanes(sum);
}

/** l = (y − t)², dl/dy = 2·(y − t). */
export function meanSquaredErrorRows(
  dOut: usize, out: usize, target: usize, mask: usize, maskWidth: i32, source: usize, rows: i32, size: i32, scale: f32,
): f64 {
  let sum = f64x2.splat(0);
  for (let row = 0; row < rows; row++) {
    const natural = <usize>load<i32>(source);
    const t = target + natural * floats(size);
    const m: usize = mask == 0 ? 0 : mask + natural * floats(maskWidth);
    for (let j = 0; j < size; j += 4) {
      const weight = weights(m, maskWidth, j, size);
      const error = f32x4.sub(v128.load(out + floats(j)), v128.load(t + floats(j)));
      sum = addLanes(sum, weighed(f32x4.mul(error, error), weight));
      v128.store(dOut + floats(j), weighed(f32x4.mul(error, splat(2 * scale)), weight));
    }
    zeroPadding(dOut, size);
    out += rowBytes(size);
    dOut += rowBytes(size);
    source += 4;
  }
  return bothLanes(sum);
}

/**
 * l = −Σ t_j·ln p_j, p = softmax(y), for a row t of probabilities (torch.nn.CrossEntropyLoss with such targets); maskWidth 1.
 * dl/dy = p·Σt − t.
 */
export function softmaxCrossEntropyRows(
  dOut: usize, out: usize, target: usize, mask: usize, source: usize, rows: i32, size: i32, scale: f32,
): f64 {
  let sum: f64 = 0;
  for (let row = 0; row < rows; row++) {
    const natural = <usize>load<i32>(source);
    const weight: f32 = mask == 0 ? 1 : load<f32>(mask + natural * 4);
    if (weight == 0) {
      memory.fill(dOut, 0, rowBytes(size));
    } else {
      const largest = largestOfRow(out, size);
      const exponentials = exponentialsOfRow(dOut, out, largest, size);
      sum += <f64>weight * crossEntropyOfRow(dOut, out, target + natural * floats(size), largest, exponentials, weight * scale, size);
    }
    zeroPadding(dOut, size);
    out += rowBytes(size);
    dOut += rowBytes(size);
    source += 4;
  }
  return sum;
}

/** The same for one right class a row: target holds one class number (as f32) a row. Numbers of rows with weight 0 are not looked at. */
export function softmaxCrossEntropyIndexRows(
  dOut: usize, out: usize, target: usize, mask: usize, source: usize, rows: i32, size: i32, scale: f32,
): f64 {
  let sum: f64 = 0;
  for (let row = 0; row < rows; row++) {
    const natural = <usize>load<i32>(source);
    const weight: f32 = mask == 0 ? 1 : load<f32>(mask + natural * 4);
    if (weight == 0) {
      memory.fill(dOut, 0, rowBytes(size));
    } else {
      const at = floats(<i32>load<f32>(target + natural * 4));
      const largest = largestOfRow(out, size);
      const exponentials = exponentialsOfRow(dOut, out, largest, size);
      sum += <f64>weight * (<f64>logarithm(exponentials) - <f64>(load<f32>(out + at) - largest));
      const share = splat(weight * scale / exponentials);
      for (let j = 0; j < size; j += 4) v128.store(dOut + floats(j), f32x4.mul(v128.load(dOut + floats(j)), share));
      store<f32>(dOut + at, load<f32>(dOut + at) - weight * scale);
    }
    zeroPadding(dOut, size);
    out += rowBytes(size);
    dOut += rowBytes(size);
    source += 4;
  }
  return sum;
}

function largestOfRow(y: usize, size: i32): f32 {
  let most = splat(-Infinity);
  for (let j = 0; j < size; j += 4) most = f32x4.max(most, v128.bitselect(v128.load(y + floats(j)), splat(-Infinity), within(j, size)));
  most = f32x4.max(most, v128.shuffle<i64>(most, most, 1, 1));
  return f32x4.extract_lane(f32x4.max(most, v128.shuffle<i32>(most, most, 1, 1, 1, 1)), 0);
}

/** exponentials = e^(y − largest), 0 beyond the row; gives their sum. */
function exponentialsOfRow(exponentials: usize, y: usize, largest: f32, size: i32): f32 {
  let sum = zero4();
  for (let j = 0; j < size; j += 4) {
    const e = v128.and(expOfNegative4(f32x4.sub(v128.load(y + floats(j)), splat(largest))), within(j, size));
    sum = f32x4.add(sum, e);
    v128.store(exponentials + floats(j), e);
  }
  return sumLanes(sum);
}

// @ts-ignore: decorator
@inline
function logarithm(x: f32): f32 {
  return f32x4.extract_lane(log4(splat(x)), 0);
}

/** One row's loss; turns its exponentials, in dOut, into the gradient times `scale`. */
function crossEntropyOfRow(dOut: usize, y: usize, target: usize, largest: f32, exponentials: f32, scale: f32, size: i32): f64 {
  const logSum = splat(logarithm(exponentials));
  let sum = f64x2.splat(0), total = zero4();
  for (let j = 0; j < size; j += 4) {
    const t = v128.and(v128.load(target + floats(j)), within(j, size));
    const surprise = f32x4.sub(logSum, f32x4.sub(v128.load(y + floats(j)), splat(largest))); // −ln p
    sum = addLanes(sum, weighed(surprise, t));
    total = f32x4.add(total, t);
  }
  const share = splat(sumLanes(total) / exponentials);
  for (let j = 0; j < size; j += 4) {
    const t = v128.and(v128.load(target + floats(j)), within(j, size));
    const gradient = f32x4.sub(f32x4.mul(v128.load(dOut + floats(j)), share), t);
    v128.store(dOut + floats(j), f32x4.mul(gradient, splat(scale)));
  }
  return bothLanes(sum);
}
