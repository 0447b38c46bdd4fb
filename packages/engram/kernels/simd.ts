// Small vector helpers that every kernel shares. Always inlined; none of them touches memory it was not given.

/** Bytes of one vector of four f32. */
export const VECTOR: usize = 16;

/** Magnitudes below this are written as +0 in long products and recurrences: denormals slow every loop over them several times. */
export const TINY: f32 = 1e-30;

/** Elements of a row of n, padded to whole vectors. */
// @ts-ignore: decorator
@inline
export function padded(n: i32): i32 {
  return (n + 3) & ~3;
}

/** Bytes of n f32. */
// @ts-ignore: decorator
@inline
export function floats(n: i32): usize {
  return <usize>n << 2;
}

// @ts-ignore: decorator
@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

// @ts-ignore: decorator
@inline
export function zero4(): v128 {
  return f32x4.splat(0);
}

/** Sum of the four lanes, (0 + 1) + (2 + 3). */
// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

// @ts-ignore: decorator
@inline
export function sumLanesOfInts(v: v128): i32 {
  const pairs = i32x4.add(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

/** The four lane sums of four vectors as one vector, each summed in the order of sumLanes. */
// @ts-ignore: decorator
@inline
export function sumLanes4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 2, 4, 6), v128.shuffle<f32>(a, b, 1, 3, 5, 7)); // a01 a23 b01 b23
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 2, 4, 6), v128.shuffle<f32>(c, d, 1, 3, 5, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 2, 4, 6), v128.shuffle<f32>(ab, cd, 1, 3, 5, 7));
}

/** v with every lane below TINY in magnitude replaced by +0; NaN stays. */
// @ts-ignore: decorator
@inline
export function flushTiny(v: v128): v128 {
  return v128.andnot(v, f32x4.lt(f32x4.abs(v), splat(TINY)));
}

// @ts-ignore: decorator
@inline
export function flushTinyScalar(x: f32): f32 {
  return abs<f32>(x) < TINY ? 0 : x;
}

/** memory[at] += v */
// @ts-ignore: decorator
@inline
export function accumulate(at: usize, v: v128): void {
  v128.store(at, f32x4.add(v128.load(at), v));
}

/** The first `lanes` (1 … 4) floats at `at`, the other lanes zero; reads no byte beyond them. With a constant 4 it is one load. */
// @ts-ignore: decorator
@inline
export function loadLanes(at: usize, lanes: i32): v128 {
  if (lanes == 4) return v128.load(at);
  if (lanes == 1) return v128.load32_zero(at);
  const pair = v128.load64_zero(at);
  return lanes == 2 ? pair : v128.load_lane<f32>(at, pair, 2, 8);
}

/** Writes the first `lanes` (1 … 4) lanes of v, and no byte beyond them. */
// @ts-ignore: decorator
@inline
export function storeLanes(at: usize, v: v128, lanes: i32): void {
  if (lanes == 4) {
    v128.store(at, v);
  } else if (lanes == 1) {
    v128.store_lane<f32>(at, v, 0);
  } else {
    v128.store_lane<f64>(at, v, 0);
    if (lanes == 3) v128.store_lane<f32>(at, v, 2, 8);
  }
}

/** Zeros; for arrays so short that memory.fill, a call out of the module, would cost more than the writing. Bytes in whole vectors. */
// @ts-ignore: decorator
@inline
export function clear(at: usize, bytes: usize): void {
  for (const end = at + bytes; at < end; at += VECTOR) v128.store(at, zero4());
}
