// The sparse write (models.md §3, steps 1 to 3): with z the least recently accessed cell,
//   w_i = g_w (g_i mean_h w'_h[i] + (1 - g_i) [i = z]),   M = M' with row z set to 0, then + w v^T.
// The write list has z first, then the cells of the read lists before, as they come. z is a constant to the gradient.
import { countFilled, encodeWritten } from "./rowCodes";
import { accumulate, floats, flushTiny, splat, sumLanes, zero4 } from "./simd";
import { SparseMemory } from "./sparseLayout";
import { inverseNorm, TouchedRows } from "./touchedRows";

/** Fills the record's writes from the read lists of `previous`. Leaves the marks of the written rows at 1 + their place in the list. */
export function listWrites(s: SparseMemory, rows: TouchedRows, record: usize, previous: usize, xi: usize, z: i32): void {
  const marks = rows.marks;
  const writeRows = record + s.writeRows, means = record + s.writeMeans, weights = record + s.writeWeights;
  store<i32>(writeRows, z);
  store<f32>(means, 0);
  store<i32>(marks + floats(z), 1);
  let count = 1;
  const entryBytes = floats(s.entryStride);
  for (let h = 0, list: usize = 0; h < s.heads; h++, list += entryBytes) {
    const end = list + floats(load<i32>(previous + s.counts + floats(h)));
    for (let at = list; at < end; at += 4) {
      const row = load<i32>(previous + s.readRows + at);
      let place = load<i32>(marks + floats(row)) - 1;
      if (place < 0) {
        place = count++;
        store<i32>(marks + floats(row), count);
        store<i32>(writeRows + floats(place), row);
        store<f32>(means + floats(place), 0);
      }
      const sum = means + floats(place);
      store<f32>(sum, load<f32>(sum) + load<f32>(previous + s.readWeights + at));
      store<i32>(record + s.writeSlots + at, place);
    }
  }
  store<i32>(record + s.counts + floats(s.heads), count);
  for (let i = count; i & 3; i++) store<f32>(means + floats(i), 0);
  const interpolation = load<f32>(xi + s.gates), write = load<f32>(xi + s.gates, 4);
  const numHeads = splat(<f32>s.heads);
  for (let at: usize = 0, end = floats(count); at < end; at += 16) {
    const mean = f32x4.div(v128.load(means + at), numHeads);
    v128.store(means + at, mean);
    v128.store(weights + at, f32x4.mul(splat(write), f32x4.mul(splat(interpolation), mean)));
  }
  store<f32>(weights, write * (interpolation * load<f32>(means) + (1 - interpolation)));
}

/** Copies what the write will overwrite: rows, then inverse norms. */
export function saveRows(s: SparseMemory, saved: usize, rows: TouchedRows, record: usize): void {
  const rowBytes = floats(s.wordWidth);
  const count = load<i32>(record + s.counts + floats(s.heads));
  for (let i = 0, to = saved; i < count; i++) {
    const row = load<i32>(record + s.writeRows + floats(i));
    store<f32>(saved + s.savedNorms + floats(i), load<f32>(rows.inverseNorms + floats(row)));
    let from = rows.memory + <usize>row * rowBytes;
    for (const end = to + rowBytes; to < end; to += 16, from += 16) v128.store(to, v128.load(from));
  }
}

export function writeRows(s: SparseMemory, rows: TouchedRows, record: usize, xi: usize): void {
  const count = load<i32>(record + s.counts + floats(s.heads));
  const filledBefore = s.codeBytes == 0 ? 0 : countFilled(rows, record + s.writeRows, count);
  const vector = xi + s.writeVector;
  const rowBytes = floats(s.wordWidth);
  let keep = zero4(); // nothing of row z
  for (let i = 0; i < count; i++) {
    const row = load<i32>(record + s.writeRows + floats(i));
    const weight = v128.load_splat<f32>(record + s.writeWeights + floats(i));
    let at = rows.memory + <usize>row * rowBytes, v = vector, sum = zero4();
    const end = at + rowBytes;
    do {
      const x = f32x4.add(v128.and(keep, v128.load(at)), f32x4.mul(weight, v128.load(v)));
      v128.store(at, x);
      sum = f32x4.add(sum, f32x4.mul(x, x));
      at += 16;
      v += 16;
    } while (at < end);
    store<f32>(rows.inverseNorms + floats(row), inverseNorm(sumLanes(sum)));
    keep = i32x4.splat(-1);
  }
  if (s.codeBytes != 0) encodeWritten(s, rows, record + s.writeRows, count, filledBefore);
}

/**
 * From the rows' gradients: dv, the two gates' and the read lists' before; undoes the write on the working copy.
 * `dEntries` [R, Ep] is added to; `dWrites` [Sp] comes with the gradient that reached the write weights themselves, and is used up.
 */
export function writeBackward(
  s: SparseMemory, dxi: usize, dEntries: usize, dWrites: usize, rows: TouchedRows, record: usize, previous: usize, saved: usize, xi: usize,
): void {
  const count = load<i32>(record + s.counts + floats(s.heads));
  const rowBytes = floats(s.wordWidth);
  let old = saved;
  for (let i = 0; i < count; i++) {
    const slot = load<i32>(rows.slots + floats(load<i32>(record + s.writeRows + floats(i)))) - 1;
    const m = rows.work + <usize>slot * 2 * rowBytes;
    store<f32>(rows.workNorms + floats(slot), load<f32>(saved + s.savedNorms + floats(i)));
    const dWeight = undoRow(dxi + s.writeVector, m, m + rowBytes, old, xi + s.writeVector, load<f32>(record + s.writeWeights + floats(i)), rowBytes);
    store<f32>(dWrites + floats(i), load<f32>(dWrites + floats(i)) + dWeight);
    old += rowBytes;
  }
  const first = load<i32>(record + s.writeRows);
  clearGradient(rows.work + (<usize>(load<i32>(rows.slots + floats(first)) - 1) * 2 + 1) * rowBytes, rowBytes); // M = 0 at z, whatever M' was
  weightsBackward(s, dxi, dEntries, dWrites, record, previous, xi, count);
  for (let at = dWrites, end = dWrites + floats(count); at < end; at += 16) v128.store(at, zero4());
}

/** M_i = M'_i + w_i v: adds to dv, restores M'_i, returns dw_i. */
// @ts-ignore: decorator
@inline
function undoRow(dVector: usize, m: usize, d: usize, old: usize, vector: usize, weight: f32, rowBytes: usize): f32 {
  let sum = zero4();
  const end = d + rowBytes;
  do {
    const g = v128.load(d);
    accumulate(dVector, f32x4.mul(splat(weight), g));
    sum = f32x4.add(sum, f32x4.mul(g, v128.load(vector)));
    v128.store(m, v128.load(old));
    d += 16; m += 16; old += 16; vector += 16; dVector += 16;
  } while (d < end);
  return sumLanes(sum);
}

// @ts-ignore: decorator
@inline
function clearGradient(d: usize, rowBytes: usize): void {
  for (const end = d + rowBytes; d < end; d += 16) v128.store(d, zero4());
}

/** w_i = g_w (g_i mean_i + (1 - g_i) [i = z]), mean_i = sum_h w'_h[i] / R. */
// @ts-ignore: decorator
@inline
function weightsBackward(
  s: SparseMemory, dxi: usize, dEntries: usize, dWrites: usize, record: usize, previous: usize, xi: usize, count: i32,
): void {
  const interpolation = load<f32>(xi + s.gates), write = load<f32>(xi + s.gates, 4);
  const dFirst = load<f32>(dWrites);
  const dMean = splat((write * interpolation) / <f32>s.heads);
  let dot = zero4();
  for (let at: usize = 0, end = floats(count); at < end; at += 16) {
    const d = v128.load(dWrites + at);
    dot = f32x4.add(dot, f32x4.mul(d, v128.load(record + s.writeMeans + at)));
    v128.store(dWrites + at, flushTiny(f32x4.mul(d, dMean)));
  }
  const means = sumLanes(dot);
  store<f32>(dxi + s.gates, write * (means - dFirst));
  store<f32>(dxi + s.gates, interpolation * means + (1 - interpolation) * dFirst, 4);
  const entryBytes = floats(s.entryStride);
  for (let h = 0, list: usize = 0; h < s.heads; h++, list += entryBytes) {
    const end = list + floats(load<i32>(previous + s.counts + floats(h)));
    for (let at = list; at < end; at += 4) {
      const place = load<i32>(record + s.writeSlots + at);
      store<f32>(dEntries + at, load<f32>(dEntries + at) + load<f32>(dWrites + floats(place)));
    }
  }
}
