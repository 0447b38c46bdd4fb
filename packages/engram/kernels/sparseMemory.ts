// SAM's memory: one access of every active element of a shard, forward and backward (Rae et al. 2016; models.md §3).
//
// Forward changes the touched rows in place. A recorded access leaves in its record what backward needs, and in `saved` the rows it overwrote.
// Backward does not touch the memory itself: before the first step back, `copyUsedRows` copies the rows that the sequence used, and each step back
// undoes its write on that copy. So a step costs O(R·K·W) of time and of record, and the state after the sequence is never disturbed.
import { contentBackward, readContent } from "./sparseContent";
import { activateInterface, activateInterfaceBackward } from "./sparseInterface";
import { floats, zero4 } from "./simd";
import { SparseMemory } from "./sparseLayout";
import { noteAccess, readBackward, readRows } from "./sparseRead";
import { listWrites, saveRows, writeBackward, writeRows } from "./sparseWrite";
import { leastRecent, TouchedRows } from "./touchedRows";

/**
 * r and a new state from ξ and the state, for rows 0 … active-1.
 * @param records this access's, by element @param previous those of the access before @param saved 0 where nothing is recorded
 * @param now the clock, after it advanced
 */
export function sparseForward(
  memory: usize, reads: usize, interfaceVector: usize, records: usize, previous: usize, saved: usize, now: i32, active: i32,
): void {
  const s = changetype<SparseMemory>(memory);
  activateInterface(s, interfaceVector, active);
  for (let b = 0, xi = interfaceVector, r = reads; b < active; b++, xi += floats(s.interfaceWidth), r += floats(s.readWidth)) {
    const element = load<i32>(s.order + floats(b));
    const rows = changetype<TouchedRows>(s.rows + <usize>(element * s.rowsBytes));
    const record = records + <usize>(element * s.recordBytes);
    listWrites(s, rows, record, previous + <usize>(element * s.recordBytes), xi, leastRecent(rows, s.wordWidth));
    if (saved != 0) saveRows(s, saved + <usize>(element * s.savedBytes), rows, record);
    writeRows(s, rows, record, xi);
    readContent(s, rows, record, xi); // its lists are the read lists
    for (let h = 0; h < s.heads; h++) store<i32>(record + s.counts + floats(h), s.reads);
    readRows(s, r, rows, record);
    noteAccess(s, rows, record, now, saved != 0);
  }
}

/**
 * dξ from dr. `dEntries` [B, R, Ep]: in, the gradient of the read lists of this access; out, that of the lists before.
 * `dWrites` [B, Sp]: the gradient of the write weights of an element's last access, used up by it.
 */
export function sparseBackward(
  memory: usize, dInterface: usize, dReads: usize, dEntries: usize, dWrites: usize, interfaceVector: usize, records: usize, previous: usize, saved: usize,
  active: i32,
): void {
  const s = changetype<SparseMemory>(memory);
  const entriesBytes = <usize>s.heads * floats(s.entryStride);
  for (let at = dInterface, end = dInterface + <usize>active * floats(s.interfaceWidth); at < end; at += 16) v128.store(at, zero4());
  for (let b = 0; b < active; b++) {
    const element = load<i32>(s.order + floats(b));
    const rows = changetype<TouchedRows>(s.rows + <usize>(element * s.rowsBytes));
    const record = records + <usize>(element * s.recordBytes);
    const dEntry = dEntries + <usize>element * entriesBytes;
    const xi = interfaceVector + <usize>b * floats(s.interfaceWidth), dxi = dInterface + <usize>b * floats(s.interfaceWidth);
    readBackward(s, dEntry, dReads + <usize>b * floats(s.readWidth), rows, record);
    for (let h = 0; h < s.heads; h++) contentBackward(s, dxi, dEntry + <usize>h * floats(s.entryStride), rows, record, xi, h);
    for (let at = dEntry, end = dEntry + entriesBytes; at < end; at += 16) v128.store(at, zero4());
    writeBackward(
      s, dxi, dEntry, dWrites + <usize>(element * s.writesBytes), rows, record, previous + <usize>(element * s.recordBytes),
      saved + <usize>(element * s.savedBytes), xi,
    );
  }
  activateInterfaceBackward(s, dInterface, interfaceVector, active);
}
