// Reading in the order of writing (models.md §4): backward b_h = L^T w'_h and forward f_h = L w'_h, each cut to its K_T largest positive entries,
// and the mix of both with content: w_h = π_0 b_h + π_1 f_h + π_2 c_h. L and the cuts are constants to the gradient.
import { noteOf } from "./linkNotes";
import { flushTiny, floats, padded, splat, zero4 } from "./simd";
import { keepLargest, Links } from "./sparseLinks";
import { SparseMemory } from "./sparseLayout";
import { entryOf, TouchedRows } from "./touchedRows";

const BACKWARD: i32 = 0;
const FORWARD: i32 = 1;

/** Fills the record's temporal rows and weights from the read lists of `previous`; `recorded`: the links they were read through too. */
export function readTemporal(s: SparseMemory, rows: TouchedRows, links: Links, record: usize, previous: usize, recorded: bool): void {
  const listBytes = floats(s.temporalStride);
  let to = record + s.temporalRows;
  const toWeights = s.temporalWeights - s.temporalRows;
  for (let h = 0; h < s.heads; h++) {
    const list = previous + <usize>h * floats(s.entryStride);
    const count = load<i32>(previous + s.counts + floats(h));
    const backward = followBackward(s, links, list, count);
    chooseLargest(to, to + toWeights, rows, links, s.candidates, backward, s.temporalReads);
    const forward = followForward(s, links, list, count);
    chooseLargest(to + listBytes, to + listBytes + toWeights, rows, links, s.candidates, forward, s.temporalReads);
    if (recorded) noteLinksRead(s, links, record + s.linksRead + <usize>(2 * h) * listBytes * s.entryStride, to, list + s.readRows, count);
    to += 2 * listBytes;
  }
}

/** Adds up L_ij w'_i by row j; lists the rows reached and returns how many. */
// @ts-ignore: decorator
@inline
function followBackward(s: SparseMemory, links: Links, list: usize, count: i32): i32 {
  let found = 0;
  for (let p: usize = 0, end = floats(count); p < end; p += 4) {
    const w = load<f32>(list + s.readWeights + p);
    let at = links.columns + floats(load<i32>(list + s.readRows + p) << links.shift);
    const toWeights = links.weights - links.columns;
    for (const last = at + floats(links.most); at < last; at += 4) {
      const column = load<i32>(at);
      if (column >= 0) found = addTo(s, links, column, load<f32>(at + toWeights) * w, found);
    }
  }
  return found;
}

/** Adds up L_ij w'_j by row i. */
// @ts-ignore: decorator
@inline
function followForward(s: SparseMemory, links: Links, list: usize, count: i32): i32 {
  let found = 0;
  for (let p: usize = 0, end = floats(count); p < end; p += 4) {
    const w = load<f32>(list + s.readWeights + p);
    let at = links.places + floats(load<i32>(list + s.readRows + p) << links.shift);
    for (const last = at + floats(links.most); at < last; at += 4) {
      const place = load<i32>(at);
      if (place >= 0) found = addTo(s, links, place >> links.shift, load<f32>(links.weights + floats(place)) * w, found);
    }
  }
  return found;
}

// @ts-ignore: decorator
@inline
function addTo(s: SparseMemory, links: Links, row: i32, value: f32, found: i32): i32 {
  if (!(value > 0)) return found;
  const note = noteOf(links.notes, row);
  if (note.sum == 0) store<i32>(s.candidates + floats(found++), row);
  note.sum += value;
  return found;
}

/** The `most` rows of the largest sums, falling, then -1; clears the sums. */
function chooseLargest(listRows: usize, listWeights: usize, rows: TouchedRows, links: Links, candidates: usize, count: i32, most: i32): void {
  let kept = 0;
  for (let at = candidates, end = candidates + floats(count); at < end; at += 4) {
    const row = load<i32>(at);
    const note = noteOf(links.notes, row);
    const sum = note.sum;
    note.sum = 0;
    if (kept == most && sum < load<f32>(listWeights + floats(most - 1))) continue;
    kept = keepLargest(listRows, listWeights, kept, most, rows, row, sum);
  }
  for (let i = kept; i < padded(most); i++) {
    store<i32>(listRows + floats(i), -1);
    store<f32>(listWeights + floats(i), 0);
  }
}

/** For every temporal entry the links from the list it was read from: out [2, K_T padded, Ep]. */
// @ts-ignore: decorator
@inline
function noteLinksRead(s: SparseMemory, links: Links, out: usize, entries: usize, list: usize, count: i32): void {
  const rowBytes = floats(s.entryStride);
  for (let at = out, end = out + <usize>(2 * s.temporalStride) * rowBytes; at < end; at += 16) v128.store(at, zero4());
  for (let p = 0; p < count; p++) noteOf(links.notes, load<i32>(list + floats(p))).place = p + 1;
  for (let way = BACKWARD; way <= FORWARD; way++) {
    for (let a = 0; a < s.temporalReads; a++) {
      const row = load<i32>(entries + floats(way * s.temporalStride + a));
      if (row < 0) break;
      const to = out + <usize>(way * s.temporalStride + a) * rowBytes - 4;
      const first = row << links.shift;
      for (let k = first; k < first + links.most; k++) {
        let place = k;
        let from: i32;
        if (way == BACKWARD) {
          place = load<i32>(links.places + floats(k));
          from = place >> links.shift;
        } else {
          from = load<i32>(links.columns + floats(k));
        }
        if (from < 0) continue;
        const p = noteOf(links.notes, from).place;
        if (p > 0) store<f32>(to + floats(p), load<f32>(links.weights + floats(place)));
      }
    }
  }
  for (let p = 0; p < count; p++) noteOf(links.notes, load<i32>(list + floats(p))).place = 0;
}

/** Fills the record's read lists: each head's distinct rows, by falling weight. */
export function mixReads(s: SparseMemory, rows: TouchedRows, links: Links, record: usize, xi: usize): void {
  const listBytes = floats(s.temporalStride);
  const contentBytes = floats(s.contentStride);
  for (let h = 0; h < s.heads; h++) {
    const modes = xi + s.modes + <usize>h * 16;
    const ranks = record + s.ranks + <usize>h * (contentBytes + 2 * listBytes);
    const temporal = record + s.temporalRows + <usize>(2 * h) * listBytes;
    const toWeights = s.temporalWeights - s.temporalRows;
    let count = mixIn(s, links, ranks + contentBytes, temporal, temporal + toWeights, load<f32>(modes), s.temporalReads, 0);
    count = mixIn(
      s, links, ranks + contentBytes + listBytes, temporal + listBytes, temporal + listBytes + toWeights, load<f32>(modes, 4), s.temporalReads, count,
    );
    const content = <usize>h * contentBytes;
    count = mixIn(s, links, ranks, record + s.contentRows + content, record + s.contentWeights + content, load<f32>(modes, 8), s.reads, count);
    store<i32>(record + s.counts + floats(h), count);
    const list = record + <usize>h * floats(s.entryStride);
    sortMixed(s, rows, links, list + s.readRows, list + s.readWeights, count);
    for (let e: usize = 0; e < contentBytes + 2 * listBytes; e += 4) {
      store<i32>(ranks + e, load<i32>(s.mixedPlaces + floats(load<i32>(ranks + e))));
    }
  }
}

/** Adds mode · weight of every row of a list to the mixed rows, and writes where it was added; returns how many rows are mixed. */
// @ts-ignore: decorator
@inline
function mixIn(s: SparseMemory, links: Links, ranks: usize, listRows: usize, listWeights: usize, mode: f32, most: i32, count: i32): i32 {
  for (let at: usize = 0, end = floats(padded(most)); at < end; at += 4) store<i32>(ranks + at, 0);
  for (let at: usize = 0, end = floats(most); at < end; at += 4) {
    const row = load<i32>(listRows + at);
    if (row < 0) break;
    const note = noteOf(links.notes, row);
    const weight = mode * load<f32>(listWeights + at);
    if (note.place == 0) {
      store<i32>(s.mixedRows + floats(count), row);
      store<f32>(s.mixedWeights + floats(count), weight);
      note.place = ++count;
    } else {
      const to = s.mixedWeights + floats(note.place - 1);
      store<f32>(to, load<f32>(to) + weight);
    }
    store<i32>(ranks + at, note.place - 1);
  }
  return count;
}

/** Writes the mixed rows in falling order, and into mixedPlaces where each came to stand; clears the notes. */
// @ts-ignore: decorator
@inline
function sortMixed(s: SparseMemory, rows: TouchedRows, links: Links, listRows: usize, listWeights: usize, count: i32): void {
  const order = s.mixedOrder;
  for (let i = 0; i < count; i++) {
    const row = load<i32>(s.mixedRows + floats(i));
    const weight = load<f32>(s.mixedWeights + floats(i));
    noteOf(links.notes, row).place = 0;
    let at = floats(i);
    while (at > 0) {
      const before = load<f32>(listWeights + at - 4);
      if (before > weight) break;
      if (before == weight && entryOf(rows.entries, load<i32>(listRows + at - 4)).cell < entryOf(rows.entries, row).cell) break;
      store<f32>(listWeights + at, before);
      store<i32>(listRows + at, load<i32>(listRows + at - 4));
      store<i32>(order + at, load<i32>(order + at - 4));
      at -= 4;
    }
    store<f32>(listWeights + at, weight);
    store<i32>(listRows + at, row);
    store<i32>(order + at, i);
  }
  for (let p = 0; p < count; p++) store<i32>(s.mixedPlaces + floats(load<i32>(order + floats(p))), p);
}

/**
 * From the gradient of head h's read list, dEntries [Ep]: sets dContent [Kp] and the gradient of the modes; dEntries becomes what reaches the list
 * before through the links.
 */
export function mixBackward(s: SparseMemory, dxi: usize, dEntries: usize, dContent: usize, record: usize, xi: usize, h: i32): void {
  const listBytes = floats(s.temporalStride);
  const contentBytes = floats(s.contentStride);
  const ranks = record + s.ranks + <usize>h * (contentBytes + 2 * listBytes);
  const modes = xi + s.modes + <usize>h * 16, dModes = dxi + s.modes + <usize>h * 16;
  const temporal = record + s.temporalWeights + <usize>(2 * h) * listBytes;
  store<f32>(dModes, gatherMode(s.dTemporal, dEntries, ranks + contentBytes, temporal, load<f32>(modes), s.temporalStride));
  store<f32>(
    dModes, gatherMode(s.dTemporal + listBytes, dEntries, ranks + contentBytes + listBytes, temporal + listBytes, load<f32>(modes, 4), s.temporalStride), 4,
  );
  const content = record + s.contentWeights + <usize>h * contentBytes;
  store<f32>(dModes, gatherMode(dContent, dEntries, ranks, content, load<f32>(modes, 8), s.contentStride), 8);

  const entryBytes = floats(s.entryStride);
  for (let at = dEntries, end = dEntries + entryBytes; at < end; at += 16) v128.store(at, zero4());
  let link = record + s.linksRead + <usize>(2 * h) * listBytes * s.entryStride;
  for (let a = 0; a < 2 * s.temporalStride; a++) {
    const d = splat(load<f32>(s.dTemporal + floats(a)));
    for (let at = dEntries, end = dEntries + entryBytes; at < end; at += 16, link += 16) {
      v128.store(at, flushTiny(f32x4.add(v128.load(at), f32x4.mul(d, v128.load(link)))));
    }
  }
}

/** d = mode · dw of every entry of a list; returns sum weight · dw, the mode's gradient. Places beyond the list have weight 0. */
// @ts-ignore: decorator
@inline
function gatherMode(d: usize, dEntries: usize, ranks: usize, weights: usize, mode: f32, count: i32): f32 {
  let dMode: f32 = 0;
  for (let at: usize = 0, end = floats(count); at < end; at += 4) {
    const dWeight = load<f32>(dEntries + floats(load<i32>(ranks + at)));
    dMode += load<f32>(weights + at) * dWeight;
    store<f32>(d + at, mode * dWeight);
  }
  return dMode;
}
