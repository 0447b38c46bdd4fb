// Reading in the order of writing (models.md §4): backward b_h = L^T w'_h and forward f_h = L w'_h, each cut to its K_T largest positive entries,
// and the mix of both with content: w_h = π_0 b_h + π_1 f_h + π_2 c_h. L and the cuts are constants to the gradient.
import { insertFalling } from "./fallingList";
import { noteOf } from "./linkNotes";
import { accumulate, flushTiny, floats, padded, splat, sumLanesOfInts, TINY, zero4 } from "./simd";
import { Links } from "./sparseLinks";
import { SparseMemory } from "./sparseLayout";
import { entryOf, TouchedRows } from "./touchedRows";

/** Fills the record's temporal rows and weights from the read lists of `previous`; `recorded`: the links they were read through too. */
export function readTemporal(s: SparseMemory, rows: TouchedRows, links: Links, record: usize, previous: usize, recorded: bool): void {
  spreadReads(s, record, previous);
  const listBytes = floats(s.temporalStride);
  const numWrites = load<i32>(record + s.counts + floats(s.heads));
  const entries = record + s.temporalRows;
  noteOf(links.notes, -1).place = 1;
  chooseLargest(s, entries, rows, links, followBackward(s, links, record, numWrites));
  chooseLargest(s, entries + listBytes, rows, links, followForward(s, links, record, numWrites));
  noteOf(links.notes, -1).place = 0;
  if (!recorded) return;
  for (let h = 0; h < s.heads; h++) {
    const list = previous + s.readRows + <usize>h * floats(s.entryStride);
    const out = record + s.linksRead + <usize>(2 * h) * listBytes * (s.entryStride + 4);
    noteLinksRead(s, links, out, entries + <usize>(2 * h) * listBytes, list, load<i32>(previous + s.counts + floats(h)));
  }
}

/** The read lists before as a row of R weights for each place of the write list, so that links are followed once for all heads. */
// @ts-ignore: decorator
@inline
function spreadReads(s: SparseMemory, record: usize, previous: usize): void {
  const stride = floats(padded(s.heads));
  const spread = s.spreadReads;
  const end = spread + <usize>load<i32>(record + s.counts + floats(s.heads)) * stride;
  for (let at = spread; at < end; at += 16) v128.store(at, zero4());
  for (let h = 0, list: usize = 0; h < s.heads; h++, list += floats(s.entryStride)) {
    for (let at = list, last = list + floats(load<i32>(previous + s.counts + floats(h))); at < last; at += 4) {
      const place = load<i32>(record + s.writeSlots + at);
      store<f32>(spread + <usize>place * stride + floats(h), load<f32>(previous + s.readWeights + at));
    }
  }
}

/** Adds up L_ij w'_i by row j for every head; lists the rows reached after a place for row -1, and returns how many there are with it. */
// @ts-ignore: decorator
@inline
function followBackward(s: SparseMemory, links: Links, record: usize, numWrites: i32): i32 {
  const stride = floats(padded(s.heads));
  const toWeights = links.weights - links.columns;
  let found = 1;
  for (let i: usize = 0, reads = s.spreadReads, end = floats(numWrites); i < end; i += 4, reads += stride) {
    if (load<f32>(record + s.writeMeans + i) == 0) continue; // z, where nothing read it
    let at = links.columns + floats(load<i32>(record + s.writeRows + i) << links.shift);
    for (const last = at + floats(links.most); at < last; at += 4) {
      found = addLink(s, links.notes, load<i32>(at), v128.load_splat<f32>(at + toWeights), reads, stride, found);
    }
  }
  return found;
}

/** Adds up L_ij w'_j by row i for every head. */
// @ts-ignore: decorator
@inline
function followForward(s: SparseMemory, links: Links, record: usize, numWrites: i32): i32 {
  const stride = floats(padded(s.heads));
  let found = 1;
  for (let i: usize = 0, reads = s.spreadReads, end = floats(numWrites); i < end; i += 4, reads += stride) {
    if (load<f32>(record + s.writeMeans + i) == 0) continue;
    let at = links.places + floats(load<i32>(record + s.writeRows + i) << links.shift);
    for (const last = at + floats(links.most); at < last; at += 4) {
      const place = load<i32>(at);
      found = addLink(s, links.notes, place >> links.shift, v128.load_splat<f32>(links.weights + floats(place)), reads, stride, found);
    }
  }
  return found;
}

/** sums of `row` += link · reads, over heads. A row met for the first time is a candidate; without a branch, for whether it is cannot be foreseen. */
// @ts-ignore: decorator
@inline
function addLink(s: SparseMemory, notes: usize, row: i32, link: v128, reads: usize, stride: usize, found: i32): i32 {
  const note = noteOf(notes, row);
  const place = note.place;
  const isNew = i32(place == 0);
  store<i32>(s.candidates + floats(found), row);
  found += isNew;
  const now = select<i32>(found, place, isNew);
  note.place = now;
  const sums = s.candidateSums + <usize>(now - 1) * stride;
  for (let h: usize = 0; h < stride; h += 16) accumulate(sums + h, f32x4.mul(link, v128.load(reads + h)));
  return found;
}

/** Each head's rows of the largest sums, falling, then -1; clears notes and sums. `entries`: head 0's list, of this way. */
function chooseLargest(s: SparseMemory, entries: usize, rows: TouchedRows, links: Links, count: i32): void {
  const stride = floats(padded(s.heads));
  const listBytes = 2 * floats(s.temporalStride);
  clearEntries(s, entries, 0);
  for (let h = 0; h < s.heads; h += 4) chooseOfFour(s, entries + <usize>h * listBytes, rows, s.candidateSums + floats(h), stride, count);
  clearEntries(s, entries, s.temporalReads);
  for (let c: usize = 4, end = floats(count); c < end; c += 4) noteOf(links.notes, load<i32>(s.candidates + c)).place = 0;
  for (let at = s.candidateSums, end = at + <usize>count * stride; at < end; at += 16) v128.store(at, zero4());
}

/** Of four heads: a candidate is looked at closely where it reaches a head's last kept sum. Those are kept in a register, as they change one by one. */
// @ts-ignore: decorator
@inline
function chooseOfFour(s: SparseMemory, entries: usize, rows: TouchedRows, sums: usize, stride: usize, count: i32): void {
  const listBytes = 2 * floats(s.temporalStride);
  const toWeights = s.temporalWeights - s.temporalRows;
  const last = toWeights + floats(s.temporalReads - 1);
  let least = splat(TINY);
  let sum = sums + stride;
  for (let c: usize = 4, end = floats(count); c < end; c += 4, sum += stride) {
    let reached = i32x4.bitmask(f32x4.ge(v128.load(sum), least));
    for (; reached != 0; reached &= reached - 1) {
      const h = ctz(reached);
      const list = entries + <usize>h * listBytes;
      insertFalling(list, list + toWeights, s.temporalStride, rows.entries, 0, load<i32>(s.candidates + c), load<f32>(sum + floats(h)));
      const isHead = i32x4.eq(i32x4(0, 1, 2, 3), i32x4.splat(h));
      least = v128.bitselect(f32x4.pmax(v128.load_splat<f32>(list + last), splat(TINY)), least, isHead);
    }
  }
}

/** Empties the places from `first` on of every head's list of one way. */
// @ts-ignore: decorator
@inline
function clearEntries(s: SparseMemory, entries: usize, first: i32): void {
  const listBytes = 2 * floats(s.temporalStride);
  const toWeights = s.temporalWeights - s.temporalRows;
  for (let list = entries, end = entries + <usize>s.heads * listBytes; list < end; list += listBytes) {
    for (let at = list + floats(first), last = list + floats(s.temporalStride); at < last; at += 4) {
      store<i32>(at, -1);
      store<f32>(at + toWeights, 0);
    }
  }
}

/** For every temporal entry the links from the list it was read from: out [2, K_T padded, 4 + Ep], place p at 1 + p. */
// @ts-ignore: decorator
@inline
function noteLinksRead(s: SparseMemory, links: Links, out: usize, entries: usize, list: usize, count: i32): void {
  const rowBytes = floats(s.entryStride + 4);
  for (let at = out, end = out + <usize>(2 * s.temporalStride) * rowBytes; at < end; at += 16) v128.store(at, zero4());
  const notes = links.notes;
  for (let p = 0; p < count; p++) noteOf(notes, load<i32>(list + floats(p))).place = p + 1;
  const toWeights = links.weights - links.columns;
  let to = out;
  for (let entry = entries, end = entry + floats(s.temporalReads); entry < end; entry += 4, to += rowBytes) {
    const row = load<i32>(entry);
    if (row < 0) break;
    for (let at = links.places + floats(row << links.shift), last = at + floats(links.most); at < last; at += 4) {
      const place = load<i32>(at);
      store<f32>(to + floats(noteOf(notes, place >> links.shift).place), load<f32>(links.weights + floats(place)));
    }
  }
  to = out + <usize>s.temporalStride * rowBytes;
  entries += floats(s.temporalStride);
  for (let entry = entries, end = entry + floats(s.temporalReads); entry < end; entry += 4, to += rowBytes) {
    const row = load<i32>(entry);
    if (row < 0) break;
    for (let at = links.columns + floats(row << links.shift), last = at + floats(links.most); at < last; at += 4) {
      store<f32>(to + floats(noteOf(notes, load<i32>(at)).place), load<f32>(at + toWeights));
    }
  }
  for (let p = 0; p < count; p++) noteOf(notes, load<i32>(list + floats(p))).place = 0;
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

/** Writes the mixed rows in falling order (compared as in sortWrites), and into mixedPlaces where each came to stand; clears the notes. */
// @ts-ignore: decorator
@inline
function sortMixed(s: SparseMemory, rows: TouchedRows, links: Links, listRows: usize, listWeights: usize, count: i32): void {
  const end = floats(count);
  for (let at: usize = 0; at < end; at += 4) {
    const row = load<i32>(s.mixedRows + at);
    noteOf(links.notes, row).place = 0;
    store<i32>(s.mixedCells + at, entryOf(rows.entries, row).cell);
  }
  for (let i = count; i & 3; i++) store<i32>(s.mixedWeights + floats(i), i32.MIN_VALUE); // behind all
  for (let at: usize = 0; at < end; at += 4) {
    const weight = v128.load_splat<i32>(s.mixedWeights + at), cell = v128.load_splat<i32>(s.mixedCells + at);
    let before = i32x4.splat(0);
    for (let other: usize = 0; other < end; other += 16) {
      const otherWeight = v128.load(s.mixedWeights + other);
      const isLower = i32x4.lt_s(v128.load(s.mixedCells + other), cell);
      before = i32x4.sub(before, v128.or(i32x4.gt_s(otherWeight, weight), v128.and(i32x4.eq(otherWeight, weight), isLower)));
    }
    const place = sumLanesOfInts(before);
    store<i32>(s.mixedPlaces + at, place);
    store<i32>(listRows + floats(place), load<i32>(s.mixedRows + at));
    store<f32>(listWeights + floats(place), load<f32>(s.mixedWeights + at));
  }
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
  let link = record + s.linksRead + <usize>(2 * h) * listBytes * (s.entryStride + 4);
  for (let a = 0; a < 2 * s.temporalStride; a++) {
    const d = splat(load<f32>(s.dTemporal + floats(a)));
    for (let at = dEntries, end = dEntries + entryBytes; at < end; at += 16, link += 16) {
      v128.store(at, flushTiny(f32x4.add(v128.load(at), f32x4.mul(d, v128.load(link, 4)))));
    }
    link += 16;
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
