// The three products between the rows of a memory and the vectors of its read heads: each is another's backward.
//
// Axes: rows [n, Wp] of the memory (Wp padded), vectors [R, Wp] one a head, weights [n, Rp] with the heads of a row lying together
// (Rp padded to 4). Heads are taken four at a time; each function is written once for up to four heads and inlined for 1, 2, 3
// and 4, `heads` being a constant there. Every row goes through the same operations in the same order.
import { floats, padded, sumLanes4, VECTOR, zero4 } from "./simd";

/** out[i, h] = row i · vector h, lanes of missing heads 0. numRows is even. */
export function headDots(out: usize, rows: usize, vectors: usize, numRows: i32, width: i32, heads: i32): void {
  const outStride = floats(padded(heads));
  for (; heads > 0; heads -= 4) {
    if (heads == 1) headDotsOf(out, outStride, rows, vectors, numRows, width, 1);
    else if (heads == 2) headDotsOf(out, outStride, rows, vectors, numRows, width, 2);
    else if (heads == 3) headDotsOf(out, outStride, rows, vectors, numRows, width, 3);
    else headDotsOf(out, outStride, rows, vectors, numRows, width, 4);
    out += VECTOR;
    vectors += floats(4 * width);
  }
}

// Two rows at a time, so that each load of a vector serves twice.
// @ts-ignore: decorator
@inline
function headDotsOf(out: usize, outStride: usize, rows: usize, vectors: usize, numRows: i32, width: i32, heads: i32): void {
  const stride = floats(width);
  for (const end = out + <usize>numRows * outStride; out < end; out += 2 * outStride) {
    let a0 = zero4(), a1 = zero4(), a2 = zero4(), a3 = zero4();
    let b0 = zero4(), b1 = zero4(), b2 = zero4(), b3 = zero4();
    let vector = vectors;
    for (const rowEnd = rows + stride; rows < rowEnd; rows += VECTOR) {
      const a = v128.load(rows), b = v128.load(rows + stride);
      let x = v128.load(vector);
      a0 = f32x4.add(a0, f32x4.mul(a, x)); b0 = f32x4.add(b0, f32x4.mul(b, x));
      if (heads > 1) {
        x = v128.load(vector + stride);
        a1 = f32x4.add(a1, f32x4.mul(a, x)); b1 = f32x4.add(b1, f32x4.mul(b, x));
      }
      if (heads > 2) {
        x = v128.load(vector + 2 * stride);
        a2 = f32x4.add(a2, f32x4.mul(a, x)); b2 = f32x4.add(b2, f32x4.mul(b, x));
      }
      if (heads > 3) {
        x = v128.load(vector + 3 * stride);
        a3 = f32x4.add(a3, f32x4.mul(a, x)); b3 = f32x4.add(b3, f32x4.mul(b, x));
      }
      vector += VECTOR;
    }
    rows += stride;
    v128.store(out, sumLanes4(a0, a1, a2, a3));
    v128.store(out + outStride, sumLanes4(b0, b1, b2, b3));
  }
}

/** out[h] = Σ_i weights[i, h]·row i. */
export function headSums(out: usize, rows: usize, weights: usize, numRows: i32, width: i32, heads: i32): void {
  const weightStride = floats(padded(heads));
  for (; heads > 0; heads -= 4) {
    if (heads == 1) headSumsOf(out, rows, weights, weightStride, numRows, width, 1);
    else if (heads == 2) headSumsOf(out, rows, weights, weightStride, numRows, width, 2);
    else if (heads == 3) headSumsOf(out, rows, weights, weightStride, numRows, width, 3);
    else headSumsOf(out, rows, weights, weightStride, numRows, width, 4);
    out += floats(4 * width);
    weights += VECTOR;
  }
}

// @ts-ignore: decorator
@inline
function headSumsOf(out: usize, rows: usize, weights: usize, weightStride: usize, numRows: i32, width: i32, heads: i32): void {
  const stride = floats(width), weightsEnd = weights + <usize>numRows * weightStride;
  let column: usize = 0;
  for (; column + 2 * VECTOR <= stride; column += 2 * VECTOR) {
    let a0 = zero4(), a1 = zero4(), a2 = zero4(), a3 = zero4();
    let b0 = zero4(), b1 = zero4(), b2 = zero4(), b3 = zero4();
    let row = rows + column;
    for (let w = weights; w < weightsEnd; w += weightStride) {
      const a = v128.load(row), b = v128.load(row, 16);
      let x = v128.load_splat<f32>(w);
      a0 = f32x4.add(a0, f32x4.mul(a, x)); b0 = f32x4.add(b0, f32x4.mul(b, x));
      if (heads > 1) {
        x = v128.load_splat<f32>(w, 4);
        a1 = f32x4.add(a1, f32x4.mul(a, x)); b1 = f32x4.add(b1, f32x4.mul(b, x));
      }
      if (heads > 2) {
        x = v128.load_splat<f32>(w, 8);
        a2 = f32x4.add(a2, f32x4.mul(a, x)); b2 = f32x4.add(b2, f32x4.mul(b, x));
      }
      if (heads > 3) {
        x = v128.load_splat<f32>(w, 12);
        a3 = f32x4.add(a3, f32x4.mul(a, x)); b3 = f32x4.add(b3, f32x4.mul(b, x));
      }
      row += stride;
    }
    storeHeads(out + column, stride, a0, a1, a2, a3, heads);
    storeHeads(out + column + VECTOR, stride, b0, b1, b2, b3, heads);
  }
  if (column < stride) {
    let a0 = zero4(), a1 = zero4(), a2 = zero4(), a3 = zero4();
    let row = rows + column;
    for (let w = weights; w < weightsEnd; w += weightStride) {
      const a = v128.load(row);
      a0 = f32x4.add(a0, f32x4.mul(a, v128.load_splat<f32>(w)));
      if (heads > 1) a1 = f32x4.add(a1, f32x4.mul(a, v128.load_splat<f32>(w, 4)));
      if (heads > 2) a2 = f32x4.add(a2, f32x4.mul(a, v128.load_splat<f32>(w, 8)));
      if (heads > 3) a3 = f32x4.add(a3, f32x4.mul(a, v128.load_splat<f32>(w, 12)));
      row += stride;
    }
    storeHeads(out + column, stride, a0, a1, a2, a3, heads);
  }
}

// @ts-ignore: decorator
@inline
function storeHeads(out: usize, stride: usize, x0: v128, x1: v128, x2: v128, x3: v128, heads: i32): void {
  v128.store(out, x0);
  if (heads > 1) v128.store(out + stride, x1);
  if (heads > 2) v128.store(out + 2 * stride, x2);
  if (heads > 3) v128.store(out + 3 * stride, x3);
}

/** row i += Σ_h weights[i, h]·vector h. */
export function addHeadOuter(rows: usize, weights: usize, vectors: usize, numRows: i32, width: i32, heads: i32): void {
  const weightStride = floats(padded(heads));
  for (; heads > 0; heads -= 4) {
    if (heads == 1) addHeadOuterOf(rows, weights, weightStride, vectors, numRows, width, 1);
    else if (heads == 2) addHeadOuterOf(rows, weights, weightStride, vectors, numRows, width, 2);
    else if (heads == 3) addHeadOuterOf(rows, weights, weightStride, vectors, numRows, width, 3);
    else addHeadOuterOf(rows, weights, weightStride, vectors, numRows, width, 4);
    weights += VECTOR;
    vectors += floats(4 * width);
  }
}

// @ts-ignore: decorator
@inline
function addHeadOuterOf(
  rows: usize, weights: usize, weightStride: usize, vectors: usize, numRows: i32, width: i32, heads: i32,
): void {
  const stride = floats(width), weightsEnd = weights + <usize>numRows * weightStride;
  let column: usize = 0;
  for (; column + VECTOR < stride; column += 2 * VECTOR) {
    const vector = vectors + column;
    const a0 = v128.load(vector), b0 = v128.load(vector, 16);
    const a1 = heads > 1 ? v128.load(vector + stride) : a0, b1 = heads > 1 ? v128.load(vector + stride, 16) : b0;
    const a2 = heads > 2 ? v128.load(vector + 2 * stride) : a0, b2 = heads > 2 ? v128.load(vector + 2 * stride, 16) : b0;
    const a3 = heads > 3 ? v128.load(vector + 3 * stride) : a0, b3 = heads > 3 ? v128.load(vector + 3 * stride, 16) : b0;
    let row = rows + column;
    for (let at = weights; at < weightsEnd; at += weightStride) {
      let w = v128.load_splat<f32>(at);
      let a = f32x4.add(v128.load(row), f32x4.mul(w, a0)), b = f32x4.add(v128.load(row, 16), f32x4.mul(w, b0));
      if (heads > 1) {
        w = v128.load_splat<f32>(at, 4);
        a = f32x4.add(a, f32x4.mul(w, a1)); b = f32x4.add(b, f32x4.mul(w, b1));
      }
      if (heads > 2) {
        w = v128.load_splat<f32>(at, 8);
        a = f32x4.add(a, f32x4.mul(w, a2)); b = f32x4.add(b, f32x4.mul(w, b2));
      }
      if (heads > 3) {
        w = v128.load_splat<f32>(at, 12);
        a = f32x4.add(a, f32x4.mul(w, a3)); b = f32x4.add(b, f32x4.mul(w, b3));
      }
      v128.store(row, a);
      v128.store(row, b, 16);
      row += stride;
    }
  }
  if (column < stride) {
    const vector = vectors + column;
    const a0 = v128.load(vector);
    const a1 = heads > 1 ? v128.load(vector + stride) : a0;
    const a2 = heads > 2 ? v128.load(vector + 2 * stride) : a0;
    const a3 = heads > 3 ? v128.load(vector + 3 * stride) : a0;
    let row = rows + column;
    for (let at = weights; at < weightsEnd; at += weightStride) {
      let a = f32x4.add(v128.load(row), f32x4.mul(v128.load_splat<f32>(at), a0));
      if (heads > 1) a = f32x4.add(a, f32x4.mul(v128.load_splat<f32>(at, 4), a1));
      if (heads > 2) a = f32x4.add(a, f32x4.mul(v128.load_splat<f32>(at, 8), a2));
      if (heads > 3) a = f32x4.add(a, f32x4.mul(v128.load_splat<f32>(at, 12), a3));
      v128.store(row, a);
      row += stride;
    }
  }
}
