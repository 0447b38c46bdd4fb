// Dropout with a mask that is computed, never stored: the same arguments give the same mask, forward and backward, in whatever
// batch, shard or thread the row is.
//
// Column j of a row has a random word of its own: word (j / 4) mod 4 of the Philox block (philox.ts) with
//   counter = (element, t, site · 2¹⁶ + 4·(j / 16) + j mod 4, step + 1), key = (seedLow, seedHigh),
// so that no two of (seed, step, site, element, t, j) share a word, and none is a number of the streams in src/random.ts (last
// counter word 0). Within a block of 16 columns lane and word are laid out so that no transposition is needed.
// Room: site < 2¹⁶, size ≤ 2¹⁸, step < 2³² − 1.
import { floats, splat } from "./simd";
import { PHILOX_M0, PHILOX_M1, PHILOX_ROUNDS, PHILOX_W0, PHILOX_W1, philoxMix, uniformOfWords } from "./philox";

/**
 * out = x / (1 − rate) where the column's random number is at least `rate`, else 0. out and x: [rows, size] contiguous, size a
 * multiple of 8; elements: the element of each row, i32 [rows]. out may be x.
 */
export function dropoutRows(
  out: usize, x: usize, rows: i32, size: i32, elements: usize,
  seedLow: i32, seedHigh: i32, step: i32, site: i32, t: i32, rate: f32,
): void {
  const m0 = i32x4.splat(PHILOX_M0), m1 = i32x4.splat(PHILOX_M1);
  const w0 = i32x4.splat(PHILOX_W0), w1 = i32x4.splat(PHILOX_W1);
  const rates = splat(rate), scale = splat(1 / (1 - rate));
  for (const end = elements + floats(rows); elements < end; elements += 4) {
    let columns = i32x4.add(i32x4.splat(site << 16), i32x4(0, 1, 2, 3));
    for (const endOfRow = x + floats(size); x < endOfRow; x += 64) {
      let c0 = v128.load_splat<i32>(elements), c1 = i32x4.splat(t), c2 = columns, c3 = i32x4.splat(step + 1);
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
      v128.store(out, keep(v128.load(x), c0, rates, scale));
      v128.store(out, keep(v128.load(x, 16), c1, rates, scale), 16);
      if (x + 32 < endOfRow) {
        v128.store(out, keep(v128.load(x, 32), c2, rates, scale), 32);
        v128.store(out, keep(v128.load(x, 48), c3, rates, scale), 48);
      }
      out += 64;
      columns = i32x4.add(columns, i32x4.splat(4));
    }
    if (size & 8) {
      x -= 32; out -= 32; // the row ended in the middle of a block of 16 columns
    }
  }
}

// @ts-ignore: decorator
@inline
function keep(x: v128, words: v128, rates: v128, scale: v128): v128 {
  return v128.and(f32x4.mul(x, scale), f32x4.ge(uniformOfWords(words), rates));
}
