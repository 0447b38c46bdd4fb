// The exact K most similar cells of each head, over touched rows and the first untouched cells (whose similarity is 0).
// D = (M_i·q) / (sqrt(|M_i|^2 + EPSILON) sqrt(|q|^2 + EPSILON)); falling D, ties toward the lower cell (models.md §3).
//
// Layout: rows of Wp floats, queries [R, Wp] already divided by their norms. A head's candidates are K rows and K scores in falling order, Kp
// apart. A candidate row below 0 stands for an untouched cell: -1 - j for the j-th in `untouchedCells`.
// The scan reads four rows at a time against two heads: eight sums in flight, each row once from memory. All it asks of the four scores is
// whether one reaches a head's K-th best; what does is rare once many rows have gone by.
import { insertFalling } from "./fallingList";
import { floats, padded, sumLanes4, zero4 } from "./simd";
import { listUntouched, TouchedRows } from "./touchedRows";

/** Fills candidateRows and scores, [R, Kp]. `untouchedCells`: scratch of K i32, left as listed. */
export function mostSimilar(
  candidateRows: usize, scores: usize, rows: TouchedRows, queries: usize, untouchedCells: usize, heads: i32, k: i32, wordWidth: i32,
): void {
  const stride = floats(padded(k));
  startCandidates(candidateRows, scores, listUntouched(untouchedCells, rows, k), heads, k);
  const rowBytes = floats(wordWidth);
  const lastOf = floats(k - 1);
  const touched = rows.touched;
  let m = rows.memory;
  for (let row = 0; row < touched; row += 4) {
    const norms = v128.load(rows.inverseNorms + floats(row));
    let h = 0, query = queries, score = scores;
    for (; h + 2 <= heads; h += 2) {
      let a0 = zero4(), a1 = zero4(), a2 = zero4(), a3 = zero4(), b0 = zero4(), b1 = zero4(), b2 = zero4(), b3 = zero4();
      let m0 = m, m1 = m + rowBytes, m2 = m1 + rowBytes, m3 = m2 + rowBytes;
      const end = m1;
      do {
        const qa = v128.load(query), qb = v128.load(query + rowBytes);
        let x = v128.load(m0);
        a0 = f32x4.add(a0, f32x4.mul(x, qa)); b0 = f32x4.add(b0, f32x4.mul(x, qb));
        x = v128.load(m1);
        a1 = f32x4.add(a1, f32x4.mul(x, qa)); b1 = f32x4.add(b1, f32x4.mul(x, qb));
        x = v128.load(m2);
        a2 = f32x4.add(a2, f32x4.mul(x, qa)); b2 = f32x4.add(b2, f32x4.mul(x, qb));
        x = v128.load(m3);
        a3 = f32x4.add(a3, f32x4.mul(x, qa)); b3 = f32x4.add(b3, f32x4.mul(x, qb));
        m0 += 16; m1 += 16; m2 += 16; m3 += 16; query += 16;
      } while (m0 < end);
      query += rowBytes;
      const sa = f32x4.mul(sumLanes4(a0, a1, a2, a3), norms), sb = f32x4.mul(sumLanes4(b0, b1, b2, b3), norms);
      const reachesA = f32x4.ge(sa, v128.load_splat<f32>(score + lastOf));
      const reachesB = f32x4.ge(sb, v128.load_splat<f32>(score + stride + lastOf));
      if (v128.any_true(v128.or(reachesA, reachesB))) {
        const head = candidateRows + (score - scores);
        offerFour(head, score, rows, untouchedCells, k, row, sa, i32x4.bitmask(reachesA));
        offerFour(head + stride, score + stride, rows, untouchedCells, k, row, sb, i32x4.bitmask(reachesB));
      }
      score += 2 * stride;
    }
    if (h < heads) {
      const s = f32x4.mul(dotFour(m, m + rowBytes, m + 2 * rowBytes, m + 3 * rowBytes, query, rowBytes), norms);
      const reaches = f32x4.ge(s, v128.load_splat<f32>(score + lastOf));
      if (v128.any_true(reaches)) {
        offerFour(candidateRows + (score - scores), score, rows, untouchedCells, k, row, s, i32x4.bitmask(reaches));
      }
    }
    m += 4 * rowBytes;
  }
}

/** Four rows against one query. */
// @ts-ignore: decorator
@inline
export function dotFour(m0: usize, m1: usize, m2: usize, m3: usize, query: usize, rowBytes: usize): v128 {
  let a0 = zero4(), a1 = zero4(), a2 = zero4(), a3 = zero4();
  const end = m0 + rowBytes;
  do {
    const q = v128.load(query);
    a0 = f32x4.add(a0, f32x4.mul(v128.load(m0), q));
    a1 = f32x4.add(a1, f32x4.mul(v128.load(m1), q));
    a2 = f32x4.add(a2, f32x4.mul(v128.load(m2), q));
    a3 = f32x4.add(a3, f32x4.mul(v128.load(m3), q));
    m0 += 16; m1 += 16; m2 += 16; m3 += 16; query += 16;
  } while (m0 < end);
  return sumLanes4(a0, a1, a2, a3);
}

/**
 * Every head starts with the untouched cells. Where they are fewer than K, all other cells have rows, and rows 0, 1, … hold the places (row 0 those
 * that only fill the last vector).
 */
export function startCandidates(candidateRows: usize, scores: usize, untouched: i32, heads: i32, k: i32): void {
  const stride = padded(k);
  for (let h = 0; h < heads; h++) {
    for (let j = 0; j < stride; j++) {
      store<i32>(candidateRows + floats(j), j < untouched ? -1 - j : j < k ? j - untouched : 0);
      store<f32>(scores + floats(j), j < untouched ? 0 : -Infinity);
    }
    candidateRows += floats(stride);
    scores += floats(stride);
  }
}

/** Offers those of rows row … row + 3 whose bit is set; rows past the last touched one are only there to fill the vector. */
function offerFour(
  candidateRows: usize, scores: usize, rows: TouchedRows, untouchedCells: usize, k: i32, row: i32, four: v128, mask: i32,
): void {
  const there = rows.touched - row;
  if (there < 4) mask &= (1 << there) - 1;
  for (; mask != 0; mask &= mask - 1) {
    const lane = ctz(mask);
    const low = select<f32>(f32x4.extract_lane(four, 1), f32x4.extract_lane(four, 0), lane & 1);
    const high = select<f32>(f32x4.extract_lane(four, 3), f32x4.extract_lane(four, 2), lane & 1);
    insertFalling(candidateRows, scores, padded(k), rows.entries, untouchedCells, row + lane, select<f32>(high, low, lane & 2));
  }
}
