// In which order cells were written, and reading along it (models.md §2, steps 6 and 7):
//   L_ij = (1 − w_i − w_j)·L′_ij + w_i·p′_j, L_ii = 0;  p = (1 − Σw)·p′ + w;  f_h = L·w^r′_h,  b_h = Lᵀ·w^r′_h.
//
// linkMatrix [Np, Np] row-major; weights, precedence [Np]; what a cell has for each head lies together, [Np, Rp]. Padding is zero
// and stays zero. The matrix is taken four rows at a time, in short passes that find those rows in the nearest cache: no pass
// needs more than the vector registers, and none has a long chain of operations from load to store.
import { endReads, readRows, startReads } from "./linkReads";
import { accumulate, floats, flushTiny, padded, splat, sumLanes, TINY, VECTOR, zero4 } from "./simd";

/**
 * L, and with readings v = w^r′: alongRows f = L·v, alongColumns b = Lᵀ·v, both [Np, Rp]. next may be prev. Scratch: unwritten [Np + 8],
 * pairs [Np, 2].
 */
export function linkForward(
  next: usize, alongRows: usize, alongColumns: usize, unwritten: usize, pairs: usize, prev: usize, writeWeights: usize,
  prevPrecedence: usize, prevReadWeights: usize, paddedCells: i32, heads: i32,
): void {
  const stride = floats(paddedCells);
  prepareRows(unwritten, writeWeights, stride);
  startReads(alongColumns, pairs, prevReadWeights, paddedCells, heads);
  for (let i = 0; i < paddedCells; i += 4) {
    const row = <usize>i * stride;
    updateRows(next + row, prev + row, writeWeights + floats(i), unwritten, prevPrecedence, stride);
    clearDiagonal(next + row + floats(i), stride);
    readRows(alongRows, alongColumns, next + row, prevReadWeights, pairs, i, paddedCells, heads);
  }
  endReads(alongColumns, paddedCells, heads);
}

/** What the passes over rows need beside them: 1 − w [Np], and the two constants of `flushed`. */
function prepareRows(unwritten: usize, writeWeights: usize, stride: usize): void {
  for (const end = unwritten + stride; unwritten < end; unwritten += VECTOR) {
    v128.store(unwritten, f32x4.sub(splat(1), v128.load(writeWeights)));
    writeWeights += VECTOR;
  }
  v128.store(unwritten, i32x4.splat(0x7fffffff));
  v128.store(unwritten, splat(TINY), 16);
}

/** flushTiny with its constants given: V8 sets up a constant vector anew in every round of a loop, but one loaded stays in a register. */
// @ts-ignore: decorator
@inline
function flushed(v: v128, magnitude: v128, tiny: v128): v128 {
  return v128.andnot(v, f32x4.lt(v128.and(v, magnitude), tiny));
}

/** Four rows of L, the diagonal too. */
// @ts-ignore: decorator
@inline
function updateRows(next: usize, prev: usize, writeWeights: usize, unwritten: usize, prevPrecedence: usize, stride: usize): void {
  const w0 = v128.load_splat<f32>(writeWeights), w1 = v128.load_splat<f32>(writeWeights, 4);
  const w2 = v128.load_splat<f32>(writeWeights, 8), w3 = v128.load_splat<f32>(writeWeights, 12);
  const magnitude = v128.load(unwritten + stride), tiny = v128.load(unwritten + stride, 16);
  for (const end = unwritten + stride; unwritten < end; unwritten += VECTOR) {
    const r = v128.load(unwritten), p = v128.load(prevPrecedence);
    v128.store(next, flushed(updated(w0, r, p, v128.load(prev)), magnitude, tiny));
    v128.store(next + stride, flushed(updated(w1, r, p, v128.load(prev + stride)), magnitude, tiny));
    v128.store(next + 2 * stride, flushed(updated(w2, r, p, v128.load(prev + 2 * stride)), magnitude, tiny));
    v128.store(next + 3 * stride, flushed(updated(w3, r, p, v128.load(prev + 3 * stride)), magnitude, tiny));
    prevPrecedence += VECTOR;
    next += VECTOR;
    prev += VECTOR;
  }
}

// @ts-ignore: decorator
@inline
function updated(w: v128, unwritten: v128, precedence: v128, link: v128): v128 {
  return f32x4.add(f32x4.mul(f32x4.sub(unwritten, w), link), f32x4.mul(w, precedence));
}

/** The diagonal of four rows, which begins at `at`. */
// @ts-ignore: decorator
@inline
function clearDiagonal(at: usize, stride: usize): void {
  store<f32>(at, 0);
  store<f32>(at + stride, 0, 4);
  store<f32>(at + 2 * stride, 0, 8);
  store<f32>(at + 3 * stride, 0, 12);
}

/** p; may be prevPrecedence. */
export function precedenceForward(precedence: usize, prevPrecedence: usize, writeWeights: usize, paddedCells: i32): void {
  const bytes = floats(paddedCells);
  const unwritten = splat(1 - sumOf(writeWeights, bytes));
  for (let at: usize = 0; at < bytes; at += VECTOR) {
    const p = f32x4.add(f32x4.mul(unwritten, v128.load(prevPrecedence + at)), v128.load(writeWeights + at));
    v128.store(precedence + at, flushTiny(p));
  }
}

// @ts-ignore: decorator
@inline
function sumOf(values: usize, bytes: usize): f32 {
  let sum = zero4();
  for (const end = values + bytes; values < end; values += VECTOR) sum = f32x4.add(sum, v128.load(values));
  return sumLanes(sum);
}

/**
 * Undoes linkForward and precedenceForward. dLink [Np, Np] and dPrecedence come in with respect to L and p and leave with respect to L′ and
 * p′ (flushed); adds into dWriteWeights. The reads' own gradients are df = π_f∘d and db = π_b∘d, d = dReadWeights [Np, Rp]: stores
 * alongRows L·d and alongColumns Lᵀ·d, [Np, Rp], from which the caller has dw^r′ = π_b∘(L·d) + π_f∘(Lᵀ·d) and the modes' gradients.
 * Scratch: outerLeft and outerRight, Np·2·Rp each, unwritten [Np + 8], pairs [Np, 2].
 */
export function linkBackward(
  dLink: usize, dPrecedence: usize, dWriteWeights: usize, alongRows: usize, alongColumns: usize, outerLeft: usize, outerRight: usize,
  unwritten: usize, pairs: usize, next: usize, prev: usize, writeWeights: usize, prevPrecedence: usize, prevReadWeights: usize,
  dReadWeights: usize, backwardModes: usize, forwardModes: usize, paddedCells: i32, heads: i32,
): void {
  const stride = floats(paddedCells), terms = 2 * heads;
  precedenceBackward(dPrecedence, dWriteWeights, prevPrecedence, writeWeights, paddedCells);
  outerFactors(outerLeft, outerRight, prevReadWeights, dReadWeights, backwardModes, forwardModes, paddedCells, heads);
  prepareRows(unwritten, writeWeights, stride);
  startReads(alongColumns, pairs, dReadWeights, paddedCells, heads);
  for (let i = 0; i < paddedCells; i += 4) {
    const row = <usize>i * stride;
    readRows(alongRows, alongColumns, next + row, dReadWeights, pairs, i, paddedCells, heads);
    addOuterRows(dLink + row, outerLeft + <usize>i * floats(terms), outerRight, paddedCells, terms);
    clearDiagonal(dLink + row + floats(i), stride);
    for (let k = 0; k < 4; k += 2) {
      const pair = row + <usize>k * stride;
      updateRowsBackward(dLink + pair, dPrecedence, dWriteWeights, i + k, prev + pair, writeWeights, unwritten, prevPrecedence, stride);
    }
  }
  endReads(alongColumns, paddedCells, heads);
  for (let at: usize = 0; at < stride; at += VECTOR) v128.store(dPrecedence + at, flushTiny(v128.load(dPrecedence + at)));
}

// p = (1 − Σw)·p′ + w:  dw += dp − Σ dp·p′,  dp′ = (1 − Σw)·dp.
export function precedenceBackward(dPrecedence: usize, dWriteWeights: usize, prevPrecedence: usize, writeWeights: usize, paddedCells: i32): void {
  const bytes = floats(paddedCells);
  const unwritten = splat(1 - sumOf(writeWeights, bytes));
  let sum = zero4();
  for (let at: usize = 0; at < bytes; at += VECTOR) sum = f32x4.add(sum, f32x4.mul(v128.load(dPrecedence + at), v128.load(prevPrecedence + at)));
  const dSum = splat(sumLanes(sum));
  for (let at: usize = 0; at < bytes; at += VECTOR) {
    const d = v128.load(dPrecedence + at);
    accumulate(dWriteWeights + at, f32x4.sub(d, dSum));
    v128.store(dPrecedence + at, f32x4.mul(unwritten, d));
  }
}

// dL += Σ_h df_h·w^r′_hᵀ + w^r′_h·db_hᵀ = left·right, left [Np, 2·R] = [π_f∘d, π_b∘w^r′], right [2·R, Np] = [w^r′; d]. Heads are
// written four at a time, the last ones first, so that lanes of missing heads are written over by what belongs there.
function outerFactors(
  left: usize, right: usize, prevReadWeights: usize, dReadWeights: usize, backwardModes: usize, forwardModes: usize, paddedCells: i32,
  heads: i32,
): void {
  const cellBytes = floats(padded(heads)), headBytes = floats(heads);
  for (let h: usize = cellBytes; h > 0; ) {
    h -= VECTOR;
    const ahead = v128.load(forwardModes + h), back = v128.load(backwardModes + h);
    let to = left + h, d = dReadWeights + h, w = prevReadWeights + h;
    for (const end = d + <usize>paddedCells * cellBytes; d < end; d += cellBytes) {
      v128.store(to, f32x4.mul(ahead, v128.load(d)));
      v128.store(to + headBytes, f32x4.mul(back, v128.load(w)));
      to += 2 * headBytes;
      w += cellBytes;
    }
  }
  transposeCells(right, prevReadWeights, paddedCells, heads);
  transposeCells(right + <usize>heads * floats(paddedCells), dReadWeights, paddedCells, heads);
}

/** [Np, Rp] to [Rp, Np]. */
function transposeCells(out: usize, cells: usize, paddedCells: i32, heads: i32): void {
  const cellBytes = floats(padded(heads)), stride = floats(paddedCells);
  for (let h = 0; h < heads; h += 4) {
    let from = cells + floats(h), to = out + <usize>h * stride;
    for (const end = to + stride; to < end; to += VECTOR) {
      const a = v128.load(from), b = v128.load(from + cellBytes), c = v128.load(from + 2 * cellBytes), d = v128.load(from + 3 * cellBytes);
      const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5); // a0 b0 a1 b1
      const abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7), cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
      v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
      v128.store(to + stride, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
      v128.store(to + 2 * stride, v128.shuffle<f32>(abHigh, cdHigh, 0, 1, 4, 5));
      v128.store(to + 3 * stride, v128.shuffle<f32>(abHigh, cdHigh, 2, 3, 6, 7));
      from += 4 * cellBytes;
    }
  }
}

/** Four rows at `rows` += left (four rows of `terms`) · right [terms, Np]. */
function addOuterRows(rows: usize, left: usize, right: usize, paddedCells: i32, terms: i32): void {
  const stride = floats(paddedCells), leftStride = floats(terms);
  const end = rows + stride;
  for (; rows + 2 * VECTOR <= end; rows += 2 * VECTOR) {
    const row2 = rows + 2 * stride;
    let s00 = v128.load(rows), s01 = v128.load(rows, 16), s10 = v128.load(rows + stride), s11 = v128.load(rows + stride, 16);
    let s20 = v128.load(row2), s21 = v128.load(row2, 16), s30 = v128.load(row2 + stride), s31 = v128.load(row2 + stride, 16);
    let l0 = left, l1 = left + leftStride, l2 = l1 + leftStride, l3 = l2 + leftStride, r = right;
    for (const leftEnd = l1; l0 < leftEnd; ) {
      const x0 = v128.load(r), x1 = v128.load(r, 16);
      let y = v128.load_splat<f32>(l0);
      s00 = f32x4.add(s00, f32x4.mul(y, x0)); s01 = f32x4.add(s01, f32x4.mul(y, x1));
      y = v128.load_splat<f32>(l1);
      s10 = f32x4.add(s10, f32x4.mul(y, x0)); s11 = f32x4.add(s11, f32x4.mul(y, x1));
      y = v128.load_splat<f32>(l2);
      s20 = f32x4.add(s20, f32x4.mul(y, x0)); s21 = f32x4.add(s21, f32x4.mul(y, x1));
      y = v128.load_splat<f32>(l3);
      s30 = f32x4.add(s30, f32x4.mul(y, x0)); s31 = f32x4.add(s31, f32x4.mul(y, x1));
      r += stride;
      l0 += 4; l1 += 4; l2 += 4; l3 += 4;
    }
    v128.store(rows, s00); v128.store(rows, s01, 16);
    v128.store(rows + stride, s10); v128.store(rows + stride, s11, 16);
    v128.store(row2, s20); v128.store(row2, s21, 16);
    v128.store(row2 + stride, s30); v128.store(row2 + stride, s31, 16);
    right += 2 * VECTOR;
  }
  if (rows < end) addOuterColumn(rows, left, right, stride, leftStride);
}

// The last column of vectors, where their number is odd.
function addOuterColumn(rows: usize, left: usize, right: usize, stride: usize, leftStride: usize): void {
  let s0 = v128.load(rows), s1 = v128.load(rows + stride), s2 = v128.load(rows + 2 * stride), s3 = v128.load(rows + 3 * stride);
  for (const leftEnd = left + leftStride; left < leftEnd; left += 4) {
    const x = v128.load(right);
    s0 = f32x4.add(s0, f32x4.mul(v128.load_splat<f32>(left), x));
    s1 = f32x4.add(s1, f32x4.mul(v128.load_splat<f32>(left + leftStride), x));
    s2 = f32x4.add(s2, f32x4.mul(v128.load_splat<f32>(left + 2 * leftStride), x));
    s3 = f32x4.add(s3, f32x4.mul(v128.load_splat<f32>(left + 3 * leftStride), x));
    right += stride;
  }
  v128.store(rows, s0);
  v128.store(rows + stride, s1);
  v128.store(rows + 2 * stride, s2);
  v128.store(rows + 3 * stride, s3);
}

/**
 * Rows i and i+1 (dLink and prev stand there), dL whole and its diagonal 0: dL′ = (1 − w_i − w_j)·dL, and
 * dw_i += Σ_j dL·(p′_j − L′), dw_j −= Σ_i dL·L′, dp′_j += Σ_i w_i·dL.
 */
// @ts-ignore: decorator
@inline
function updateRowsBackward(
  dLink: usize, dPrecedence: usize, dWriteWeights: usize, i: i32, prev: usize, writeWeights: usize, unwritten: usize, prevPrecedence: usize,
  stride: usize,
): void {
  const w0 = v128.load_splat<f32>(writeWeights + floats(i)), w1 = v128.load_splat<f32>(writeWeights + floats(i), 4);
  const magnitude = v128.load(unwritten + stride), tiny = v128.load(unwritten + stride, 16);
  let s0 = zero4(), s1 = zero4();
  for (let at: usize = 0; at < stride; at += VECTOR) {
    const r = v128.load(unwritten + at), p = v128.load(prevPrecedence + at);
    const d0 = v128.load(dLink + at), d1 = v128.load(dLink + at + stride);
    const t0 = f32x4.mul(d0, v128.load(prev + at)), t1 = f32x4.mul(d1, v128.load(prev + at + stride));
    s0 = f32x4.add(s0, f32x4.sub(f32x4.mul(d0, p), t0));
    s1 = f32x4.add(s1, f32x4.sub(f32x4.mul(d1, p), t1));
    v128.store(dWriteWeights + at, f32x4.sub(v128.load(dWriteWeights + at), f32x4.add(t0, t1)));
    accumulate(dPrecedence + at, f32x4.add(f32x4.mul(w0, d0), f32x4.mul(w1, d1)));
    v128.store(dLink + at, flushed(f32x4.mul(f32x4.sub(r, w0), d0), magnitude, tiny));
    v128.store(dLink + at + stride, flushed(f32x4.mul(f32x4.sub(r, w1), d1), magnitude, tiny));
  }
  const mine = dWriteWeights + floats(i);
  store<f32>(mine, load<f32>(mine) + sumLanes(s0));
  store<f32>(mine, load<f32>(mine, 4) + sumLanes(s1), 4);
}
