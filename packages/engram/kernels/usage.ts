// How much each cell is in use (models.md §2, step 1): u = (u′ + (1 − u′)·w^w′)·ψ with ψ_i = Π_h (1 − f_h·w^r′_hi), what the free
// gates leave.
//
// usage, writeWeights [Np]; readWeights [Np, Rp], the heads of a cell lying together; freeGates [Rp]. Padding of readWeights is
// zero, so missing heads contribute a factor of 1.
import { floats, flushTiny, splat, VECTOR, zero4 } from "./simd";

/** usage may be prevUsage. */
export function usageForward(
  usage: usize, prevUsage: usize, prevWriteWeights: usize, prevReadWeights: usize, freeGates: usize, paddedCells: i32, paddedHeads: i32,
): void {
  const cellBytes = floats(paddedHeads), one = splat(1);
  for (const end = usage + floats(paddedCells); usage < end; usage += VECTOR) {
    const used = v128.load(prevUsage);
    const written = f32x4.add(used, f32x4.mul(f32x4.sub(one, used), v128.load(prevWriteWeights)));
    v128.store(usage, f32x4.mul(written, retention(prevReadWeights, freeGates, cellBytes)));
    prevUsage += VECTOR;
    prevWriteWeights += VECTOR;
    prevReadWeights += 4 * cellBytes;
  }
}

/** ψ of four cells. */
// @ts-ignore: decorator
@inline
function retention(readWeights: usize, freeGates: usize, cellBytes: usize): v128 {
  let p0 = splat(1), p1 = splat(1), p2 = splat(1), p3 = splat(1);
  for (const end = freeGates + cellBytes; freeGates < end; freeGates += VECTOR) {
    const free = v128.load(freeGates);
    p0 = f32x4.mul(p0, kept(free, readWeights));
    p1 = f32x4.mul(p1, kept(free, readWeights + cellBytes));
    p2 = f32x4.mul(p2, kept(free, readWeights + 2 * cellBytes));
    p3 = f32x4.mul(p3, kept(free, readWeights + 3 * cellBytes));
    readWeights += VECTOR;
  }
  // The product of the lanes of each, as sumLanes4 adds them.
  const p01 = f32x4.mul(v128.shuffle<f32>(p0, p1, 0, 2, 4, 6), v128.shuffle<f32>(p0, p1, 1, 3, 5, 7));
  const p23 = f32x4.mul(v128.shuffle<f32>(p2, p3, 0, 2, 4, 6), v128.shuffle<f32>(p2, p3, 1, 3, 5, 7));
  return f32x4.mul(v128.shuffle<f32>(p01, p23, 0, 2, 4, 6), v128.shuffle<f32>(p01, p23, 1, 3, 5, 7));
}

/** 1 − f_h·w_h of four heads of one cell. */
// @ts-ignore: decorator
@inline
function kept(free: v128, readWeights: usize): v128 {
  return f32x4.sub(splat(1), f32x4.mul(free, v128.load(readWeights)));
}

/**
 * dUsage comes in with respect to u and leaves with respect to u′. Stores dPrevWriteWeights and dFreeGates, adds into
 * dPrevReadWeights. All of them end here: tiny values are flushed. `dRetention` [Np] is scratch.
 */
export function usageBackward(
  dUsage: usize, dPrevWriteWeights: usize, dPrevReadWeights: usize, dFreeGates: usize, dRetention: usize, prevUsage: usize,
  prevWriteWeights: usize, prevReadWeights: usize, freeGates: usize, paddedCells: i32, paddedHeads: i32,
): void {
  const cellBytes = floats(paddedHeads), bytes = floats(paddedCells), one = splat(1);
  let cell = prevReadWeights;
  for (let at: usize = 0; at < bytes; at += VECTOR) {
    const used = v128.load(prevUsage + at), write = v128.load(prevWriteWeights + at), d = v128.load(dUsage + at);
    const unused = f32x4.sub(one, used);
    v128.store(dRetention + at, f32x4.mul(d, f32x4.add(used, f32x4.mul(unused, write)))); // du/dψ
    const dWritten = f32x4.mul(d, retention(cell, freeGates, cellBytes));
    v128.store(dUsage + at, flushTiny(f32x4.mul(dWritten, f32x4.sub(one, write))));
    v128.store(dPrevWriteWeights + at, flushTiny(f32x4.mul(dWritten, unused)));
    cell += 4 * cellBytes;
  }
  for (let at: usize = 0; at < cellBytes; at += VECTOR) {
    v128.store(dFreeGates + at, retentionBackward(dPrevReadWeights, dRetention, prevReadWeights, freeGates, at, cellBytes, paddedCells));
  }
}

/**
 * dψ to the read weights and free gates of the four heads at byte `heads`; returns dFreeGates. A factor's gradient is the product of the
 * others, without a division.
 */
// @ts-ignore: decorator
@inline
function retentionBackward(
  dReadWeights: usize, dRetention: usize, readWeights: usize, freeGates: usize, heads: usize, cellBytes: usize, paddedCells: i32,
): v128 {
  const free = v128.load(freeGates + heads);
  let dFree = zero4();
  for (const end = dRetention + floats(paddedCells); dRetention < end; dRetention += 4) {
    let others = v128.load_splat<f32>(dRetention);
    for (let at: usize = 0; at < cellBytes; at += VECTOR) {
      const x = kept(v128.load(freeGates + at), readWeights + at);
      const swapped = v128.shuffle<f32>(x, x, 1, 0, 3, 2);
      const pairs = f32x4.mul(x, swapped); // 01 01 23 23
      const farPair = v128.shuffle<f32>(pairs, pairs, 2, 3, 0, 1);
      others = f32x4.mul(others, f32x4.mul(at == heads ? swapped : pairs, farPair));
    }
    dFree = f32x4.sub(dFree, f32x4.mul(others, v128.load(readWeights + heads)));
    const dWeights = f32x4.sub(v128.load(dReadWeights + heads), f32x4.mul(others, free));
    v128.store(dReadWeights + heads, flushTiny(dWeights));
    readWeights += cellBytes;
    dReadWeights += cellBytes;
  }
  return dFree;
}
