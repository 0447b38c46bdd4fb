// The K most similar cells of each head by way of the rows' codes (rowCodes.ts): every code is scored against the query, the rows of the best
// scores are compared with it exactly, and of those the K best are taken as the exact scan takes them. A code is a sixteenth of a row, and scoring
// it takes lookups in tables of 16 bytes, one instruction for 16 rows at a time.
//
// Which rows are compared is a function of the query and of the rows that hold anything, not of where they lie or how they came to be: all rows
// whose score is at least that of the C-th best. Beside them compete, as in the exact scan, untouched cells and rows that hold nothing.
// The search declines, and the exact scan is to be made, where
// - few rows hold anything, so that the scan is as fast;
// - more than 4·C rows have the C-th best score: rows that are much the same.
import { insertFalling } from "./fallingList";
import { INNER_LEVEL, isFilled, OUTER_LEVEL, ROWS_A_BLOCK, turnFour } from "./rowCodes";
import { floats, padded, splat, zero4 } from "./simd";
import { SparseMemory } from "./sparseLayout";
import { dotFour, startCandidates } from "./topK";
import { listUntouched, TouchedRows } from "./touchedRows";

/** Rows whose scores reached far enough when their turn came. */
@unmanaged
export class Nominees {
  count: i32;
  wanted: i32;
  above: i32; // the score that a row must exceed
  full: i32; // so many are shrunk to the best
  rows: usize; // [5·C + 16] i32
  scores: usize; // [5·C + 16] i32
}

/** Of so many times the C rows that are compared, the scan is as fast. */
const SCANNED: i32 = 16;
/** Of so many times C rows that reach the C-th best score, the search declines. */
const MOST_ALIKE: i32 = 4;
/** A score is at most this, so that it fits a signed lane of 16 bits and can be counted. */
const LARGEST_SCORE: i32 = 16383;
/** Four table entries add up within a byte. */
const LARGEST_ENTRY: i32 = 63;
/** What no score exceeds: heads are scored in pairs, and this is the bound of one that is not there. */
const NOBODY: i32 = 32767;

/** Fills candidateRows and scores, [R, Kp], or returns false, having spoilt them. The queries over their norms are in s.queries. */
export function mostSimilarByCode(s: SparseMemory, candidateRows: usize, scores: usize, rows: TouchedRows): bool {
  if (rows.filled <= SCANNED * s.compared) return false;
  startCandidates(candidateRows, scores, listUntouched(s.untouchedCells, rows, s.reads), s.heads, s.reads);
  const stride = floats(padded(s.reads)), rowBytes = floats(s.wordWidth);
  const first = changetype<Nominees>(s.nominees), second = changetype<Nominees>(s.nominees + offsetof<Nominees>());
  for (let h = 0; h < s.heads; h += 2) {
    const bins = fillTable(s, s.tables, h);
    if (h + 1 < s.heads) fillTable(s, s.tables + tableBytes(s), h + 1);
    nominate(s, rows, first, second, bins, h + 1 < s.heads);
    for (let i = 0; i < 2 && h + i < s.heads; i++) {
      const nominees = i == 0 ? first : second;
      if (nominees.count < s.compared) return false;
      const list = candidateRows + <usize>(h + i) * stride, values = scores + <usize>(h + i) * stride;
      const query = s.queries + <usize>(h + i) * rowBytes;
      compare(s, list, values, rows, nominees, query);
      // Rows that hold nothing have a similarity next to 0.
      if (rows.filled < rows.touched && !(load<f32>(values + floats(s.reads - 1)) > 0)) compareEmpty(s, list, values, rows, query);
    }
  }
  return true;
}

/**
 * The nominees of two heads, or of one. Nominating takes longer than scoring, and without a bound to start from there would be C·ln(rows / C) of
 * them: so a sixteenth of the blocks gives a bound that about 2·C rows of all should exceed. Where it turns out to be too high, there is none.
 */
function nominate(s: SparseMemory, rows: TouchedRows, first: Nominees, second: Nominees, bins: i32, isPair: bool): void {
  start(first, s.compared / 8, -1);
  start(second, s.compared / 8, isPair ? -1 : NOBODY);
  nominateAmong(s, rows, first, second, bins, 16 * ROWS_A_BLOCK);
  start(first, s.compared, first.above);
  start(second, s.compared, second.above);
  nominateAmong(s, rows, first, second, bins, ROWS_A_BLOCK);
  if (first.count >= s.compared && (second.count >= s.compared || !isPair)) return;
  start(first, s.compared, -1);
  start(second, s.compared, isPair ? -1 : NOBODY);
  nominateAmong(s, rows, first, second, bins, ROWS_A_BLOCK);
}

// @ts-ignore: decorator
@inline
function start(nominees: Nominees, wanted: i32, above: i32): void {
  nominees.count = 0;
  nominees.wanted = wanted;
  nominees.above = above;
  nominees.full = 4 * wanted;
}

/** Bytes of a head's tables: 16 for each two dimensions. */
// @ts-ignore: decorator
@inline
function tableBytes(s: SparseMemory): usize {
  return <usize>s.codeBytes * 32;
}

/**
 * For each two turned dimensions of a head's query the table from their four bits to level·query, from 0 in steps of one size for the whole head. What
 * the steps start from is the same for all rows. Returns how many scores there can be.
 */
function fillTable(s: SparseMemory, table: usize, h: i32): i32 {
  const rowBytes = floats(s.wordWidth);
  const query = s.queries + <usize>h * rowBytes;
  const turned = s.turned;
  const end = turned + floats(4 * s.codeBytes);
  let largest: f32 = 0;
  for (let at = turned, columns = s.rotation; at < end; at += 16, columns += 4 * rowBytes) {
    const four = turnFour(columns, query, rowBytes);
    v128.store(at, four);
    const x = f32x4.abs(four);
    const pairs = f32x4.add(x, v128.shuffle<f32>(x, x, 1, 0, 3, 2));
    largest = max(largest, max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 2)));
  }
  const tables = 2 * s.codeBytes;
  const entry = min(LARGEST_ENTRY, LARGEST_SCORE / tables);
  const step = largest > 0 ? <f32>entry / (2 * OUTER_LEVEL * largest) : 0;
  const levels = f32x4(-OUTER_LEVEL, -INNER_LEVEL, INNER_LEVEL, OUTER_LEVEL);
  for (let at = turned; at < end; at += 8, table += 16) {
    const x = load<f32>(at), y = load<f32>(at, 4);
    const from = OUTER_LEVEL * (abs<f32>(x) + abs<f32>(y));
    const ofX = f32x4.add(f32x4.mul(splat(x), levels), splat(from));
    const low = i16x8.narrow_i32x4_s(entries(ofX, -OUTER_LEVEL * y, step), entries(ofX, -INNER_LEVEL * y, step));
    const high = i16x8.narrow_i32x4_s(entries(ofX, INNER_LEVEL * y, step), entries(ofX, OUTER_LEVEL * y, step));
    v128.store(table, i8x16.narrow_i16x8_s(low, high));
  }
  return tables * entry + 1;
}

/** The nearest whole numbers of steps; NaN becomes 0. */
// @ts-ignore: decorator
@inline
function entries(ofX: v128, ofY: f32, step: f32): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.add(f32x4.mul(f32x4.add(ofX, splat(ofY)), splat(step)), splat(0.5)));
}

/** Scores the codes of every block, or of one in so many (`step` rows apart), and leaves the nominees of at least the best `wanted` scores. */
function nominateAmong(s: SparseMemory, rows: TouchedRows, first: Nominees, second: Nominees, bins: i32, step: i32): void {
  const touched = rows.touched;
  for (let row = 0; ; row += step) {
    row = nextReaching(s, rows.codes, row, step, touched, first.above, second.above);
    if (row >= touched) break;
    take(s, rows, first, row, s.turned, bins);
    take(s, rows, second, row, s.turned + 2 * ROWS_A_BLOCK, bins);
  }
  shrink(s, first, bins);
  shrink(s, second, bins);
}

/**
 * From `row` on the first of the blocks, `step` rows apart, with a score above its head's bound, or `touched`; leaves the block's scores in s.turned,
 * [2, 16] u16. A loop without a call: all that it needs stays in registers.
 */
function nextReaching(s: SparseMemory, codes: usize, row: i32, step: i32, touched: i32, boundA: i32, boundB: i32): i32 {
  const blockBytes = <usize>s.codeBytes * ROWS_A_BLOCK;
  const tables = s.tables, toSecond = tableBytes(s);
  const low4 = i8x16.splat(15);
  const aboveA = i16x8.splat(<i16>boundA), aboveB = i16x8.splat(<i16>boundB);
  let at = codes + <usize>row * <usize>s.codeBytes;
  const skipped = <usize>(step / ROWS_A_BLOCK - 1) * blockBytes;
  for (; row < touched; row += step, at += skipped) {
    let a0 = zero4(), a1 = zero4(), b0 = zero4(), b1 = zero4();
    let table = tables;
    const end = at + blockBytes;
    do {
      let x = v128.load(at);
      const x0 = v128.and(x, low4), x1 = v128.and(i16x8.shr_u(x, 4), low4);
      x = v128.load(at, 16);
      const x2 = v128.and(x, low4), x3 = v128.and(i16x8.shr_u(x, 4), low4);
      let sum = sumEntries(table, x0, x1, x2, x3);
      a0 = i16x8.add(a0, i16x8.extend_low_i8x16_u(sum)); a1 = i16x8.add(a1, i16x8.extend_high_i8x16_u(sum));
      sum = sumEntries(table + toSecond, x0, x1, x2, x3);
      b0 = i16x8.add(b0, i16x8.extend_low_i8x16_u(sum)); b1 = i16x8.add(b1, i16x8.extend_high_i8x16_u(sum));
      at += 2 * ROWS_A_BLOCK; table += 64;
    } while (at < end);
    const reachA = v128.or(i16x8.gt_s(a0, aboveA), i16x8.gt_s(a1, aboveA));
    const reachB = v128.or(i16x8.gt_s(b0, aboveB), i16x8.gt_s(b1, aboveB));
    if (v128.any_true(v128.or(reachA, reachB))) {
      v128.store(s.turned, a0); v128.store(s.turned, a1, 16);
      v128.store(s.turned, b0, 32); v128.store(s.turned, b1, 48);
      return row;
    }
  }
  return touched;
}

// @ts-ignore: decorator
@inline
function sumEntries(table: usize, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  return i8x16.add(
    i8x16.add(i8x16.swizzle(v128.load(table), x0), i8x16.swizzle(v128.load(table, 16), x1)),
    i8x16.add(i8x16.swizzle(v128.load(table, 32), x2), i8x16.swizzle(v128.load(table, 48), x3)),
  );
}

/** Nominates those of rows row … row + 15 whose score, in `its` [16] u16, is above the bound and that hold anything. */
function take(s: SparseMemory, rows: TouchedRows, nominees: Nominees, row: i32, its: usize, bins: i32): void {
  const above = i16x8.splat(<i16>nominees.above);
  let mask = i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.gt_s(v128.load(its), above), i16x8.gt_s(v128.load(its, 16), above)));
  const there = rows.touched - row;
  if (there < ROWS_A_BLOCK) mask &= (1 << there) - 1;
  let count = nominees.count;
  for (; mask != 0; mask &= mask - 1) {
    const lane = ctz(mask);
    store<i32>(nominees.rows + floats(count), row + lane);
    store<i32>(nominees.scores + floats(count), <i32>load<u16>(its + (<usize>lane << 1)));
    count += i32(isFilled(rows, row + lane));
  }
  nominees.count = count;
  if (count >= nominees.full) shrink(s, nominees, bins);
}

/**
 * Leaves the nominees of at least the last wanted score, and raises the bound to it. Where those are more than four times as many as wanted, what has
 * just that score is left out for good: too few are left then, unless enough better ones come.
 */
function shrink(s: SparseMemory, nominees: Nominees, bins: i32): void {
  const counts = s.scoreCounts;
  for (let at = counts, end = counts + floats(padded(bins)); at < end; at += 16) v128.store(at, zero4());
  const count = nominees.count;
  for (let at = nominees.scores, end = nominees.scores + floats(count); at < end; at += 4) {
    const bin = counts + floats(load<i32>(at));
    store<i32>(bin, load<i32>(bin) + 1);
  }
  let reached = 0, score = bins;
  do reached += load<i32>(counts + floats(--score)); while (reached < nominees.wanted && score > 0);
  const above = max(nominees.above, reached > MOST_ALIKE * nominees.wanted ? score : score - 1);
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const its = load<i32>(nominees.scores + floats(i));
    store<i32>(nominees.rows + floats(kept), load<i32>(nominees.rows + floats(i)));
    store<i32>(nominees.scores + floats(kept), its);
    kept += i32(its > above);
  }
  nominees.count = kept;
  nominees.above = above;
  nominees.full = max(nominees.full, kept + nominees.wanted / 2);
}

/** Offers every nominee by its similarity, computed as the exact scan does. */
function compare(s: SparseMemory, list: usize, values: usize, rows: TouchedRows, nominees: Nominees, query: usize): void {
  const rowBytes = floats(s.wordWidth);
  const last = values + floats(s.reads - 1);
  const count = nominees.count;
  for (let i = count; i & 3; i++) store<i32>(nominees.rows + floats(i), load<i32>(nominees.rows));
  for (let i = 0; i < count; i += 4) {
    const at = nominees.rows + floats(i);
    const r0 = load<i32>(at), r1 = load<i32>(at, 4), r2 = load<i32>(at, 8), r3 = load<i32>(at, 12);
    const norms = f32x4(
      load<f32>(rows.inverseNorms + floats(r0)), load<f32>(rows.inverseNorms + floats(r1)),
      load<f32>(rows.inverseNorms + floats(r2)), load<f32>(rows.inverseNorms + floats(r3)),
    );
    const similarity = f32x4.mul(dotFour(
      rows.memory + <usize>r0 * rowBytes, rows.memory + <usize>r1 * rowBytes, rows.memory + <usize>r2 * rowBytes, rows.memory + <usize>r3 * rowBytes,
      query, rowBytes,
    ), norms);
    let mask = i32x4.bitmask(f32x4.ge(similarity, v128.load_splat<f32>(last)));
    if (count - i < 4) mask &= (1 << (count - i)) - 1;
    for (; mask != 0; mask &= mask - 1) {
      const lane = ctz(mask);
      v128.store(s.turned, similarity);
      insertFalling(list, values, padded(s.reads), rows.entries, s.untouchedCells, load<i32>(at + floats(lane)), load<f32>(s.turned + floats(lane)));
    }
  }
}

/** Offers every row that holds nothing. */
function compareEmpty(s: SparseMemory, list: usize, values: usize, rows: TouchedRows, query: usize): void {
  const rowBytes = floats(s.wordWidth);
  for (let row = 0; row < rows.touched; row++) {
    if (isFilled(rows, row)) continue;
    const m = rows.memory + <usize>row * rowBytes;
    const similarity = f32x4.extract_lane(dotFour(m, m, m, m, query, rowBytes), 0) * load<f32>(rows.inverseNorms + floats(row));
    if (similarity >= load<f32>(values + floats(s.reads - 1))) {
      insertFalling(list, values, padded(s.reads), rows.entries, s.untouchedCells, row, similarity);
    }
  }
}
