// The sparse temporal links of SDNC (models.md §4), with w the write weights of an access as constants:
//   L_ij = (1 - w_i - w_j) L'_ij + w_i p'_j, L_ii = 0; every row keeps its K_L largest positive entries, then every column does;
//   p = (1 - sum w) p' + w keeps its K_L largest.
// Only rows and columns of written cells change, so only they are visited. Ties go to the lower cell.
//
// A row of L has `stride` places for its links (a power of two, at least K_L; those beyond K_L are never used), each with the row it leads from, -1 in
// a free one, and its weight, 0 in a free one and infinite beyond K_L. A column knows the places of its links: place = row · stride + k. So a
// weight is kept once. There is room for a weight at place -1, which loops write to no effect.
import { insertFalling } from "./fallingList";
import { noteOf } from "./linkNotes";
import { floats, splat, sumLanesOfInts, TINY, zero4 } from "./simd";
import { SparseMemory } from "./sparseLayout";
import { entryOf, TouchedRows } from "./touchedRows";

@unmanaged
export class Links {
  most: i32; // K_L
  shift: i32; // log2 of the stride
  columns: usize; // [C, stride] i32
  weights: usize; // [C, stride]
  places: usize; // [C, stride] i32, -1 free
  notes: usize; // [C] LinkNote
  precedence: usize; // count and three unused words; [stride] i32 rows and [stride] weights, falling
}

/** The rows touched since there were `from` have no links yet. */
export function startLinks(links: Links, from: i32, touched: i32): void {
  const none = i32x4.splat(-1);
  for (let row = from; row < touched; row++) {
    const first = row << links.shift;
    for (let at = floats(first), end = floats((row + 1) << links.shift); at < end; at += 16) {
      v128.store(links.columns + at, none);
      v128.store(links.weights + at, zero4());
      v128.store(links.places + at, none);
    }
    for (let place = first + links.most; place < (row + 1) << links.shift; place++) store<f32>(links.weights + floats(place), Infinity);
  }
}

/** L and p after the record's writes. */
export function updateLinks(s: SparseMemory, rows: TouchedRows, links: Links, record: usize): void {
  const count = load<i32>(record + s.counts + floats(s.heads));
  sortWrites(s, record + s.writeRows, record + s.writeWeights, count);
  for (let i = 0; i < count; i++) {
    const note = noteOf(links.notes, load<i32>(s.fallingRows + floats(i)));
    note.written = load<f32>(s.fallingWeights + floats(i));
    note.place = i + 1;
  }
  const numBefore = notePrecedence(s, links);
  for (let at: usize = 0, end = floats(count); at < end; at += 4) {
    const row = load<i32>(s.fallingRows + at), w = load<f32>(s.fallingWeights + at);
    decayRow(links, row, w);
    decayColumn(links, row, w);
  }
  for (let at = s.linksMet, end = at + ((1 + count) << links.shift); at < end; at += 16) v128.store(at, zero4());
  for (let a = 0; a < numBefore; a++) growColumn(s, links, a);
  for (let i = 0; i < count; i++) {
    updateRow(s, rows, links, load<i32>(s.fallingRows + floats(i)), load<f32>(s.fallingWeights + floats(i)), i + 1, numBefore);
  }
  for (let a = 0; a < numBefore; a++) joinColumn(s, rows, links, a);
  updatePrecedence(s, rows, links, count, numBefore);
  for (let i = 0; i < count; i++) {
    const note = noteOf(links.notes, load<i32>(s.fallingRows + floats(i)));
    note.written = 0;
    note.place = 0;
  }
}

/**
 * Writes in falling order of weight: what comes later then loses the contests below at the first look. Compared as integers, which order floats
 * of one sign alike, and give each write a place of its own even where weights are NaN.
 */
// @ts-ignore: decorator
@inline
function sortWrites(s: SparseMemory, writeRows: usize, weights: usize, count: i32): void {
  for (let i = count; i & 3; i++) store<i32>(weights + floats(i), i32.MIN_VALUE);
  const end = floats(count);
  let index = i32x4.splat(0);
  for (let at: usize = 0; at < end; at += 4) {
    const weight = v128.load_splat<i32>(weights + at);
    let before = i32x4.splat(0);
    let other: usize = 0, otherIndex = i32x4(0, 1, 2, 3);
    do {
      const otherWeight = v128.load(weights + other);
      const isEarlier = v128.and(i32x4.eq(otherWeight, weight), i32x4.lt_s(otherIndex, index));
      before = i32x4.sub(before, v128.or(i32x4.gt_s(otherWeight, weight), isEarlier));
      otherIndex = i32x4.add(otherIndex, i32x4.splat(4));
      other += 16;
    } while (other < end);
    const place = floats(sumLanesOfInts(before));
    store<i32>(s.fallingRows + place, load<i32>(writeRows + at));
    store<f32>(s.fallingWeights + place, load<f32>(weights + at));
    index = i32x4.add(index, i32x4.splat(1));
  }
}

/** Copies p' aside and marks its rows; returns how many there are. */
// @ts-ignore: decorator
@inline
function notePrecedence(s: SparseMemory, links: Links): i32 {
  const count = load<i32>(links.precedence);
  const from = links.precedence + 16, stride = floats(1 << links.shift);
  for (let a: usize = 0, end = floats(count); a < end; a += 4) {
    const row = load<i32>(from + a);
    store<i32>(s.precedenceRows + a, row);
    store<f32>(s.precedenceBefore + a, load<f32>(from + stride + a));
    store<i32>(s.newLinkCounts + a, 0);
    noteOf(links.notes, row).isPreceding = 1;
  }
  return count;
}

// @ts-ignore: decorator
@inline
function decayRow(links: Links, row: i32, w: f32): void {
  const first = row << links.shift;
  for (let place = first, end = first + links.most; place < end; place++) {
    const column = load<i32>(links.columns + floats(place));
    const weight = (<f32>1 - w - noteOf(links.notes, column).written) * load<f32>(links.weights + floats(place));
    store<f32>(links.weights + floats(place), weight);
  }
}

/** Links to rows that were not written decay by their column alone; those to written rows did with their row. */
// @ts-ignore: decorator
@inline
function decayColumn(links: Links, column: i32, w: f32): void {
  let at = links.places + floats(column << links.shift);
  for (const end = at + floats(links.most); at < end; at += 4) {
    const place = load<i32>(at);
    const note = noteOf(links.notes, place >> links.shift);
    const weight = select<f32>(<f32>1, <f32>1 - w, note.place) * load<f32>(links.weights + floats(place));
    store<f32>(links.weights + floats(place), weight);
    if (!(weight >= TINY) && place >= 0 && note.place == 0) {
      store<i32>(at, -1);
      freePlace(links, place);
    }
  }
}

/** The column of p's a-th row: its links to written rows grow, and those rows have met it. */
// @ts-ignore: decorator
@inline
function growColumn(s: SparseMemory, links: Links, a: i32): void {
  const weight = load<f32>(s.precedenceBefore + floats(a));
  let at = links.places + floats(load<i32>(s.precedenceRows + floats(a)) << links.shift);
  for (const end = at + floats(links.most); at < end; at += 4) {
    const place = load<i32>(at);
    const note = noteOf(links.notes, place >> links.shift);
    store<u8>(s.linksMet + (note.place << links.shift) + a, 1);
    store<f32>(links.weights + floats(place), load<f32>(links.weights + floats(place)) + note.written * weight);
  }
}

/** A written row: drops the links that decayed away, and lets those of p' that it had not met compete for its places. */
function updateRow(s: SparseMemory, rows: TouchedRows, links: Links, row: i32, w: f32, met: i32, numBefore: i32): void {
  const first = row << links.shift;
  const end = first + links.most;
  let dropped = i32x4.splat(0);
  for (let at = floats(first); at < floats(first + (1 << links.shift)); at += 16) {
    const isLink = i32x4.ge_s(v128.load(links.columns + at), i32x4.splat(0));
    dropped = v128.or(dropped, v128.andnot(isLink, f32x4.ge(v128.load(links.weights + at), splat(TINY))));
  }
  if (v128.any_true(dropped)) {
    for (let place = first; place < end; place++) {
      if (load<i32>(links.columns + floats(place)) >= 0 && !(load<f32>(links.weights + floats(place)) >= TINY)) removeLink(links, place);
    }
  }
  let group = first;
  let free = i32x4.bitmask(v128.load(links.columns + floats(group)));
  for (let a = 0; a < numBefore; a++) {
    const column = load<i32>(s.precedenceRows + floats(a));
    const weight = w * load<f32>(s.precedenceBefore + floats(a));
    if (!(weight >= TINY)) break; // p' falls
    if (column == row || load<u8>(s.linksMet + (met << links.shift) + a) != 0) continue;
    while (free == 0 && group + 4 < end) {
      group += 4;
      free = i32x4.bitmask(v128.load(links.columns + floats(group)));
    }
    let place = free == 0 ? end : group + ctz(free);
    free &= free - 1;
    if (place >= end) {
      place = first + weakestOf(links.weights + floats(first), 1 << links.shift);
      const least = load<f32>(links.weights + floats(place));
      if (weight < least) break; // and so are all that come after
      if (isTied(links.weights + floats(first), 1 << links.shift, least)) place = lastOfEqualColumns(rows, links, first, place, least);
      if (weight == least && columnCell(rows, links, place) < entryOf(rows.entries, column).cell) continue;
      removeLink(links, place);
    }
    store<i32>(links.columns + floats(place), column);
    store<f32>(links.weights + floats(place), weight);
    const added = load<i32>(s.newLinkCounts + floats(a));
    store<i32>(s.newLinks + <usize>(a * s.writesBytes) + floats(added), place);
    store<i32>(s.newLinkCounts + floats(a), added + 1);
  }
}

/** The first of the smallest of `count` weights, a multiple of 4. */
// @ts-ignore: decorator
@inline
function weakestOf(weights: usize, count: i32): i32 {
  let smallest = v128.load(weights);
  for (let at = weights + 16, end = weights + floats(count); at < end; at += 16) smallest = f32x4.pmin(smallest, v128.load(at));
  smallest = f32x4.pmin(smallest, v128.shuffle<f32>(smallest, smallest, 2, 3, 0, 1));
  smallest = f32x4.pmin(smallest, v128.shuffle<f32>(smallest, smallest, 1, 0, 3, 2));
  let at = weights;
  let found = i32x4.bitmask(f32x4.eq(v128.load(at), smallest));
  while (found == 0 && at < weights + floats(count - 4)) {
    at += 16;
    found = i32x4.bitmask(f32x4.eq(v128.load(at), smallest));
  }
  return <i32>((at - weights) >> 2) + (found == 0 ? 0 : ctz(found));
}

// @ts-ignore: decorator
@inline
function isTied(weights: usize, count: i32, least: f32): bool {
  let equal = 0;
  for (let at = weights, end = weights + floats(count); at < end; at += 16) {
    equal += popcnt(i32x4.bitmask(f32x4.eq(v128.load(at), splat(least))));
  }
  return equal > 1;
}

/** Among the places of a row from `place` on that hold `least`, the one of the highest cell. */
// @ts-ignore: decorator
@inline
function lastOfEqualColumns(rows: TouchedRows, links: Links, first: i32, place: i32, least: f32): i32 {
  let last = place;
  for (let other = place + 1; other < first + links.most; other++) {
    if (load<f32>(links.weights + floats(other)) == least && columnCell(rows, links, other) > columnCell(rows, links, last)) last = other;
  }
  return last;
}

// @ts-ignore: decorator
@inline
function columnCell(rows: TouchedRows, links: Links, place: i32): i32 {
  return entryOf(rows.entries, load<i32>(links.columns + floats(place))).cell;
}

/** Frees a place, and the column's note of it, which a link added in this access does not have yet. */
function removeLink(links: Links, place: i32): void {
  let at = links.places + floats(load<i32>(links.columns + floats(place)) << links.shift);
  for (const end = at + floats(links.most); at < end; at += 4) {
    if (load<i32>(at) == place) {
      store<i32>(at, -1);
      break;
    }
  }
  freePlace(links, place);
}

// @ts-ignore: decorator
@inline
function freePlace(links: Links, place: i32): void {
  store<i32>(links.columns + floats(place), -1);
  store<f32>(links.weights + floats(place), 0);
}

/** The column of p's a-th row: the links that its rows kept compete for its places with those it has. */
function joinColumn(s: SparseMemory, rows: TouchedRows, links: Links, a: i32): void {
  const column = load<i32>(s.precedenceRows + floats(a));
  const places = links.places + floats(column << links.shift);
  const stride = 1 << links.shift;
  const weights = s.columnWeights; // of its places, as in a row
  for (let k = 0; k < stride; k++) {
    const place = load<i32>(places + floats(k));
    store<f32>(weights + floats(k), k >= links.most ? Infinity : place < 0 ? 0 : load<f32>(links.weights + floats(place)));
  }
  let weakest = weakestOf(weights, stride);
  let least = load<f32>(weights + floats(weakest));
  for (let at = s.newLinks + <usize>(a * s.writesBytes), end = at + floats(load<i32>(s.newLinkCounts + floats(a))); at < end; at += 4) {
    const place = load<i32>(at);
    if (load<i32>(links.columns + floats(place)) != column) continue; // its row gave the place to another
    const weight = load<f32>(links.weights + floats(place));
    if (least > 0 && weight >= least && isTied(weights, stride, least)) weakest = lastOfEqualRows(rows, links, places, weights, weakest, least);
    const loser = load<i32>(places + floats(weakest));
    if (weight < least || (weight == least && rowCell(rows, links, loser) < rowCell(rows, links, place))) {
      freePlace(links, place);
      continue;
    }
    if (loser >= 0) freePlace(links, loser);
    store<i32>(places + floats(weakest), place);
    store<f32>(weights + floats(weakest), weight);
    weakest = weakestOf(weights, stride);
    least = load<f32>(weights + floats(weakest));
  }
}

/** As lastOfEqualColumns, among a column's places. */
// @ts-ignore: decorator
@inline
function lastOfEqualRows(rows: TouchedRows, links: Links, places: usize, weights: usize, first: i32, least: f32): i32 {
  let last = first;
  for (let k = first + 1; k < links.most; k++) {
    if (load<f32>(weights + floats(k)) != least) continue;
    if (rowCell(rows, links, load<i32>(places + floats(k))) > rowCell(rows, links, load<i32>(places + floats(last)))) last = k;
  }
  return last;
}

// @ts-ignore: decorator
@inline
function rowCell(rows: TouchedRows, links: Links, place: i32): i32 {
  return entryOf(rows.entries, place >> links.shift).cell;
}

/** p from p', and the notes of p' cleared. */
// @ts-ignore: decorator
@inline
function updatePrecedence(s: SparseMemory, rows: TouchedRows, links: Links, count: i32, numBefore: i32): void {
  let sum: f32 = 0;
  for (let i = 0; i < count; i++) sum += load<f32>(s.fallingWeights + floats(i));
  const listRows = links.precedence + 16;
  const stride = 1 << links.shift;
  const listWeights = listRows + floats(stride);
  for (let at = listWeights, end = listWeights + floats(stride); at < end; at += 16) v128.store(at, zero4());
  for (let a = 0; a < numBefore; a++) {
    const row = load<i32>(s.precedenceRows + floats(a));
    const weight = (<f32>1 - sum) * load<f32>(s.precedenceBefore + floats(a)) + noteOf(links.notes, row).written;
    if (weight >= TINY) insertFalling(listRows, listWeights, stride, rows.entries, 0, row, weight);
  }
  const last = listWeights + floats(links.most - 1);
  for (let i = 0; i < count; i++) {
    const weight = load<f32>(s.fallingWeights + floats(i));
    if (!(weight >= max(load<f32>(last), TINY))) break;
    const row = load<i32>(s.fallingRows + floats(i));
    if (noteOf(links.notes, row).isPreceding == 0) insertFalling(listRows, listWeights, stride, rows.entries, 0, row, weight);
  }
  let kept = 0;
  while (kept < links.most && load<f32>(listWeights + floats(kept)) > 0) kept++;
  store<i32>(links.precedence, kept);
  for (let a = 0; a < numBefore; a++) noteOf(links.notes, load<i32>(s.precedenceRows + floats(a))).isPreceding = 0;
}
