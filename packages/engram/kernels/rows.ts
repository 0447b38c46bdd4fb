// Sums and copies of rows. Strides are in bytes; unaligned rows are allowed where a width of any size is.
import { accumulate, floats, splat, zero4 } from "./simd";

/** out += x; `count` is a multiple of 4. */
export function addRows(out: usize, x: usize, count: i32): void {
  for (const end = x + floats(count); x < end; x += 16) {
    accumulate(out, v128.load(x));
    out += 16;
  }
}

/** out = factor·x; out may be x; `count` is a multiple of 4. */
export function scaleRows(out: usize, x: usize, factor: f32, count: i32): void {
  const factors = splat(factor);
  for (const end = x + floats(count); x < end; x += 16) {
    v128.store(out, f32x4.mul(v128.load(x), factors));
    out += 16;
  }
}

/** out[j] += Σ over the rows of x[row][j], summed in order; `width` is a multiple of 4. */
export function columnSums(out: usize, x: usize, xStride: usize, rows: i32, width: i32): void {
  const end = out + floats(width);
  const extent = <usize>rows * xStride;
  // Two cache lines of columns at a time: as many sums as it takes to keep the adders busy.
  for (; out + 128 <= end; out += 128) {
    let s0 = zero4(), s1 = zero4(), s2 = zero4(), s3 = zero4(), s4 = zero4(), s5 = zero4(), s6 = zero4(), s7 = zero4();
    for (let row = x, last = x + extent; row < last; row += xStride) {
      s0 = f32x4.add(s0, v128.load(row)); s1 = f32x4.add(s1, v128.load(row, 16));
      s2 = f32x4.add(s2, v128.load(row, 32)); s3 = f32x4.add(s3, v128.load(row, 48));
      s4 = f32x4.add(s4, v128.load(row, 64)); s5 = f32x4.add(s5, v128.load(row, 80));
      s6 = f32x4.add(s6, v128.load(row, 96)); s7 = f32x4.add(s7, v128.load(row, 112));
    }
    accumulate(out, s0); accumulate(out + 16, s1); accumulate(out + 32, s2); accumulate(out + 48, s3);
    accumulate(out + 64, s4); accumulate(out + 80, s5); accumulate(out + 96, s6); accumulate(out + 112, s7);
    x += 128;
  }
  for (; out < end; out += 16) {
    let sum = zero4();
    for (let row = x, last = x + extent; row < last; row += xStride) sum = f32x4.add(sum, v128.load(row));
    accumulate(out, sum);
    x += 16;
  }
}

/** Row i of out is row index[i] of x: `width` floats copied, any number, and zeros up to outStride (a multiple of 4 bytes). */
export function gatherRows(out: usize, outStride: usize, x: usize, xStride: usize, index: usize, rows: i32, width: i32): void {
  const bytes = floats(width);
  for (const end = index + floats(rows); index < end; index += 4) {
    copyRow(out, x + <usize>load<i32>(index) * xStride, bytes);
    for (let at = out + bytes, endOfRow = out + outStride; at < endOfRow; at += 4) store<f32>(at, 0);
    out += outStride;
  }
}

/** Each of the rows of out becomes x: `width` floats, a multiple of 4. */
export function repeatRow(out: usize, x: usize, rows: i32, width: i32): void {
  const bytes = floats(width);
  for (const end = out + <usize>rows * bytes; out < end; out += bytes) memory.copy(out, x, bytes);
}

/** Row index[i] of out becomes the first `width` floats of row i of x; the rest of out's row stays as it is. */
export function scatterRows(out: usize, outStride: usize, x: usize, xStride: usize, index: usize, rows: i32, width: i32): void {
  const bytes = floats(width);
  for (const end = index + floats(rows); index < end; index += 4) {
    copyRow(out + <usize>load<i32>(index) * outStride, x, bytes);
    x += xStride;
  }
}

// @ts-ignore: decorator
@inline
function copyRow(out: usize, x: usize, bytes: usize): void {
  const end = x + bytes;
  for (; x + 16 <= end; x += 16) {
    v128.store(out, v128.load(x));
    out += 16;
  }
  for (; x < end; x += 4) {
    store<f32>(out, load<f32>(x));
    out += 4;
  }
}

/** out[i][j] = 0 for a block of any number of columns. */
export function clearBlock(out: usize, outStride: usize, rows: i32, columns: i32): void {
  const bytes = floats(columns);
  for (const endOfRows = out + <usize>rows * outStride; out < endOfRows; out += outStride) {
    let to = out;
    const end = out + bytes;
    for (; to + 16 <= end; to += 16) v128.store(to, zero4());
    for (; to < end; to += 4) store<f32>(to, 0);
  }
}

/** out[i][j] += x[i][j] for a block of any number of columns (weight gradients back into state-dict layout). */
export function scatterBlock(out: usize, outStride: usize, x: usize, xStride: usize, rows: i32, columns: i32): void {
  const bytes = floats(columns);
  for (const endOfRows = x + <usize>rows * xStride; x < endOfRows; x += xStride) {
    let to = out;
    let from = x;
    const end = x + bytes;
    for (; from + 16 <= end; from += 16) {
      accumulate(to, v128.load(from));
      to += 16;
    }
    for (; from < end; from += 4) {
      store<f32>(to, load<f32>(to) + load<f32>(from));
      to += 4;
    }
    out += outStride;
  }
}
