// Where to write next, by how little a cell is in use (models.md §2, step 3): û = ε + (1 − ε)·u, φ = cells by ascending û (ties:
// lower index first; a constant in the backward pass), a[φ_j] = (1 − û[φ_j])·P_j with P_j = Π_{i<j} û[φ_i].
//
// usage, adjusted (û), allocation, product (P_j of cell φ_j, what the backward pass needs) [Np]; order (φ) i32 [Np].
import { clear, floats, splat, TINY, VECTOR } from "./simd";

/** Least value of û: keeps the gradient of a product of empty cells from vanishing altogether. */
const EPSILON: f32 = 1e-6;

/** `keys` is scratch, N rounded up to a multiple of 16. Padding of `product` and `allocation` is set to 0. */
export function allocationForward(
  allocation: usize, product: usize, order: usize, adjusted: usize, keys: usize, usage: usize, cells: i32, paddedCells: i32,
): void {
  const bytes = floats(paddedCells);
  for (let at: usize = 0; at < bytes; at += VECTOR) {
    const x = adjust(v128.load(usage + at));
    v128.store(adjusted + at, x);
    // As a signed integer this orders as the float does; unlike a comparison of floats it orders NaN too, so φ is always a permutation.
    // Below the largest integer, as sortByCounting adds 1.
    const key = v128.xor(x, i32x4.shr_u(i32x4.shr_s(x, 31), 1));
    v128.store(keys + at, i32x4.min_s(key, i32x4.splat(0x7ffffffe)));
  }
  sortByCounting(order, keys, cells);
  productsInOrder(product, order, adjusted, cells, paddedCells);
  allocationRecall(allocation, adjusted, product, usage, paddedCells);
}

/** a and û again, from what was saved. */
export function allocationRecall(allocation: usize, adjusted: usize, product: usize, usage: usize, paddedCells: i32): void {
  for (let at: usize = 0; at < floats(paddedCells); at += VECTOR) {
    const x = adjust(v128.load(usage + at));
    v128.store(adjusted + at, x);
    v128.store(allocation + at, f32x4.mul(f32x4.sub(splat(1), x), v128.load(product + at)));
  }
}

// @ts-ignore: decorator
@inline
function adjust(usage: v128): v128 {
  return f32x4.add(splat(EPSILON), f32x4.mul(splat(1 - EPSILON), usage));
}

/**
 * order[rank of i] = i, the rank counted as the cells j that come before i: key_j < key_i + [j < i]. Quadratic, but without branches and
 * sixteen ranks at a time, which up to some hundred cells nothing beats. `keys` can be read up to a multiple of 16.
 */
function sortByCounting(order: usize, keys: usize, cells: i32): void {
  const end = keys + floats(cells), one = i32x4.splat(1);
  for (let i = 0; i < cells; i += 16) {
    const block = keys + floats(i);
    let l0 = i32x4.add(v128.load(block), one), l1 = i32x4.add(v128.load(block, 16), one);
    let l2 = i32x4.add(v128.load(block, 32), one), l3 = i32x4.add(v128.load(block, 48), one);
    let r0 = i32x4.splat(0), r1 = r0, r2 = r0, r3 = r0;
    let key = keys;
    for (; key < block; key += 4) {
      const other = v128.load_splat<i32>(key);
      r0 = i32x4.sub(r0, i32x4.lt_s(other, l0)); r1 = i32x4.sub(r1, i32x4.lt_s(other, l1)); // a true lane is −1
      r2 = i32x4.sub(r2, i32x4.lt_s(other, l2)); r3 = i32x4.sub(r3, i32x4.lt_s(other, l3));
    }
    let j = i32x4.splat(0);
    for (const blockEnd = min(block + 4 * VECTOR, end); key < blockEnd; key += 4) {
      const other = v128.load_splat<i32>(key);
      // From its own j on, a cell's limit is its key.
      l0 = i32x4.add(l0, i32x4.eq(j, i32x4(0, 1, 2, 3))); l1 = i32x4.add(l1, i32x4.eq(j, i32x4(4, 5, 6, 7)));
      l2 = i32x4.add(l2, i32x4.eq(j, i32x4(8, 9, 10, 11))); l3 = i32x4.add(l3, i32x4.eq(j, i32x4(12, 13, 14, 15)));
      r0 = i32x4.sub(r0, i32x4.lt_s(other, l0)); r1 = i32x4.sub(r1, i32x4.lt_s(other, l1));
      r2 = i32x4.sub(r2, i32x4.lt_s(other, l2)); r3 = i32x4.sub(r3, i32x4.lt_s(other, l3));
      j = i32x4.add(j, one);
    }
    for (; key < end; key += 4) {
      const other = v128.load_splat<i32>(key);
      r0 = i32x4.sub(r0, i32x4.lt_s(other, l0)); r1 = i32x4.sub(r1, i32x4.lt_s(other, l1));
      r2 = i32x4.sub(r2, i32x4.lt_s(other, l2)); r3 = i32x4.sub(r3, i32x4.lt_s(other, l3));
    }
    putInOrder(order, r0, i, cells);
    putInOrder(order, r1, i + 4, cells);
    putInOrder(order, r2, i + 8, cells);
    putInOrder(order, r3, i + 12, cells);
  }
}

// @ts-ignore: decorator
@inline
function putInOrder(order: usize, ranks: v128, i: i32, cells: i32): void {
  if (i < cells) store<i32>(order + floats(i32x4.extract_lane(ranks, 0)), i);
  if (i + 1 < cells) store<i32>(order + floats(i32x4.extract_lane(ranks, 1)), i + 1);
  if (i + 2 < cells) store<i32>(order + floats(i32x4.extract_lane(ranks, 2)), i + 2);
  if (i + 3 < cells) store<i32>(order + floats(i32x4.extract_lane(ranks, 3)), i + 3);
}

/** P, in the order of φ. Once it is tiny, all the rest is 0. */
function productsInOrder(product: usize, order: usize, adjusted: usize, cells: i32, paddedCells: i32): void {
  clear(product, floats(paddedCells));
  let p: f32 = 1;
  for (const end = order + floats(cells); order < end && p >= TINY; order += 4) {
    const cell = floats(load<i32>(order));
    store<f32>(product + cell, p);
    p *= load<f32>(adjusted + cell);
  }
}

/**
 * Adds to dUsage what dAllocation gives. Back along φ with dP the gradient of P_j (no division by û):
 * dû_j = P_j·(dP_{j+1} − da_j), dP_j = (1 − û_j)·da_j + û_j·dP_{j+1}.
 */
export function allocationBackward(
  dUsage: usize, dAllocation: usize, product: usize, order: usize, adjusted: usize, cells: i32,
): void {
  let dProduct: f32 = 0;
  for (let at = order + floats(cells); at > order; ) {
    at -= 4;
    const cell = floats(load<i32>(at));
    const x = load<f32>(adjusted + cell), d = load<f32>(dAllocation + cell);
    const dAdjusted = load<f32>(product + cell) * (dProduct - d);
    store<f32>(dUsage + cell, load<f32>(dUsage + cell) + (1 - EPSILON) * dAdjusted);
    dProduct = (1 - x) * d + x * dProduct;
  }
}
