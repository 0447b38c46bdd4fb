// The sparse temporal links of SDNC (models.md §4), with w the write weights of an access as constants:
//   L_ij = (1 - w_i - w_j) L'_ij + w_i p'_j, L_ii = 0; every row keeps its K_L largest positive entries, then every column does;
//   p = (1 - sum w) p' + w keeps its K_L largest.
// Only rows and columns of written cells change, so only they are visited. Ties go to the lower cell.
//
// A row of L has `stride` places (a power of two, at least K_L) for its links, each with the row it leads from, -1 in a free one, and its weight,
// 0 in a free one. A column knows the places of its links: place = row · stride + k. So a weight is kept once.
import { noteOf } from "./linkNotes";
import { floats, TINY } from "./simd";
import { SparseMemory } from "./sparseLayout";
import { entryOf, TouchedRows } from "./touchedRows";

@unmanaged
export class Links {
  most: i32; // K_L
  shift: i32; // log2 of the stride
  columns: usize; // [C, stride] i32
  weights: usize; // [C, stride]
  places: usize; // [C, stride] i32, -1 free
  notes: usize; // [C] LinkNote, 0 between uses
  precedence: usize; // count and three unused words; [stride] i32 rows and [stride] weights, falling
}

/** The rows touched since there were `from` have no links yet. */
export function startLinks(links: Links, from: i32, touched: i32): void {
  const none = i32x4.splat(-1), zero = i32x4.splat(0);
  for (let at = floats(from << links.shift), end = floats(touched << links.shift); at < end; at += 16) {
    v128.store(links.columns + at, none);
    v128.store(links.weights + at, zero);
    v128.store(links.places + at, none);
  }
}

/** L and p after the record's writes. */
export function updateLinks(s: SparseMemory, rows: TouchedRows, links: Links, record: usize): void {
  const count = load<i32>(record + s.counts + floats(s.heads));
  const written = record + s.writeRows, weights = record + s.writeWeights;
  for (let at: usize = 0, end = floats(count); at < end; at += 4) noteOf(links.notes, load<i32>(written + at)).written = load<f32>(weights + at);
  const numBefore = notePrecedence(s, links);
  for (let at: usize = 0, end = floats(count); at < end; at += 4) {
    const w = load<f32>(weights + at);
    if (w == 0) continue;
    updateRow(s, rows, links, load<i32>(written + at), w, numBefore);
    decayColumn(links, load<i32>(written + at), w);
  }
  for (let a = 0; a < numBefore; a++) joinColumn(s, rows, links, a);
  updatePrecedence(s, rows, links, record, numBefore);
  for (let at: usize = 0, end = floats(count); at < end; at += 4) noteOf(links.notes, load<i32>(written + at)).written = 0;
}

/** Copies p' aside, its weights one place up so that place 0 is "none", and notes each row's place; returns how many there are. */
// @ts-ignore: decorator
@inline
function notePrecedence(s: SparseMemory, links: Links): i32 {
  const count = load<i32>(links.precedence);
  const from = links.precedence + 16, stride = floats(1 << links.shift);
  store<f32>(s.precedenceBefore, 0);
  for (let a = 0; a < count; a++) {
    const row = load<i32>(from + floats(a));
    store<i32>(s.precedenceRows + floats(a), row);
    store<f32>(s.precedenceBefore + floats(a), load<f32>(from + stride + floats(a)), 4);
    store<i32>(s.precedenceMet + floats(a), -1, 4);
    store<i32>(s.newLinkCounts + floats(a), 0);
    noteOf(links.notes, row).precedence = a + 1;
  }
  return count;
}

/** A written row: its links decay and grow, and those of p' that it did not have compete for its places. */
function updateRow(s: SparseMemory, rows: TouchedRows, links: Links, row: i32, w: f32, numBefore: i32): void {
  const first = row << links.shift;
  for (let place = first, end = first + links.most; place < end; place++) {
    const column = load<i32>(links.columns + floats(place));
    if (column < 0) continue;
    const note = noteOf(links.notes, column);
    const a = floats(note.precedence);
    const weight = (<f32>1 - w - note.written) * load<f32>(links.weights + floats(place)) + w * load<f32>(s.precedenceBefore + a);
    store<i32>(s.precedenceMet + a, row);
    if (weight >= TINY) store<f32>(links.weights + floats(place), weight);
    else removeLink(links, place);
  }
  for (let a = 0; a < numBefore; a++) {
    const column = load<i32>(s.precedenceRows + floats(a));
    const weight = w * load<f32>(s.precedenceBefore + floats(a), 4);
    if (!(weight >= TINY)) break; // p' falls
    if (column == row || load<i32>(s.precedenceMet + floats(a), 4) == row) continue;
    if (!addLink(s, rows, links, first, column, weight, a)) break;
  }
}

/** A new link in its row, in the place of the weakest there; false when even that is stronger, and so than all that come after. */
// @ts-ignore: decorator
@inline
function addLink(s: SparseMemory, rows: TouchedRows, links: Links, first: i32, column: i32, weight: f32, a: i32): bool {
  let weakest = first;
  let least = load<f32>(links.weights + floats(first));
  for (let place = first + 1, end = first + links.most; place < end; place++) {
    const other = load<f32>(links.weights + floats(place));
    if (other > least) continue;
    if (other < least || (other > 0 && columnCell(rows, links, place) > columnCell(rows, links, weakest))) {
      weakest = place;
      least = other;
    }
  }
  if (weight < least) return false;
  if (least > 0) {
    if (weight == least && columnCell(rows, links, weakest) < entryOf(rows.entries, column).cell) return true;
    removeLink(links, weakest);
  }
  store<i32>(links.columns + floats(weakest), column);
  store<f32>(links.weights + floats(weakest), weight);
  const added = load<i32>(s.newLinkCounts + floats(a));
  store<i32>(s.newLinks + <usize>(a * s.writesBytes) + floats(added), weakest);
  store<i32>(s.newLinkCounts + floats(a), added + 1);
  return true;
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

/** A written column: links to rows that were not written decay by it alone (those to written rows did with their row). */
// @ts-ignore: decorator
@inline
function decayColumn(links: Links, column: i32, w: f32): void {
  let at = links.places + floats(column << links.shift);
  for (const end = at + floats(links.most); at < end; at += 4) {
    const place = load<i32>(at);
    if (place < 0 || noteOf(links.notes, place >> links.shift).written != 0) continue;
    const weight = (<f32>1 - w) * load<f32>(links.weights + floats(place));
    if (weight >= TINY) store<f32>(links.weights + floats(place), weight);
    else {
      store<i32>(at, -1);
      freePlace(links, place);
    }
  }
}

/** The column of p's a-th row: the links that its rows kept compete for its places with those it has. */
function joinColumn(s: SparseMemory, rows: TouchedRows, links: Links, a: i32): void {
  const column = load<i32>(s.precedenceRows + floats(a));
  const places = links.places + floats(column << links.shift);
  const mostBytes = floats(links.most);
  for (let at = s.newLinks + <usize>(a * s.writesBytes), end = at + floats(load<i32>(s.newLinkCounts + floats(a))); at < end; at += 4) {
    const place = load<i32>(at);
    if (load<i32>(links.columns + floats(place)) != column) continue; // its row gave the place to another
    const weight = load<f32>(links.weights + floats(place));
    let weakest = places;
    let least = placeWeight(links, places);
    for (let other = places + 4; other < places + mostBytes; other += 4) {
      const otherWeight = placeWeight(links, other);
      if (otherWeight > least) continue;
      if (otherWeight < least || (least > 0 && rowCell(rows, links, load<i32>(other)) > rowCell(rows, links, load<i32>(weakest)))) {
        weakest = other;
        least = otherWeight;
      }
    }
    const loser = load<i32>(weakest);
    if (weight < least || (weight == least && rowCell(rows, links, loser) < rowCell(rows, links, place))) {
      freePlace(links, place);
      continue;
    }
    if (loser >= 0) freePlace(links, loser);
    store<i32>(weakest, place);
  }
}

// @ts-ignore: decorator
@inline
function placeWeight(links: Links, at: usize): f32 {
  const place = load<i32>(at);
  return place < 0 ? 0 : load<f32>(links.weights + floats(place));
}

// @ts-ignore: decorator
@inline
function rowCell(rows: TouchedRows, links: Links, place: i32): i32 {
  return entryOf(rows.entries, place >> links.shift).cell;
}

/** p from p', and the notes of p' cleared. */
// @ts-ignore: decorator
@inline
function updatePrecedence(s: SparseMemory, rows: TouchedRows, links: Links, record: usize, numBefore: i32): void {
  const count = load<i32>(record + s.counts + floats(s.heads));
  let sum: f32 = 0;
  for (let i = 0; i < count; i++) sum += load<f32>(record + s.writeWeights + floats(i));
  const listRows = links.precedence + 16;
  const listWeights = listRows + floats(1 << links.shift);
  let kept = 0;
  for (let a = 0; a < numBefore; a++) {
    const row = load<i32>(s.precedenceRows + floats(a));
    const weight = (<f32>1 - sum) * load<f32>(s.precedenceBefore + floats(a), 4) + noteOf(links.notes, row).written;
    kept = keepLargest(listRows, listWeights, kept, links.most, rows, row, weight);
  }
  for (let i = 0; i < count; i++) {
    const row = load<i32>(record + s.writeRows + floats(i));
    if (noteOf(links.notes, row).precedence != 0) continue;
    kept = keepLargest(listRows, listWeights, kept, links.most, rows, row, load<f32>(record + s.writeWeights + floats(i)));
  }
  store<i32>(links.precedence, kept);
  for (let a = 0; a < numBefore; a++) noteOf(links.notes, load<i32>(s.precedenceRows + floats(a))).precedence = 0;
}

/** Offers a positive weight to a falling list of `count` of at most `most`; returns its new count. */
export function keepLargest(listRows: usize, listWeights: usize, count: i32, most: i32, rows: TouchedRows, row: i32, weight: f32): i32 {
  if (!(weight >= TINY)) return count;
  let at = floats(count);
  while (at > 0) {
    const before = load<f32>(listWeights + at - 4);
    if (before > weight) break;
    if (before == weight && entryOf(rows.entries, load<i32>(listRows + at - 4)).cell < entryOf(rows.entries, row).cell) break;
    at -= 4;
  }
  if (at >= floats(most)) return count;
  const last = floats(min(count, most - 1));
  for (let move = last; move > at; move -= 4) {
    store<i32>(listRows + move, load<i32>(listRows + move - 4));
    store<f32>(listWeights + move, load<f32>(listWeights + move - 4));
  }
  store<i32>(listRows + at, row);
  store<f32>(listWeights + at, weight);
  return min(count + 1, most);
}
