// Reading by content (models.md §3, step 4): a head's K most similar cells, and over those c = softmax(β D).
// The choice of cells is a constant to the gradient.
import { expOfNegative4 } from "./functions";
import { mostSimilarByCode } from "./quantizedSearch";
import { accumulate, floats, padded, splat, sumLanes, zero4 } from "./simd";
import { SparseMemory } from "./sparseLayout";
import { mostSimilar } from "./topK";
import { inverseNorm, touchNext, TouchedRows } from "./touchedRows";

/** Fills the record's content rows and weights, similarities and query norms, and touches the untouched cells that were chosen. */
export function readContent(s: SparseMemory, rows: TouchedRows, record: usize, xi: usize): void {
  const rowBytes = floats(s.wordWidth);
  for (let h = 0, q = xi, to = s.queries; h < s.heads; h++, q += rowBytes, to += rowBytes) {
    store<f32>(record + s.queryNorms + floats(h), normalize(to, q, rowBytes));
  }
  if (s.codeBytes == 0 || !mostSimilarByCode(s, record + s.contentRows, record + s.similarities, rows)) {
    mostSimilar(record + s.contentRows, record + s.similarities, rows, s.queries, s.untouchedCells, s.heads, s.reads, s.wordWidth);
  }
  touchChosen(s, rows, record + s.contentRows);
  const stride = floats(s.contentStride);
  for (let h = 0, at: usize = 0; h < s.heads; h++, at += stride) {
    softmax(record + s.contentWeights + at, record + s.similarities + at, load<f32>(xi + s.strengths + floats(h)), s.reads);
  }
}

/** out = q / sqrt(|q|^2 + EPSILON); returns the factor. */
// @ts-ignore: decorator
@inline
function normalize(out: usize, q: usize, rowBytes: usize): f32 {
  let sum = zero4();
  for (let at: usize = 0; at < rowBytes; at += 16) {
    const x = v128.load(q + at);
    sum = f32x4.add(sum, f32x4.mul(x, x));
  }
  const norm = inverseNorm(sumLanes(sum));
  for (let at: usize = 0; at < rowBytes; at += 16) v128.store(out + at, f32x4.mul(v128.load(q + at), splat(norm)));
  return norm;
}

/** Each head that chose untouched cells chose the first few: all it takes is to touch as many as any head chose. */
// @ts-ignore: decorator
@inline
function touchChosen(s: SparseMemory, rows: TouchedRows, contentRows: usize): void {
  const stride = floats(s.contentStride);
  const end = contentRows + <usize>s.heads * stride;
  let chosen = 0;
  for (let list = contentRows; list < end; list += stride) {
    for (let at = list, last = list + floats(s.reads); at < last; at += 4) chosen = max(chosen, -load<i32>(at));
  }
  if (chosen == 0) return;
  const first = rows.touched;
  for (let j = 0; j < chosen; j++) touchNext(rows, s.wordWidth);
  for (let list = contentRows; list < end; list += stride) {
    for (let at = list, last = list + floats(s.reads); at < last; at += 4) {
      const row = load<i32>(at);
      if (row < 0) store<i32>(at, first - 1 - row);
    }
  }
}

/** weights = softmax(strength · scores) of `count` scores in falling order; zeroes the padding of both. */
// @ts-ignore: decorator
@inline
function softmax(weights: usize, scores: usize, strength: f32, count: i32): void {
  const end = floats(count), paddedEnd = floats(padded(count));
  for (let at = end; at < paddedEnd; at += 4) store<f32>(scores + at, 0);
  const largest = strength * load<f32>(scores);
  let at: usize = 0;
  do {
    v128.store(weights + at, expOfNegative4(f32x4.sub(f32x4.mul(splat(strength), v128.load(scores + at)), splat(largest))));
    at += 16;
  } while (at < end);
  for (at = end; at < paddedEnd; at += 4) store<f32>(weights + at, 0);
  let sum = zero4();
  for (at = 0; at < end; at += 16) sum = f32x4.add(sum, v128.load(weights + at));
  const total = splat(sumLanes(sum));
  for (at = 0; at < end; at += 16) v128.store(weights + at, f32x4.div(v128.load(weights + at), total));
}

/** From head h's gradient of its content weights, dContent [Kp] (padding finite): adds to dq, sets dβ, adds to the rows' gradients. */
export function contentBackward(s: SparseMemory, dxi: usize, dContent: usize, rows: TouchedRows, record: usize, xi: usize, h: i32): void {
  const list = <usize>h * floats(s.contentStride);
  const strength = load<f32>(xi + s.strengths + floats(h));
  const scores = record + s.similarities + list;
  store<f32>(dxi + s.strengths + floats(h), softmaxBackward(s.dSimilarities, dContent, record + s.contentWeights + list, scores, strength, s.reads));
  const rowBytes = floats(s.wordWidth);
  const q = xi + <usize>h * rowBytes, dq = dxi + <usize>h * rowBytes;
  const queryNorm = load<f32>(record + s.queryNorms + floats(h));
  let dQueryNorm: f32 = 0;
  for (let k = 0; k < s.reads; k++) {
    const slot = load<i32>(rows.slots + floats(load<i32>(record + s.contentRows + list + floats(k)))) - 1;
    const rowNorm = load<f32>(rows.workNorms + floats(slot));
    const d = load<f32>(s.dSimilarities + floats(k));
    const dD = d * load<f32>(scores + floats(k));
    dQueryNorm += dD;
    similarityBackward(rows.work + <usize>slot * 2 * rowBytes, q, dq, d * rowNorm * queryNorm, -dD * rowNorm * rowNorm, rowBytes);
  }
  const factor = splat(-dQueryNorm * queryNorm * queryNorm);
  for (let at: usize = 0; at < rowBytes; at += 16) accumulate(dq + at, f32x4.mul(factor, v128.load(q + at)));
}

/** dD = β dx with dx = c (dc - sum c dc); returns dβ = sum dx D. */
// @ts-ignore: decorator
@inline
function softmaxBackward(dScores: usize, dWeights: usize, weights: usize, scores: usize, strength: f32, count: i32): f32 {
  const end = floats(count);
  let dot = zero4(), dStrength = zero4();
  for (let at: usize = 0; at < end; at += 16) dot = f32x4.add(dot, f32x4.mul(v128.load(weights + at), v128.load(dWeights + at)));
  const mean = splat(sumLanes(dot));
  for (let at: usize = 0; at < end; at += 16) {
    const dx = f32x4.mul(v128.load(weights + at), f32x4.sub(v128.load(dWeights + at), mean));
    dStrength = f32x4.add(dStrength, f32x4.mul(dx, v128.load(scores + at)));
    v128.store(dScores + at, f32x4.mul(splat(strength), dx));
  }
  return sumLanes(dStrength);
}

/** D = (M·q) / (|M| |q|): dM += dot q + norm M and dq += dot M, `dot` the gradient of the product and `norm` what goes through |M|. */
// @ts-ignore: decorator
@inline
function similarityBackward(m: usize, q: usize, dq: usize, dot: f32, norm: f32, rowBytes: usize): void {
  let d = m + rowBytes;
  const end = d;
  do {
    const x = v128.load(m);
    accumulate(d, f32x4.add(f32x4.mul(splat(dot), v128.load(q)), f32x4.mul(splat(norm), x)));
    accumulate(dq, f32x4.mul(splat(dot), x));
    m += 16; d += 16; q += 16; dq += 16;
  } while (m < end);
}
