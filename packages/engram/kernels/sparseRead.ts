// The sparse read, r_h = sum_i w_h[i] M_i (models.md §3, step 5), and the note of what an access touched (step 6).
import { accumulate, floats, splat, sumLanes, sumLanesOfInts, zero4 } from "./simd";
import { SparseMemory } from "./sparseLayout";
import { entryOf, markAccessed, TouchedRows } from "./touchedRows";

/** A cell counts as accessed when its write weight and its read weights together exceed this. */
export const ACCESS_THRESHOLD: f32 = 0.005;

/** Writes one row of r, padding too. */
export function readRows(s: SparseMemory, r: usize, rows: TouchedRows, record: usize): void {
  const rowBytes = floats(s.wordWidth);
  const rEnd = r + floats(s.readWidth);
  for (let at = r; at < rEnd; at += 16) v128.store(at, zero4());
  const entryBytes = floats(s.entryStride);
  for (let h = 0, list = record; h < s.heads; h++, list += entryBytes, r += rowBytes) {
    const count = load<i32>(record + s.counts + floats(h));
    for (let p = 0; p < count; p++) {
      const weight = v128.load_splat<f32>(list + s.readWeights + floats(p));
      let m = rows.memory + <usize>load<i32>(list + s.readRows + floats(p)) * rowBytes, at = r;
      const end = r + rowBytes;
      do {
        accumulate(at, f32x4.mul(weight, v128.load(m)));
        at += 16;
        m += 16;
      } while (at < end);
    }
  }
}

/** dw_h[i] += dr_h·M_i (in `dEntries` [R, Ep]) and dM_i += w_h[i] dr_h. */
export function readBackward(s: SparseMemory, dEntries: usize, dr: usize, rows: TouchedRows, record: usize): void {
  const rowBytes = floats(s.wordWidth);
  const entryBytes = floats(s.entryStride);
  for (let h = 0, list: usize = 0; h < s.heads; h++, list += entryBytes, dr += rowBytes) {
    const count = load<i32>(record + s.counts + floats(h));
    for (let at = list, end = list + floats(count); at < end; at += 4) {
      const slot = load<i32>(rows.slots + floats(load<i32>(record + s.readRows + at))) - 1;
      const m = rows.work + <usize>slot * 2 * rowBytes;
      store<f32>(dEntries + at, load<f32>(dEntries + at) + readRowBackward(m, dr, load<f32>(record + s.readWeights + at), rowBytes));
    }
  }
}

// @ts-ignore: decorator
@inline
function readRowBackward(m: usize, dr: usize, weight: f32, rowBytes: usize): f32 {
  let d = m + rowBytes, sum = zero4();
  const end = d;
  do {
    const g = v128.load(dr);
    sum = f32x4.add(sum, f32x4.mul(g, v128.load(m)));
    accumulate(d, f32x4.mul(splat(weight), g));
    m += 16; d += 16; dr += 16;
  } while (m < end);
  return sumLanes(sum);
}

/**
 * Adds up each cell's weights, w^w_i + sum_h w^r_h[i], and moves those above the threshold to the end of the order of access. Expects the marks as
 * listWrites left them, and clears them. With `record`, every row of the access gets its slot.
 */
export function noteAccess(s: SparseMemory, rows: TouchedRows, record: usize, now: i32, recorded: bool): void {
  const accessed = s.accessed, weights = s.accessedWeights, marks = rows.marks;
  let count = load<i32>(record + s.counts + floats(s.heads));
  for (let at: usize = 0, end = floats(count); at < end; at += 4) {
    store<i32>(accessed + at, load<i32>(record + s.writeRows + at));
    store<f32>(weights + at, load<f32>(record + s.writeWeights + at));
  }
  const entryBytes = floats(s.entryStride);
  for (let h = 0, list: usize = 0; h < s.heads; h++, list += entryBytes) {
    const end = list + floats(load<i32>(record + s.counts + floats(h)));
    for (let at = list; at < end; at += 4) {
      const row = load<i32>(record + s.readRows + at);
      let place = load<i32>(marks + floats(row)) - 1;
      if (place < 0) {
        place = count++;
        store<i32>(marks + floats(row), count);
        store<i32>(accessed + floats(place), row);
        store<f32>(weights + floats(place), 0);
      }
      store<f32>(weights + floats(place), load<f32>(weights + floats(place)) + load<f32>(record + s.readWeights + at));
    }
  }
  let numAccessed: usize = 0;
  for (let at: usize = 0, end = floats(count); at < end; at += 4) {
    const row = load<i32>(accessed + at);
    store<i32>(marks + floats(row), 0);
    if (recorded) giveSlot(rows, row);
    store<i32>(accessed + numAccessed, row);
    store<i32>(s.accessedCells + numAccessed, entryOf(rows.entries, row).cell);
    if (load<f32>(weights + at) > ACCESS_THRESHOLD) numAccessed += 4;
  }
  markInOrder(s, rows, numAccessed, now);
}

/** Marks the accessed rows by rising cell: each cell's place is the number of lower ones. */
// @ts-ignore: decorator
@inline
function markInOrder(s: SparseMemory, rows: TouchedRows, end: usize, now: i32): void {
  for (let i = end; i & 12; i += 4) store<i32>(s.accessedCells + i, i32.MAX_VALUE);
  for (let at: usize = 0; at < end; at += 4) {
    const cell = v128.load_splat<i32>(s.accessedCells + at);
    let lower = i32x4.splat(0);
    for (let other: usize = 0; other < end; other += 16) lower = i32x4.sub(lower, i32x4.lt_s(v128.load(s.accessedCells + other), cell));
    store<i32>(s.accessedOrder + floats(sumLanesOfInts(lower)), load<i32>(s.accessed + at));
  }
  for (let at: usize = 0; at < end; at += 4) markAccessed(rows, load<i32>(s.accessedOrder + at), now);
}

// @ts-ignore: decorator
@inline
function giveSlot(rows: TouchedRows, row: i32): void {
  const slot = rows.slots + floats(row);
  if (load<i32>(slot) != 0) return;
  store<i32>(rows.usedRows + floats(rows.used), row);
  store<i32>(slot, ++rows.used);
}
