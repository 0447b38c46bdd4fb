// Passes over a whole flat buffer: norms, scaling, and the sum of the shards' gradients. Buffers are contiguous f32 at any multiple of four bytes,
// any count; nothing beyond the count is read or written, except where said. Every order of summation is a function of the
// sizes alone, so the same input always gives the same bits.
import { floats, loadLanes, storeLanes, splat, zero4 } from "./simd";

/** Σ x², in float64: eight running sums over every eighth element, then ((s01 + s23) + (s45 + s67)). */
export function sumOfSquares(x: usize, count: i32): f64 {
  let s01 = f64x2.splat(0), s23 = f64x2.splat(0), s45 = f64x2.splat(0), s67 = f64x2.splat(0);
  const end = x + floats(count & ~7);
  for (; x < end; x += 32) {
    const a = v128.load(x), b = v128.load(x, 16);
    s01 = addSquares(s01, low(a));
    s23 = addSquares(s23, high(a));
    s45 = addSquares(s45, low(b));
    s67 = addSquares(s67, high(b));
  }
  let rest = count & 7;
  if (rest >= 4) {
    const a = v128.load(x);
    s01 = addSquares(s01, low(a));
    s23 = addSquares(s23, high(a));
    x += 16;
    rest -= 4;
  }
  if (rest > 0) {
    const a = loadLanes(x, rest);
    s45 = addSquares(s45, low(a));
    s67 = addSquares(s67, high(a));
  }
  const sum = f64x2.add(f64x2.add(s01, s23), f64x2.add(s45, s67));
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

// @ts-ignore: decorator
@inline
function addSquares(sum: v128, x: v128): v128 {
  return f64x2.add(sum, f64x2.mul(x, x));
}

// @ts-ignore: decorator
@inline
function low(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}

// @ts-ignore: decorator
@inline
function high(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 1));
}

/** Σ mask, in float64, summed as sumOfSquares does. */
export function maskSum(mask: usize, count: i32): f64 {
  let s01 = f64x2.splat(0), s23 = f64x2.splat(0);
  const end = mask + floats(count & ~3);
  for (; mask < end; mask += 16) {
    const a = v128.load(mask);
    s01 = f64x2.add(s01, low(a));
    s23 = f64x2.add(s23, high(a));
  }
  if ((count & 3) > 0) {
    const a = loadLanes(mask, count & 3);
    s01 = f64x2.add(s01, low(a));
    s23 = f64x2.add(s23, high(a));
  }
  const sum = f64x2.add(s01, s23);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** x *= factor */
export function scaleInPlace(x: usize, factor: f32, count: i32): void {
  const f = splat(factor);
  const end = x + floats(count & ~3);
  for (; x < end; x += 16) v128.store(x, f32x4.mul(v128.load(x), f));
  if ((count & 3) > 0) storeLanes(x, f32x4.mul(loadLanes(x, count & 3), f), count & 3);
}

/** x = clamp(x, -bound, +bound); NaN stays. */
export function clampInPlace(x: usize, bound: f32, count: i32): void {
  const least = splat(-bound), most = splat(bound);
  const end = x + floats(count & ~3);
  for (; x < end; x += 16) v128.store(x, f32x4.max(least, f32x4.min(most, v128.load(x))));
  if ((count & 3) > 0) storeLanes(x, f32x4.max(least, f32x4.min(most, loadLanes(x, count & 3))), count & 3);
}

/**
 * total = start + the lanes added up in a fixed tree of pairs: ((l0 + l1) + (l2 + l3)) + …, an odd one out joining last; `start` is total
 * itself where it `accumulates`, else 0. Works in whole vectors: every buffer holds count rounded up to 4, and lanes lie laneStride bytes
 * apart. The lanes are read only.
 */
export function sumGradients(total: usize, lanes: usize, laneStride: usize, numLanes: i32, count: i32, accumulates: i32): void {
  const end = total + floats(count);
  if (numLanes <= 8) {
    for (; total < end; total += 16) {
      v128.store(total, f32x4.add(start(total, accumulates), sumEight(lanes, laneStride, numLanes)));
      lanes += 16;
    }
  } else {
    for (; total < end; total += 16) {
      v128.store(total, f32x4.add(start(total, accumulates), sumTree(lanes, laneStride, numLanes)));
      lanes += 16;
    }
  }
}

// @ts-ignore: decorator
@inline
function start(total: usize, accumulates: i32): v128 {
  return accumulates ? v128.load(total) : zero4(); // added too: it makes −0 the +0 that accumulating from zero gives
}

// The left half is the largest power of two below n: the tree that adding neighbours, then neighbouring pairs, and so on gives.
function sumTree(lane: usize, stride: usize, n: i32): v128 {
  if (n <= 8) return sumEight(lane, stride, n);
  const half = 1 << (31 - clz<i32>(n - 1));
  return f32x4.add(sumTree(lane, stride, half), sumTree(lane + <usize>half * stride, stride, n - half));
}

// @ts-ignore: decorator
@inline
function sumEight(lane: usize, stride: usize, n: i32): v128 {
  const left = sumFour(lane, stride, n);
  return n <= 4 ? left : f32x4.add(left, sumFour(lane + 4 * stride, stride, n - 4));
}

// Of more than four lanes the first four.
// @ts-ignore: decorator
@inline
function sumFour(lane: usize, stride: usize, n: i32): v128 {
  const first = v128.load(lane);
  if (n == 1) return first;
  const pair = f32x4.add(first, v128.load(lane + stride));
  if (n == 2) return pair;
  const third = v128.load(lane + 2 * stride);
  return f32x4.add(pair, n == 3 ? third : f32x4.add(third, v128.load(lane + 3 * stride)));
}
