// The touched cells of one batch element's memory, and the order in which they were last accessed (models.md §3). Nothing here is
// sized by the number of cells N: a touched cell has a row, an untouched one is known to be all zero with last access 0.
//
// Rows are numbered as cells are touched. Untouched cells are touched in index order, so the rows touched here are in order of
// their cells; the `loaded` rows before them, which came with a state, are so too. `nextCell`, the first untouched cell, steps over
// loaded cells as it meets them (`passed` counts those behind it): no table from cell to row is needed.
//
// The list of access is circular through a sentinel, the entry before row 0, and in order of (lastAccess, cell): its head is the least
// recently accessed touched cell. A cell accessed now moves to its end. A touched cell that was never accessed keeps its place among those of
// last access 0, where only larger cells come later, so `finger`, the last place one was put, only ever moves forward past a row once.
import { floats, sumLanes, zero4 } from "./simd";

/** ε under the roots of the content similarity. */
export const EPSILON: f32 = 1e-6;

const SENTINEL: i32 = -1;

@unmanaged
export class TouchedRows {
  nrCells: i32;
  touched: i32;
  nextCell: i32;
  loaded: i32;
  passed: i32;
  finger: i32;
  entries: usize; // [1 + C] RowEntry, at row 0: the sentinel stands before it
  marks: usize; // [C] i32, 0 between accesses
  slots: usize; // [C] i32, 0 or 1 + the row's slot among the rows that the recorded sequence used
  memory: usize; // [C, Wp]
  inverseNorms: usize; // [C], 1 / sqrt(|row|^2 + EPSILON)
  codes: usize; // [C padded to 16, D/4] bytes (rowCodes.ts)
  filled: i32; // rows that hold anything; counted where there are codes
  used: i32; // slots given out
  usedRows: usize; // [slots] i32, the row of each slot
  work: usize; // [slots, 2, Wp]: a copy of the row on which backward undoes writes, and the row's gradient
  workNorms: usize; // [slots]
}

@unmanaged
export class RowEntry {
  cell: i32;
  lastAccess: i32;
  prev: i32;
  next: i32;
}

// @ts-ignore: decorator
@inline
export function entryOf(entries: usize, row: i32): RowEntry {
  return changetype<RowEntry>(entries + (<usize>row << 4));
}

/** The least recently accessed cell's row, touched for the occasion if it was not: an untouched cell has last access 0. */
export function leastRecent(rows: TouchedRows, wordWidth: i32): i32 {
  const first = entryOf(rows.entries, SENTINEL).next;
  if (rows.nextCell == rows.nrCells) return first;
  if (first == SENTINEL) return touchNext(rows, wordWidth);
  const entry = entryOf(rows.entries, first);
  return entry.lastAccess > 0 || entry.cell > rows.nextCell ? touchNext(rows, wordWidth) : first;
}

/** Gives the first untouched cell a row: all zero, never accessed. */
export function touchNext(rows: TouchedRows, wordWidth: i32): i32 {
  const row = rows.touched++;
  const entry = entryOf(rows.entries, row);
  entry.cell = rows.nextCell;
  entry.lastAccess = 0;
  store<i32>(rows.marks + floats(row), 0);
  store<i32>(rows.slots + floats(row), 0);
  store<f32>(rows.inverseNorms + floats(row), inverseNorm(0));
  let at = rows.memory + <usize>row * floats(wordWidth);
  for (const end = at + floats(wordWidth); at < end; at += 16) v128.store(at, zero4());
  linkNeverAccessed(rows, row, entry.cell);
  rows.nextCell = untouchedFrom(rows, entry.cell + 1);
  rows.passed += rows.nextCell - entry.cell - 1;
  return row;
}

// @ts-ignore: decorator
@inline
export function inverseNorm(sumOfSquares: f32): f32 {
  return <f32>1 / sqrt<f32>(sumOfSquares + EPSILON);
}

/** The first untouched cell at or after `cell`, which lies after every cell of the first `passed` loaded rows and the touched ones. */
function untouchedFrom(rows: TouchedRows, cell: i32): i32 {
  let row = rows.passed;
  while (row < rows.loaded && entryOf(rows.entries, row).cell == cell) {
    row++;
    cell++;
  }
  return cell;
}

/** Writes the first untouched cells, at most `count`, in order; returns how many there are. */
export function listUntouched(cells: usize, rows: TouchedRows, count: i32): i32 {
  let cell = rows.nextCell;
  let row = rows.passed;
  let listed = 0;
  while (listed < count && cell < rows.nrCells) {
    store<i32>(cells + floats(listed), cell);
    listed++;
    cell++;
    while (row < rows.loaded && entryOf(rows.entries, row).cell == cell) {
      row++;
      cell++;
    }
  }
  return listed;
}

function linkNeverAccessed(rows: TouchedRows, row: i32, cell: i32): void {
  let at = rows.finger;
  let next = entryOf(rows.entries, at).next;
  while (next != SENTINEL && entryOf(rows.entries, next).lastAccess == 0 && entryOf(rows.entries, next).cell < cell) {
    at = next;
    next = entryOf(rows.entries, at).next;
  }
  linkAfter(rows.entries, at, row);
  rows.finger = row;
}

// @ts-ignore: decorator
@inline
function linkAfter(entries: usize, at: i32, row: i32): void {
  const before = entryOf(entries, at);
  const entry = entryOf(entries, row);
  entry.prev = at;
  entry.next = before.next;
  entryOf(entries, before.next).prev = row;
  before.next = row;
}

/** lastAccess = now: the row moves behind all accessed earlier, and behind smaller cells accessed now. */
export function markAccessed(rows: TouchedRows, row: i32, now: i32): void {
  const entries = rows.entries;
  const entry = entryOf(entries, row);
  if (rows.finger == row) rows.finger = entry.prev;
  entryOf(entries, entry.prev).next = entry.next;
  entryOf(entries, entry.next).prev = entry.prev;
  entry.lastAccess = now;
  let at = entryOf(entries, SENTINEL).prev;
  while (at != SENTINEL && isLater(entryOf(entries, at), now, entry.cell)) at = entryOf(entries, at).prev;
  linkAfter(entries, at, row);
}

// @ts-ignore: decorator
@inline
function isLater(entry: RowEntry, lastAccess: i32, cell: i32): bool {
  return entry.lastAccess > lastAccess || (entry.lastAccess == lastAccess && entry.cell > cell);
}

/** Takes all slots back. `rows`: one TouchedRows. */
export function releaseUsedRows(rows: usize): void {
  const t = changetype<TouchedRows>(rows);
  for (let at = t.usedRows, end = at + floats(t.used); at < end; at += 4) store<i32>(t.slots + floats(load<i32>(at)), 0);
  t.used = 0;
}

/** Readies every used row's working copy: the row and its norm as they are, gradient 0. `rows`: one TouchedRows. */
export function copyUsedRows(rows: usize, wordWidth: i32): void {
  const t = changetype<TouchedRows>(rows);
  const rowBytes = floats(wordWidth);
  let to = t.work;
  for (let slot = 0; slot < t.used; slot++) {
    const row = load<i32>(t.usedRows + floats(slot));
    store<f32>(t.workNorms + floats(slot), load<f32>(t.inverseNorms + floats(row)));
    let from = t.memory + <usize>row * rowBytes;
    for (const end = to + rowBytes; to < end; to += 16, from += 16) {
      v128.store(to, v128.load(from));
      v128.store(to + rowBytes, zero4());
    }
    to += rowBytes;
  }
}

/** The inverse norms of the first `count` rows, in the order of operations that a write uses. */
export function rowNorms(inverseNorms: usize, memory: usize, count: i32, wordWidth: i32): void {
  for (let row = 0; row < count; row++) {
    const from = memory + <usize>row * floats(wordWidth);
    let sum = zero4();
    for (let at = from, end = from + floats(wordWidth); at < end; at += 16) {
      const x = v128.load(at);
      sum = f32x4.add(sum, f32x4.mul(x, x));
    }
    store<f32>(inverseNorms + floats(row), inverseNorm(sumLanes(sum)));
  }
}
