// Random numbers by counter: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). Four words from a
// counter of four words and a key of two, with nothing kept between calls.
//
// Number n of a stream is word n mod 4 of the block with counter (n / 4, 0, stream, 0) and key (seedLow, seedHigh), as in
// src/random.ts. The last counter word tells uses apart: 0 here, step + 1 in dropout.ts.
// Four blocks are computed at a time: lane l of vector w is word w of block l.
import { cos2Pi4, log4, sin2Pi4 } from "./functions";
import { floats, splat } from "./simd";

export const PHILOX_M0: i32 = 0xd2511f53;
export const PHILOX_M1: i32 = 0xcd9e8d57;
export const PHILOX_W0: i32 = 0x9e3779b9;
export const PHILOX_W1: i32 = 0xbb67ae85;
export const PHILOX_ROUNDS: i32 = 10;

const TWO_TO_MINUS_24: f32 = 5.9604644775390625e-8;
const TWO_TO_MINUS_32: f32 = 2.3283064365386963e-10;
const TWO_TO_MINUS_33: f32 = 1.1641532182693481e-10;

/** Words 0 and 2 after a round: high product of the other one's factor, the odd word before, and the key. */
// @ts-ignore: decorator
@inline
export function philoxMix(even: v128, factor: v128, odd: v128, key: v128): v128 {
  const low = i64x2.extmul_low_i32x4_u(even, factor);
  const high = i64x2.extmul_high_i32x4_u(even, factor);
  return v128.xor(v128.xor(v128.shuffle<i32>(low, high, 1, 3, 5, 7), odd), key);
}

/** Uniform in [0, 1), the upper 24 bits of each word. */
// @ts-ignore: decorator
@inline
export function uniformOfWords(words: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(words, 8)), splat(TWO_TO_MINUS_24));
}

/** `count` numbers uniform in [0, 1), the first being number `offset` (unsigned) of the stream. */
export function philoxUniform(out: usize, count: i32, seedLow: i32, seedHigh: i32, stream: i32, offset: i32): void {
  fill(out, count, seedLow, seedHigh, stream, offset, false);
}

/**
 * `count` standard normal numbers, the first made for number `offset` of the stream. Box–Muller: words u and v of a block (0 and
 * 1, 2 and 3) give √(−2 ln u)·cos(2πv) and √(−2 ln u)·sin(2πv).
 */
export function philoxNormal(out: usize, count: i32, seedLow: i32, seedHigh: i32, stream: i32, offset: i32): void {
  fill(out, count, seedLow, seedHigh, stream, offset, true);
}

// @ts-ignore: decorator
@inline
function fill(out: usize, count: i32, seedLow: i32, seedHigh: i32, stream: i32, offset: i32, isNormal: bool): void {
  const m0 = i32x4.splat(PHILOX_M0), m1 = i32x4.splat(PHILOX_M1);
  const w0 = i32x4.splat(PHILOX_W0), w1 = i32x4.splat(PHILOX_W1);
  let blocks = i32x4.add(i32x4.splat(offset >>> 2), i32x4(0, 1, 2, 3));
  for (let at = -(offset & 3); at < count; at += 16) {
    let c0 = blocks, c1 = i32x4.splat(0), c2 = i32x4.splat(stream), c3 = i32x4.splat(0);
    let k0 = i32x4.splat(seedLow), k1 = i32x4.splat(seedHigh);
    for (let round = 0; round < PHILOX_ROUNDS; round++) {
      const even0 = c0;
      c0 = philoxMix(c2, m1, c1, k0);
      c1 = i32x4.mul(c2, m1);
      c2 = philoxMix(even0, m0, c3, k1);
      c3 = i32x4.mul(even0, m0);
      k0 = i32x4.add(k0, w0);
      k1 = i32x4.add(k1, w1);
    }
    if (isNormal) {
      const r01 = radius(c0), r23 = radius(c2);
      const v1 = uniformOfWords(c1), v3 = uniformOfWords(c3);
      c0 = f32x4.mul(r01, cos2Pi4(v1)); c1 = f32x4.mul(r01, sin2Pi4(v1));
      c2 = f32x4.mul(r23, cos2Pi4(v3)); c3 = f32x4.mul(r23, sin2Pi4(v3));
    } else {
      c0 = uniformOfWords(c0); c1 = uniformOfWords(c1); c2 = uniformOfWords(c2); c3 = uniformOfWords(c3);
    }
    const low01 = v128.shuffle<i32>(c0, c1, 0, 4, 1, 5), low23 = v128.shuffle<i32>(c2, c3, 0, 4, 1, 5);
    const high01 = v128.shuffle<i32>(c0, c1, 2, 6, 3, 7), high23 = v128.shuffle<i32>(c2, c3, 2, 6, 3, 7);
    storeWithin(out, v128.shuffle<i64>(low01, low23, 0, 2), at, count);
    storeWithin(out, v128.shuffle<i64>(low01, low23, 1, 3), at + 4, count);
    storeWithin(out, v128.shuffle<i64>(high01, high23, 0, 2), at + 8, count);
    storeWithin(out, v128.shuffle<i64>(high01, high23, 1, 3), at + 12, count);
    blocks = i32x4.add(blocks, i32x4.splat(4));
  }
}

/** √(−2 ln u), u from the whole word in (0, 1]: never ln 0, and normal numbers up to 6.7. */
// @ts-ignore: decorator
@inline
function radius(words: v128): v128 {
  const u = f32x4.add(f32x4.mul(f32x4.convert_i32x4_u(words), splat(TWO_TO_MINUS_32)), splat(TWO_TO_MINUS_33));
  return f32x4.sqrt(f32x4.mul(log4(u), splat(-2)));
}

/** Stores the lanes of v as elements at … at + 3 of out, those that lie in 0 … count − 1. */
function storeWithin(out: usize, v: v128, at: i32, count: i32): void {
  const to = out + floats(at);
  if (at >= 0 && at + 4 <= count) {
    v128.store(to, v);
    return;
  }
  if (at >= 0 && at < count) store<f32>(to, f32x4.extract_lane(v, 0));
  if (at + 1 >= 0 && at + 1 < count) store<f32>(to, f32x4.extract_lane(v, 1), 4);
  if (at + 2 >= 0 && at + 2 < count) store<f32>(to, f32x4.extract_lane(v, 2), 8);
  if (at + 3 >= 0 && at + 3 < count) store<f32>(to, f32x4.extract_lane(v, 3), 12);
}
