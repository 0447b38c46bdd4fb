// Writing to the memory (models.md §2, step 5): M = M′∘(1 − w eᵀ) + w vᵀ. Reading is headSums (headProducts.ts).
//
// memory [Np, Wp], weights [Np], erase vector e and write vector v [Wp].
import { inverseRoots } from "./contentAddressing";
import { accumulate, clear, floats, splat, sumLanes, sumLanes4, VECTOR, zero4 } from "./simd";

/** Erases, then adds; norms[i] = 1/√(|M_i|² + ε) as inverseNorms gives them. next may be prev; numRows is a multiple of 4. */
export function writeForward(
  next: usize, norms: usize, prev: usize, writeWeights: usize, eraseVector: usize, writeVector: usize, numRows: i32, width: i32,
): void {
  const bytes = floats(width);
  for (const end = writeWeights + floats(numRows); writeWeights < end; writeWeights += VECTOR) {
    const w0 = v128.load_splat<f32>(writeWeights), w1 = v128.load_splat<f32>(writeWeights, 4);
    const w2 = v128.load_splat<f32>(writeWeights, 8), w3 = v128.load_splat<f32>(writeWeights, 12);
    let s0 = zero4(), s1 = zero4(), s2 = zero4(), s3 = zero4();
    for (let at: usize = 0; at < bytes; at += VECTOR) {
      const e = v128.load(eraseVector + at), v = v128.load(writeVector + at);
      let to = next + at, from = prev + at;
      const x0 = written(w0, e, v, from);
      v128.store(to, x0);
      s0 = f32x4.add(s0, f32x4.mul(x0, x0));
      to += bytes; from += bytes;
      const x1 = written(w1, e, v, from);
      v128.store(to, x1);
      s1 = f32x4.add(s1, f32x4.mul(x1, x1));
      to += bytes; from += bytes;
      const x2 = written(w2, e, v, from);
      v128.store(to, x2);
      s2 = f32x4.add(s2, f32x4.mul(x2, x2));
      to += bytes; from += bytes;
      const x3 = written(w3, e, v, from);
      v128.store(to, x3);
      s3 = f32x4.add(s3, f32x4.mul(x3, x3));
    }
    v128.store(norms, inverseRoots(sumLanes4(s0, s1, s2, s3)));
    norms += VECTOR;
    next += 4 * bytes;
    prev += 4 * bytes;
  }
}

// @ts-ignore: decorator
@inline
function written(w: v128, erase: v128, write: v128, prev: usize): v128 {
  const kept = f32x4.mul(v128.load(prev), f32x4.sub(splat(1), f32x4.mul(w, erase)));
  return f32x4.add(kept, f32x4.mul(w, write));
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
  clear(dEraseVector, bytes);
  clear(dWriteVector, bytes);
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
