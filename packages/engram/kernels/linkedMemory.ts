// SDNC's memory: SAM's with temporal links (Rae et al. 2016; models.md §4). The links and precedence are constants to the gradient, so backward
// needs of them only the few links that each reading went through, and they are never undone.
import { contentBackward, readContent } from "./sparseContent";
import { activateInterface, activateInterfaceBackward, activateModes, activateModesBackward } from "./sparseInterface";
import { floats, zero4 } from "./simd";
import { Links, startLinks, updateLinks } from "./sparseLinks";
import { SparseMemory } from "./sparseLayout";
import { noteAccess, readBackward, readRows } from "./sparseRead";
import { listWrites, saveRows, writeBackward, writeRows } from "./sparseWrite";
import { mixBackward, mixReads, readTemporal } from "./temporalReads";
import { leastRecent, TouchedRows } from "./touchedRows";

/** As sparseForward. */
export function linkedForward(
  memory: usize, reads: usize, interfaceVector: usize, records: usize, previous: usize, saved: usize, now: i32, active: i32,
): void {
  const s = changetype<SparseMemory>(memory);
  activateInterface(s, interfaceVector, active);
  activateModes(s, interfaceVector, active);
  for (let b = 0, xi = interfaceVector, r = reads; b < active; b++, xi += floats(s.interfaceWidth), r += floats(s.readWidth)) {
    const element = load<i32>(s.order + floats(b));
    const rows = changetype<TouchedRows>(s.rows + <usize>(element * s.rowsBytes));
    const links = changetype<Links>(s.links + <usize>(element * s.linksBytes));
    const record = records + <usize>(element * s.recordBytes);
    const before = previous + <usize>(element * s.recordBytes);
    const touched = rows.touched;
    listWrites(s, rows, record, before, xi, leastRecent(rows, s.wordWidth));
    if (saved != 0) saveRows(s, saved + <usize>(element * s.savedBytes), rows, record);
    writeRows(s, rows, record, xi);
    readContent(s, rows, record, xi);
    startLinks(links, touched, rows.touched);
    updateLinks(s, rows, links, record);
    readTemporal(s, rows, links, record, before, saved != 0);
    mixReads(s, rows, links, record, xi);
    readRows(s, r, rows, record);
    noteAccess(s, rows, record, now, saved != 0);
  }
}

/** As sparseBackward. */
export function linkedBackward(
  memory: usize, dInterface: usize, dReads: usize, dEntries: usize, dWrites: usize, interfaceVector: usize, records: usize, previous: usize, saved: usize,
  active: i32,
): void {
  const s = changetype<SparseMemory>(memory);
  const entryBytes = floats(s.entryStride);
  for (let at = dInterface, end = dInterface + <usize>active * floats(s.interfaceWidth); at < end; at += 16) v128.store(at, zero4());
  for (let b = 0; b < active; b++) {
    const element = load<i32>(s.order + floats(b));
    const rows = changetype<TouchedRows>(s.rows + <usize>(element * s.rowsBytes));
    const record = records + <usize>(element * s.recordBytes);
    const dEntry = dEntries + <usize>(element * s.heads) * entryBytes;
    const xi = interfaceVector + <usize>b * floats(s.interfaceWidth), dxi = dInterface + <usize>b * floats(s.interfaceWidth);
    readBackward(s, dEntry, dReads + <usize>b * floats(s.readWidth), rows, record);
    for (let h = 0; h < s.heads; h++) {
      mixBackward(s, dxi, dEntry + <usize>h * entryBytes, s.dContent, record, xi, h);
      contentBackward(s, dxi, s.dContent, rows, record, xi, h);
    }
    writeBackward(
      s, dxi, dEntry, dWrites + <usize>(element * s.writesBytes), rows, record, previous + <usize>(element * s.recordBytes),
      saved + <usize>(element * s.savedBytes), xi,
    );
  }
  activateInterfaceBackward(s, dInterface, interfaceVector, active);
  activateModesBackward(s, dInterface, interfaceVector, active);
}
