// Looking cells up by content (models.md §1): D(M_i, k) = M_i·k · m_i · κ with m_i = 1/√(|M_i|² + ε), κ = 1/√(|k|² + ε), then a
// softmax over the cells of β·D.
//
// Axes: N cells (Np padded), W cell size (Wp padded), R heads (Rp padded to 4). memory [Np, Wp], keys [R, Wp]; what a cell has
// for each head lies together, [Np, Rp] ("heads in lanes"), so a softmax over cells runs straight down with four heads in a
// vector. The write head has one value a cell, [Np]. Padding of memory and keys is zero. Every row of the memory goes through the
// same operations in the same order, so equal rows get equal bits.
import { expOfNegative4 } from "./functions";
import { floats, flushTiny, splat, sumLanes, sumLanes4, VECTOR, zero4 } from "./simd";

/** Stands under both roots: keeps values and gradients finite on empty rows. */
const EPSILON: f32 = 1e-6;

/** out[i] = 1/√(|row i|² + ε), for numRows (a multiple of 4) rows of `width`. */
export function inverseNorms(out: usize, rows: usize, numRows: i32, width: i32): void {
  const stride = floats(width);
  for (const end = out + floats(numRows); out < end; out += VECTOR) {
    let s0 = zero4(), s1 = zero4(), s2 = zero4(), s3 = zero4();
    for (const rowEnd = rows + stride; rows < rowEnd; rows += VECTOR) {
      let x = v128.load(rows);
      s0 = f32x4.add(s0, f32x4.mul(x, x));
      x = v128.load(rows + stride);
      s1 = f32x4.add(s1, f32x4.mul(x, x));
      x = v128.load(rows + 2 * stride);
      s2 = f32x4.add(s2, f32x4.mul(x, x));
      x = v128.load(rows + 3 * stride);
      s3 = f32x4.add(s3, f32x4.mul(x, x));
    }
    rows += 3 * stride;
    v128.store(out, inverseRoots(sumLanes4(s0, s1, s2, s3)));
  }
}

/** 1/√(squares + ε) */
// @ts-ignore: decorator
@inline
export function inverseRoots(squares: v128): v128 {
  return f32x4.div(splat(1), f32x4.sqrt(f32x4.add(squares, splat(EPSILON))));
}

/** κ of one key. */
export function inverseNorm(key: usize, width: i32): f32 {
  let s = zero4();
  for (const end = key + floats(width); key < end; key += VECTOR) {
    const x = v128.load(key);
    s = f32x4.add(s, f32x4.mul(x, x));
  }
  return 1 / sqrt<f32>(sumLanes(s) + EPSILON);
}

/** out[i] = row i · key, for numRows (a multiple of 4) rows. */
export function rowDots(out: usize, rows: usize, key: usize, numRows: i32, width: i32): void {
  const stride = floats(width);
  for (const end = out + floats(numRows); out < end; out += VECTOR) {
    let s0 = zero4(), s1 = zero4(), s2 = zero4(), s3 = zero4();
    let k = key;
    for (const rowEnd = rows + stride; rows < rowEnd; rows += VECTOR) {
      const x = v128.load(k);
      s0 = f32x4.add(s0, f32x4.mul(x, v128.load(rows)));
      s1 = f32x4.add(s1, f32x4.mul(x, v128.load(rows + stride)));
      s2 = f32x4.add(s2, f32x4.mul(x, v128.load(rows + 2 * stride)));
      s3 = f32x4.add(s3, f32x4.mul(x, v128.load(rows + 3 * stride)));
      k += VECTOR;
    }
    rows += 3 * stride;
    v128.store(out, sumLanes4(s0, s1, s2, s3));
  }
}

/**
 * The write head's content weighting: c = softmax_i(β·D_i). `similarity` [Np] holds the dots M_i·k and gets D; padding of both
 * outputs is 0. β = *strength, κ = *keyNorm.
 */
export function contentForward(
  content: usize, similarity: usize, inverseNorms: usize, keyNorm: usize, strength: usize, cells: i32, paddedCells: i32,
): void {
  const scale = v128.load_splat<f32>(keyNorm), beta = v128.load_splat<f32>(strength);
  const bytes = floats(paddedCells), last = bytes - VECTOR;
  for (let at: usize = 0; at < bytes; at += VECTOR) {
    v128.store(similarity + at, f32x4.mul(f32x4.mul(v128.load(similarity + at), v128.load(inverseNorms + at)), scale));
  }
  const isReal = realLanes(cells);
  let largest = v128.bitselect(f32x4.mul(beta, v128.load(similarity + last)), splat(-Infinity), isReal);
  for (let at: usize = 0; at < last; at += VECTOR) largest = f32x4.pmax(largest, f32x4.mul(beta, v128.load(similarity + at)));
  largest = f32x4.pmax(largest, v128.shuffle<f32>(largest, largest, 2, 3, 0, 1));
  largest = f32x4.pmax(largest, v128.shuffle<f32>(largest, largest, 1, 0, 3, 2));
  powers(content, similarity, bytes, VECTOR, beta, largest);
  v128.store(content + last, v128.and(v128.load(content + last), isReal));
  let sum = zero4();
  for (let at: usize = 0; at < bytes; at += VECTOR) sum = f32x4.add(sum, v128.load(content + at));
  const share = splat(1 / sumLanes(sum));
  for (let at: usize = 0; at < bytes; at += VECTOR) v128.store(content + at, f32x4.mul(v128.load(content + at), share));
}

/** out = exp(β·D − largest), vectors `stride` apart. pmax above and the clamp here let a NaN among the D through to the sum. */
// @ts-ignore: decorator
@inline
function powers(out: usize, similarity: usize, bytes: usize, stride: usize, beta: v128, largest: v128): void {
  let at: usize = 0;
  for (; at + stride < bytes; at += 2 * stride) {
    // Two at a time: half the constants to set up.
    const x = expOfNegative4(f32x4.sub(f32x4.mul(beta, v128.load(similarity + at)), largest));
    const y = expOfNegative4(f32x4.sub(f32x4.mul(beta, v128.load(similarity + at + stride)), largest));
    v128.store(out + at, x);
    v128.store(out + at + stride, y);
  }
  if (at < bytes) v128.store(out + at, expOfNegative4(f32x4.sub(f32x4.mul(beta, v128.load(similarity + at)), largest)));
}

/**
 * Undoes contentForward from dContent (= dc): dStrength (stored), and for the dots q_i = dD_i·m_i·κ, with which
 * dM_i += q_i·k − z_i·M_i, z_i = dD_i·D_i·m_i², and dk = Σ q_i·M_i − κ²·k·Σ dD_i·D_i. Returns that last sum.
 */
export function contentBackward(
  dDots: usize, shrink: usize, dStrength: usize, dContent: usize, content: usize, similarity: usize, inverseNorms: usize,
  keyNorm: usize, strength: usize, paddedCells: i32,
): f32 {
  const bytes = floats(paddedCells);
  const scale = v128.load_splat<f32>(keyNorm), beta = v128.load_splat<f32>(strength);
  let sum = zero4();
  for (let at: usize = 0; at < bytes; at += VECTOR) {
    sum = f32x4.add(sum, f32x4.mul(v128.load(content + at), v128.load(dContent + at)));
  }
  const mean = splat(sumLanes(sum));
  let slope = zero4();
  for (let at: usize = 0; at < bytes; at += VECTOR) {
    const dScore = f32x4.mul(v128.load(content + at), f32x4.sub(v128.load(dContent + at), mean));
    const d = v128.load(similarity + at), norm = v128.load(inverseNorms + at);
    slope = f32x4.add(slope, f32x4.mul(dScore, d));
    const dSimilarity = f32x4.mul(f32x4.mul(dScore, beta), norm);
    v128.store(dDots + at, f32x4.mul(dSimilarity, scale));
    v128.store(shrink + at, f32x4.mul(f32x4.mul(dSimilarity, d), norm));
  }
  const dBeta = sumLanes(slope);
  store<f32>(dStrength, dBeta);
  return dBeta * load<f32>(strength);
}

/** Lanes of the last vector of N values that are not padding, all bits set. */
// @ts-ignore: decorator
@inline
export function realLanes(n: i32): v128 {
  return i32x4.gt_s(i32x4.splat(n - (((n + 3) & ~3) - 4)), i32x4(0, 1, 2, 3));
}

/**
 * The read heads' content weightings of four heads: c_h = softmax_i(β_h·D_hi), down the cells. `similarity` [Np, Rp] holds dots and
 * gets D. Pointers stand at the four heads; stride in bytes. Rows of padding are set to 0 in `content`.
 */
export function headContentForward(
  content: usize, similarity: usize, stride: usize, inverseNorms: usize, keyNorms: usize, strengths: usize, cells: i32, paddedCells: i32,
): void {
  const scale = v128.load(keyNorms), beta = v128.load(strengths);
  const bytes = <usize>cells * stride, paddedBytes = <usize>paddedCells * stride;
  let largest = splat(-Infinity);
  for (let at: usize = 0; at < bytes; at += stride) {
    const d = f32x4.mul(f32x4.mul(v128.load(similarity + at), v128.load_splat<f32>(inverseNorms)), scale);
    inverseNorms += 4;
    v128.store(similarity + at, d);
    largest = f32x4.pmax(largest, f32x4.mul(beta, d));
  }
  powers(content, similarity, bytes, stride, beta, largest);
  let sum = zero4();
  for (let at: usize = 0; at < bytes; at += stride) sum = f32x4.add(sum, v128.load(content + at));
  const share = f32x4.div(splat(1), sum);
  for (let at: usize = 0; at < bytes; at += stride) v128.store(content + at, f32x4.mul(v128.load(content + at), share));
  for (let at = bytes; at < paddedBytes; at += stride) v128.store(content + at, zero4());
}

/**
 * Undoes headContentForward and the mode π in front of it, of four heads: dw = dReadWeights [Np, Rp], of which content gets π∘dw. Stores
 * dMode (Σ_i c·dw), dStrengths, and dDots as contentBackward does; stores (first four heads) or adds to `shrink` [Np].
 */
export function headContentBackward(
  dDots: usize, shrink: usize, isFirst: bool, dMode: usize, dStrengths: usize, dReadWeights: usize, mode: usize, content: usize,
  similarity: usize, stride: usize, inverseNorms: usize, keyNorms: usize, strengths: usize, paddedCells: i32,
): void {
  const bytes = <usize>paddedCells * stride;
  let mean = zero4();
  for (let at: usize = 0; at < bytes; at += stride) {
    mean = f32x4.add(mean, f32x4.mul(v128.load(content + at), v128.load(dReadWeights + at)));
  }
  v128.store(dMode, mean);
  const share = v128.load(mode), beta = v128.load(strengths);
  const dotScale = f32x4.mul(v128.load(keyNorms), beta);
  let slope = zero4();
  for (let at: usize = 0; at < bytes; at += 4 * stride) {
    const s0 = scoreBackward(dDots, dReadWeights, content, similarity, at, inverseNorms, mean, share, dotScale);
    const s1 = scoreBackward(dDots, dReadWeights, content, similarity, at + stride, inverseNorms + 4, mean, share, dotScale);
    const s2 = scoreBackward(dDots, dReadWeights, content, similarity, at + 2 * stride, inverseNorms + 8, mean, share, dotScale);
    const s3 = scoreBackward(dDots, dReadWeights, content, similarity, at + 3 * stride, inverseNorms + 12, mean, share, dotScale);
    slope = f32x4.add(slope, f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
    const norms = v128.load(inverseNorms);
    const products = sumLanes4(f32x4.mul(s0, beta), f32x4.mul(s1, beta), f32x4.mul(s2, beta), f32x4.mul(s3, beta));
    const z = f32x4.mul(f32x4.mul(products, norms), norms);
    v128.store(shrink, isFirst ? z : f32x4.add(v128.load(shrink), z));
    inverseNorms += VECTOR;
    shrink += VECTOR;
  }
  v128.store(dStrengths, slope);
}

/** One cell of it: stores dDots, returns dscore·D. */
// @ts-ignore: decorator
@inline
function scoreBackward(
  dDots: usize, dReadWeights: usize, content: usize, similarity: usize, at: usize, inverseNorm: usize, mean: v128, share: v128,
  dotScale: v128,
): v128 {
  const dScore = f32x4.mul(f32x4.mul(share, v128.load(content + at)), f32x4.sub(v128.load(dReadWeights + at), mean));
  v128.store(dDots + at, f32x4.mul(f32x4.mul(dScore, dotScale), v128.load_splat<f32>(inverseNorm)));
  return f32x4.mul(dScore, v128.load(similarity + at));
}

/** dk −= κ²·k·sum: what a key's own norm adds, sum = Σ_i dD_i·D_i. */
export function keyNormBackward(dKey: usize, key: usize, keyNorm: f32, sum: f32, width: i32): void {
  const factor = splat(keyNorm * keyNorm * sum);
  for (const end = key + floats(width); key < end; key += VECTOR) {
    v128.store(dKey, f32x4.sub(v128.load(dKey), f32x4.mul(factor, v128.load(key))));
    dKey += VECTOR;
  }
}

/** dM_i += q_i·k − z_i·M_i and dk = Σ_i q_i·M_i for one key: undoes rowDots and the rows' norms. Ends the gradient of M: flushes it. */
export function rowDotsBackward(
  dRows: usize, dKey: usize, dDots: usize, shrink: usize, rows: usize, key: usize, numRows: i32, width: i32,
): void {
  const stride = floats(width);
  let column: usize = 0;
  for (; column + VECTOR < stride; column += 2 * VECTOR) {
    const k0 = v128.load(key + column), k1 = v128.load(key + column, 16);
    let s0 = zero4(), s1 = zero4();
    let row = rows + column, dRow = dRows + column, z = shrink;
    for (let q = dDots, end = dDots + floats(numRows); q < end; q += 4) {
      const x0 = v128.load(row), x1 = v128.load(row, 16), dDot = v128.load_splat<f32>(q), shrunk = v128.load_splat<f32>(z);
      s0 = f32x4.add(s0, f32x4.mul(dDot, x0));
      s1 = f32x4.add(s1, f32x4.mul(dDot, x1));
      v128.store(dRow, flushTiny(rowGradient(v128.load(dRow), dDot, k0, shrunk, x0)));
      v128.store(dRow, flushTiny(rowGradient(v128.load(dRow, 16), dDot, k1, shrunk, x1)), 16);
      row += stride; dRow += stride; z += 4;
    }
    v128.store(dKey + column, s0);
    v128.store(dKey + column, s1, 16);
  }
  if (column < stride) {
    const k = v128.load(key + column);
    let s = zero4();
    let row = rows + column, dRow = dRows + column, z = shrink;
    for (let q = dDots, end = dDots + floats(numRows); q < end; q += 4) {
      const x = v128.load(row), dDot = v128.load_splat<f32>(q);
      s = f32x4.add(s, f32x4.mul(dDot, x));
      v128.store(dRow, flushTiny(rowGradient(v128.load(dRow), dDot, k, v128.load_splat<f32>(z), x)));
      row += stride; dRow += stride; z += 4;
    }
    v128.store(dKey + column, s);
  }
}

// @ts-ignore: decorator
@inline
function rowGradient(d: v128, dDot: v128, key: v128, shrink: v128, row: v128): v128 {
  return f32x4.sub(f32x4.add(d, f32x4.mul(dDot, key)), f32x4.mul(shrink, row));
}
