// exp, log, tanh, σ, softplus, sin and cos of four f32 at once, always inlined. No table and no libm: polynomials of modest
// degree, so that few constants compete for vector registers.
// Call them in do-while loops: the body of a for or while loop may not run at all, and there V8 makes every constant anew in each
// pass (three instructions each); out of a do-while loop it takes them. That alone halves the time of exp4. And better two loops
// with one function each than one loop with both, whose constants together do not fit the registers.
//
// Relative error at most 2e-7 (functions.test.ts) wherever the result is a normal number, ±0, ±∞ and NaN as in Math. Clamps
// are pmin and pmax with the argument first: they are one instruction each and let NaN through.
import { splat, zero4 } from "./simd";

// Added to y, 1.5 · 2²³ rounds it to the nearest integer n and leaves n (plus what was added on top) in the low bits of the
// float. On top: 126 or 127, so that a shift by 23 makes the bits of 2^(n-1) or 2^n.
const ROUND: f32 = 12582912;
const ROUND_HALF_POWER: f32 = 12582912 + 126;
const ROUND_POWER: f32 = 12582912 + 127;

const LOG2_E: f32 = 1.44269504;
// ln 2 in two parts; n times the first is exact for |n| < 2¹¹.
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;

/**
 * e^(sign·x) for −87.6 ≤ sign·x ≤ 89.7; sign is a constant, 1 or −1, and costs nothing. With sign·x = n·ln 2 + sign·r it is
 * 2^(n-1) · p, p = 2e^(sign·r) rather than e^(sign·r): 2^(n-1) is then 0 before any product is denormal, and finite for every
 * finite result.
 */
// @ts-ignore: decorator
@inline
function expWithin(x: v128, sign: f32): v128 {
  const shifted = f32x4.add(f32x4.mul(x, splat(sign * LOG2_E)), splat(ROUND_HALF_POWER));
  const n = f32x4.sub(shifted, splat(ROUND_HALF_POWER));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, splat(sign * LN2_HIGH))), f32x4.mul(n, splat(sign * LN2_LOW)));
  const z = f32x4.mul(r, r);
  let p = f32x4.add(f32x4.mul(r, splat(sign * 0.0167348813)), splat(0.0833344907));
  p = f32x4.add(f32x4.mul(z, splat(0.0027726288)), p);
  p = f32x4.add(f32x4.mul(p, z), f32x4.add(f32x4.mul(r, splat(sign * 0.333330691)), splat(1)));
  p = f32x4.add(f32x4.mul(p, z), f32x4.add(f32x4.mul(r, splat(sign * 2)), splat(2)));
  return f32x4.mul(p, i32x4.shl(shifted, 23));
}

/** eˣ. Below −86.99 the result is 0 (never a denormal), above 88.72 ∞. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  return expWithin(f32x4.pmin(f32x4.pmax(x, splat(-87.5)), splat(89.5)), 1);
}

/** eˣ for x ≤ 0 (or NaN), as in a softmax whose largest exponent is 0: one clamp less. */
// @ts-ignore: decorator
@inline
export function expOfNegative4(x: v128): v128 {
  return expWithin(f32x4.pmax(x, splat(-87.5)), 1);
}

/** σ(x) = 1 / (1 + e⁻ˣ), accurate in both tails. */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const e = expWithin(f32x4.pmin(f32x4.pmax(x, splat(-89.5)), splat(87.5)), -1);
  return f32x4.div(splat(1), f32x4.add(e, splat(1)));
}

/** x = σ(x) for the vectors from `at` to `end`, at least one. */
// @ts-ignore: decorator
@inline
export function sigmoidInPlace(at: usize, end: usize): void {
  do {
    v128.store(at, sigmoid4(v128.load(at)));
    at += 16;
  } while (at < end);
}

/** dσ/dx from s = σ(x): s·(1 − s). */
// @ts-ignore: decorator
@inline
export function sigmoidSlope(s: v128): v128 {
  return f32x4.mul(s, f32x4.sub(splat(1), s));
}

/**
 * tanh x = D / (D − 2) with D = 1 − e²ˣ, never beyond ±1. With 2x = n·ln 2 + 2r: D = 2ⁿ·q − (2ⁿ − 1), q = 1 − e²ʳ = −2r − r²·(…),
 * so that nothing cancels near 0, and −0 stays −0. One part of ln(2)/2 is enough: where n is large, tanh hardly depends on r.
 */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(x, splat(9.02)), splat(-9.02)); // where tanh rounds to ±1
  const shifted = f32x4.add(f32x4.mul(x, splat(2 * LOG2_E)), splat(ROUND_POWER));
  const power = i32x4.shl(shifted, 23);
  const r = f32x4.sub(x, f32x4.mul(f32x4.sub(shifted, splat(ROUND_POWER)), splat(0.34657359)));
  const z = f32x4.mul(r, r);
  let q = f32x4.add(f32x4.mul(splat(0.267716825), r), splat(0.666669726));
  q = f32x4.add(f32x4.mul(splat(0.0889475867), z), q);
  q = f32x4.add(f32x4.mul(q, z), f32x4.add(f32x4.mul(splat(1.33332384), r), splat(2)));
  q = f32x4.sub(f32x4.mul(r, splat(-2)), f32x4.mul(q, z));
  const d = f32x4.sub(f32x4.mul(q, power), f32x4.sub(power, splat(1)));
  return f32x4.div(d, f32x4.sub(d, splat(2)));
}

/** x = tanh x for the vectors from `at` to `end`, at least one. */
// @ts-ignore: decorator
@inline
export function tanhInPlace(at: usize, end: usize): void {
  do {
    v128.store(at, tanh4(v128.load(at)));
    at += 16;
  } while (at < end);
}

/** d tanh/dx from t = tanh(x): 1 − t². */
// @ts-ignore: decorator
@inline
export function tanhSlope(t: v128): v128 {
  return f32x4.sub(splat(1), f32x4.mul(t, t));
}

/** ln(1 + x) = x + x²·P/Q for 0 ≤ x ≤ 1. */
// @ts-ignore: decorator
@inline
export function log1pOfUnit(x: v128): v128 {
  let p = f32x4.add(f32x4.mul(splat(0.000541377114), x), splat(-0.0065318807));
  p = f32x4.add(f32x4.mul(p, x), splat(-0.332192898));
  p = f32x4.add(f32x4.mul(p, x), splat(-0.5));
  let q = f32x4.add(f32x4.mul(splat(0.400501489), x), splat(1.33104718));
  q = f32x4.add(f32x4.mul(q, x), splat(1));
  return f32x4.add(x, f32x4.div(f32x4.mul(f32x4.mul(x, x), p), q));
}

/** softplus(x) = ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), accurate in both tails; 0 below −86.99. */
// @ts-ignore: decorator
@inline
export function softplus4(x: v128): v128 {
  return f32x4.add(f32x4.pmax(x, zero4()), log1pOfUnit(expWithin(f32x4.pmin(f32x4.abs(x), splat(87.5)), -1)));
}

/**
 * ln x, denormals included. With x = 2^k·(1 + f) and s = f/(2 + f): ln(1 + f) = 2s + s³·(…) = f − (f²/2 − s·(f²/2 + s²·(…))),
 * the last with the fewest roundings of large terms.
 */
// @ts-ignore: decorator
@inline
export function log4(x: v128): v128 {
  const isDenormal = f32x4.lt(x, splat(1.17549435e-38));
  const scaled = v128.bitselect(f32x4.mul(x, splat(8388608)), x, isDenormal);
  const aboveRoot = i32x4.sub(scaled, i32x4.splat(0x3f3504f3)); // √½, so that 1 + f lies in [√½, √2)
  const k = f32x4.sub(f32x4.convert_i32x4_s(i32x4.shr_s(aboveRoot, 23)), v128.and(isDenormal, splat(23)));
  const mantissa = v128.and(aboveRoot, i32x4.splat(0x007fffff));
  const f = f32x4.sub(i32x4.add(mantissa, i32x4.splat(0x3f3504f3)), splat(1));
  const s = f32x4.div(f, f32x4.add(f, splat(2)));
  const z = f32x4.mul(s, s);
  const halfSquare = f32x4.mul(f32x4.mul(f, f), splat(0.5));
  let p = f32x4.add(f32x4.mul(splat(0.298718989), z), splat(0.39977559));
  p = f32x4.add(f32x4.mul(p, z), splat(0.66666776));
  const tail = f32x4.add(f32x4.mul(s, f32x4.add(halfSquare, f32x4.mul(p, z))), f32x4.mul(k, splat(LN2_LOW)));
  const finite = f32x4.add(f32x4.sub(f, f32x4.sub(halfSquare, tail)), f32x4.mul(k, splat(LN2_HIGH)));
  const ofEdge = v128.bitselect(splat(-Infinity), splat(NaN), f32x4.eq(x, zero4())); // x ≤ 0
  const positive = v128.bitselect(finite, x, f32x4.lt(x, splat(Infinity))); // ∞ and NaN give themselves
  return v128.bitselect(ofEdge, positive, f32x4.le(x, zero4()));
}

/** sin(2πx), exact in its reduction for every finite x; NaN at ±∞, +0 at −0. */
// @ts-ignore: decorator
@inline
export function sin2Pi4(x: v128): v128 {
  return sineOfTurns(x, 0);
}

/** cos(2πx), exact in its reduction for every finite x; NaN at ±∞. */
// @ts-ignore: decorator
@inline
export function cos2Pi4(x: v128): v128 {
  return sineOfTurns(x, 1);
}

/** sin(2π·(x + quarters/4)): reduces to at most an eighth of a turn, then takes sine or cosine by quarter. */
// @ts-ignore: decorator
@inline
function sineOfTurns(x: v128, quarters: i32): v128 {
  const turn = f32x4.sub(x, f32x4.nearest(x));
  const shifted = f32x4.add(f32x4.mul(turn, splat(4)), splat(ROUND));
  const g = f32x4.sub(turn, f32x4.mul(f32x4.sub(shifted, splat(ROUND)), splat(0.25)));
  const quarter = i32x4.add(shifted, i32x4.splat(quarters));
  const z = f32x4.mul(g, g);
  let sine = f32x4.add(f32x4.mul(splat(-75.9302978), z), splat(81.606758));
  sine = f32x4.add(f32x4.mul(sine, z), splat(-41.3417702));
  sine = f32x4.mul(f32x4.add(f32x4.mul(sine, z), splat(6.28318548)), g);
  let cosine = f32x4.add(f32x4.mul(splat(58.6210594), z), splat(-85.4245224));
  cosine = f32x4.add(f32x4.mul(cosine, z), splat(64.9391479));
  cosine = f32x4.add(f32x4.mul(cosine, z), splat(-19.7392082));
  cosine = f32x4.add(f32x4.mul(cosine, z), splat(1));
  const isOdd = i32x4.shr_s(i32x4.shl(quarter, 31), 31);
  const sign = i32x4.shl(i32x4.shr_u(quarter, 1), 31);
  return v128.xor(v128.bitselect(cosine, sine, isOdd), sign);
}
