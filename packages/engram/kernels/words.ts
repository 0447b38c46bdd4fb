// Writing to the memory (models.md §2, step 5): M = M′∘(1 − w eᵀ) + w vᵀ. Reading is headSums (headProducts.ts).
//
// memory [Np, Wp], weights [Np], erase vector e and write vector v [Wp].
import { accumulate, floats, splat, sumLanes, VECTOR, zero4 } from "./simd";

/** Erases, then adds. next may be prev. */
export function writeForward(
  next: usize, prev: usize, writeWeights: usize, eraseVector: usize, writeVector: usize, numRows: i32, width: i32,
): void {
  const bytes = floats(width), one = splat(1);
  for (const end = writeWeights + floats(numRows); writeWeights < end; writeWeights += 4) {
    const w = v128.load_splat<f32>(writeWeights);
    for (let at: usize = 0; at < bytes; at += VECTOR) {
      const kept = f32x4.mul(v128.load(prev + at), f32x4.sub(one, f32x4.mul(w, v128.load(eraseVector + at))));
      v128.store(next + at, f32x4.add(kept, f32x4.mul(w, v128.load(writeVector + at))));
    }
    next += bytes;
    prev += bytes;
  }
}

/**
 * dMemory comes in with respect to M, without the norms' part −shrink_i·M_i (contentAddressing.ts), and leaves with respect to M′.
 * Adds into dWriteWeights; stores dEraseVector and dWriteVector. numRows is even: two rows share the sums over rows.
 */
export function writeBackward(
  dMemory: usize, dWriteWeights: usize, dEraseVector: usize, dWriteVector: usize, shrink: usize, next: usize, prev: usize,
  writeWeights: usize, eraseVector: usize, writeVector: usize, numRows: i32, width: i32,
): void {
  const bytes = floats(width), one = splat(1);
  memory.fill(dEraseVector, 0, bytes);
  memory.fill(dWriteVector, 0, bytes);
  for (const end = writeWeights + floats(numRows); writeWeights < end; writeWeights += 8) {
    const w0 = v128.load_splat<f32>(writeWeights), w1 = v128.load_splat<f32>(writeWeights, 4);
    const z0 = v128.load_splat<f32>(shrink), z1 = v128.load_splat<f32>(shrink, 4);
    let s0 = zero4(), s1 = zero4();
    for (let at: usize = 0; at < bytes; at += VECTOR) {
      const e = v128.load(eraseVector + at), v = v128.load(writeVector + at);
      const g0 = f32x4.sub(v128.load(dMemory + at), f32x4.mul(z0, v128.load(next + at)));
      const t0 = f32x4.mul(g0, v128.load(prev + at));
      s0 = f32x4.add(s0, f32x4.sub(f32x4.mul(g0, v), f32x4.mul(t0, e)));
      v128.store(dMemory + at, f32x4.mul(g0, f32x4.sub(one, f32x4.mul(w0, e))));
      const g1 = f32x4.sub(v128.load(dMemory + at + bytes), f32x4.mul(z1, v128.load(next + at + bytes)));
      const t1 = f32x4.mul(g1, v128.load(prev + at + bytes));
      s1 = f32x4.add(s1, f32x4.sub(f32x4.mul(g1, v), f32x4.mul(t1, e)));
      v128.store(dMemory + at + bytes, f32x4.mul(g1, f32x4.sub(one, f32x4.mul(w1, e))));
      accumulate(dWriteVector + at, f32x4.add(f32x4.mul(w0, g0), f32x4.mul(w1, g1)));
      const erased = f32x4.add(f32x4.mul(w0, t0), f32x4.mul(w1, t1));
      v128.store(dEraseVector + at, f32x4.sub(v128.load(dEraseVector + at), erased));
    }
    store<f32>(dWriteWeights, load<f32>(dWriteWeights) + sumLanes(s0));
    store<f32>(dWriteWeights, load<f32>(dWriteWeights, 4) + sumLanes(s1), 4);
    dWriteWeights += 8;
    shrink += 8;
    dMemory += 2 * bytes;
    next += 2 * bytes;
    prev += 2 * bytes;
  }
}
