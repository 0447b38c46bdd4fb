// Reading along the links with weights v, both ways in one pass over L: L·v (along rows) and Lᵀ·v (along columns), of R heads at once.
//
// L [Np, Np] row-major, taken four rows at a time, so that the sums down the columns are loaded and stored once in four rows. v, L·v and
// Lᵀ·v are [Np, Rp], the heads of a cell lying together: each link is spread over the lanes and multiplies four heads of a cell. With
// one or two heads that would leave half the lanes idle: there two cells of two heads fill a vector (`pairs` [Np, 2]).
import { clear, floats, padded, VECTOR, zero4 } from "./simd";

/** Before the rows, in order. Makes alongColumns 0; for up to two heads fills `pairs` [Np, 2], else does not need it. */
export function startReads(alongColumns: usize, pairs: usize, v: usize, paddedCells: i32, heads: i32): void {
  clear(alongColumns, <usize>paddedCells * floats(padded(heads)));
  if (heads > 2) return;
  for (const end = v + <usize>paddedCells * VECTOR; v < end; v += VECTOR) {
    v128.store_lane<f64>(pairs, v128.load(v), 0);
    pairs += 8;
  }
}

/** Rows i … i+3 of L, at `rows`: stores their alongRows, adds to alongColumns. */
export function readRows(
  alongRows: usize, alongColumns: usize, rows: usize, v: usize, pairs: usize, i: i32, paddedCells: i32, heads: i32,
): void {
  const stride = floats(paddedCells), cellBytes = floats(padded(heads)), mine = <usize>i * cellBytes;
  if (heads <= 2) {
    readRowsInPairs(alongRows + mine, alongColumns, rows, v + mine, pairs, stride);
  } else {
    for (let h: usize = 0; h < cellBytes; h += VECTOR) {
      readRowsOf(alongRows + h, alongColumns + h, rows, v + h, mine, stride, cellBytes);
    }
  }
}

/** After the rows: with up to two heads the sums of the columns still lie in pairs. */
export function endReads(alongColumns: usize, paddedCells: i32, heads: i32): void {
  if (heads > 2) return;
  for (let i: usize = paddedCells; i > 0; ) {
    i--;
    v128.store(alongColumns + i * VECTOR, v128.load64_zero(alongColumns + i * 8)); // from the end: nothing is written over before it is read
  }
}

function readRowsOf(alongRows: usize, alongColumns: usize, rows: usize, v: usize, mine: usize, stride: usize, cellBytes: usize): void {
  const v0 = v128.load(v + mine), v1 = v128.load(v + mine + cellBytes);
  const v2 = v128.load(v + mine + 2 * cellBytes), v3 = v128.load(v + mine + 3 * cellBytes);
  let s0 = zero4(), s1 = zero4(), s2 = zero4(), s3 = zero4();
  for (const end = rows + stride; rows < end; rows += 4) {
    const x = v128.load(v);
    let sum = v128.load(alongColumns);
    let link = v128.load_splat<f32>(rows);
    s0 = f32x4.add(s0, f32x4.mul(link, x)); sum = f32x4.add(sum, f32x4.mul(link, v0));
    link = v128.load_splat<f32>(rows + stride);
    s1 = f32x4.add(s1, f32x4.mul(link, x)); sum = f32x4.add(sum, f32x4.mul(link, v1));
    link = v128.load_splat<f32>(rows + 2 * stride);
    s2 = f32x4.add(s2, f32x4.mul(link, x)); sum = f32x4.add(sum, f32x4.mul(link, v2));
    link = v128.load_splat<f32>(rows + 3 * stride);
    s3 = f32x4.add(s3, f32x4.mul(link, x)); sum = f32x4.add(sum, f32x4.mul(link, v3));
    v128.store(alongColumns, sum);
    v += cellBytes;
    alongColumns += cellBytes;
  }
  const to = alongRows + mine;
  v128.store(to, s0);
  v128.store(to + cellBytes, s1);
  v128.store(to + 2 * cellBytes, s2);
  v128.store(to + 3 * cellBytes, s3);
}

/** The same for two heads, two columns in a vector; `mine` are the four rows' cells. */
function readRowsInPairs(alongRows: usize, alongColumns: usize, rows: usize, mine: usize, pairs: usize, stride: usize): void {
  const v0 = v128.load64_splat(mine), v1 = v128.load64_splat(mine + VECTOR);
  const v2 = v128.load64_splat(mine + 2 * VECTOR), v3 = v128.load64_splat(mine + 3 * VECTOR);
  let s0 = zero4(), s1 = zero4(), s2 = zero4(), s3 = zero4();
  for (const end = rows + stride; rows < end; rows += 8) {
    const x = v128.load(pairs);
    let sum = v128.load(alongColumns);
    let link = twice(rows);
    s0 = f32x4.add(s0, f32x4.mul(link, x)); sum = f32x4.add(sum, f32x4.mul(link, v0));
    link = twice(rows + stride);
    s1 = f32x4.add(s1, f32x4.mul(link, x)); sum = f32x4.add(sum, f32x4.mul(link, v1));
    link = twice(rows + 2 * stride);
    s2 = f32x4.add(s2, f32x4.mul(link, x)); sum = f32x4.add(sum, f32x4.mul(link, v2));
    link = twice(rows + 3 * stride);
    s3 = f32x4.add(s3, f32x4.mul(link, x)); sum = f32x4.add(sum, f32x4.mul(link, v3));
    v128.store(alongColumns, sum);
    pairs += VECTOR;
    alongColumns += VECTOR;
  }
  storeHalves(alongRows, s0);
  storeHalves(alongRows + VECTOR, s1);
  storeHalves(alongRows + 2 * VECTOR, s2);
  storeHalves(alongRows + 3 * VECTOR, s3);
}

/** Two links, each twice: a a b b. */
// @ts-ignore: decorator
@inline
function twice(at: usize): v128 {
  const links = v128.load64_zero(at);
  return v128.shuffle<f32>(links, links, 0, 0, 1, 1);
}

/** The two cells of a vector added up: two heads, and zeros. */
// @ts-ignore: decorator
@inline
function storeHalves(at: usize, sums: v128): void {
  v128.store(at, f32x4.add(v128.shuffle<f32>(sums, zero4(), 0, 1, 4, 4), v128.shuffle<f32>(sums, zero4(), 2, 3, 4, 4)));
}
