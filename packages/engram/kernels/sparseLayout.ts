// How the sparse memory of a shard is laid out: sizes, where things lie in a row of ξ and in the record of an access, scratch.
//
// Axes: B elements, R read heads, K content reads a head, K_T temporal reads a head and direction (0 without links), E = K + 2 K_T entries a head
// can read, Wp cell size padded to 4, S = R·E + 1 cells an access can write. Kp, Ep, Sp: padded to 4. Offsets are in bytes.
//
// Read weights are lists: a head's distinct rows with their weights, `counts[h]` of them. So are write weights: `counts[R]` rows, the first
// of which is z, the cell that was emptied. An access writes its lists into a record. Recorded accesses each have their own, others overwrite the
// element's; the lists from before the access come from the record before, which may be the same one.

@unmanaged
export class SparseMemory {
  heads: i32; // R
  reads: i32; // K
  temporalReads: i32; // K_T
  wordWidth: i32; // Wp
  contentStride: i32; // Kp
  entryStride: i32; // Ep
  temporalStride: i32; // K_T padded to 4
  // ξ: identity [queries R·Wp, write vector Wp], softplus [strengths], σ [interpolation gate, write gate], softmax [modes, 4 a head, with links]
  interfaceWidth: i32;
  writeVector: i32;
  strengths: i32;
  gates: i32;
  modes: i32;
  readWidth: i32; // floats of a row of r
  // a record
  recordBytes: i32;
  counts: i32; // [R + 1] i32
  readRows: i32; // [R, Ep] i32
  readWeights: i32; // [R, Ep]
  writeRows: i32; // [Sp] i32
  writeWeights: i32; // [Sp]
  writeMeans: i32; // [Sp] mean over heads of the read weights before
  writeSlots: i32; // [R, Ep] i32, where each entry of the read lists before stands among the writes
  queryNorms: i32; // [R] inverse norms of the queries
  contentRows: i32; // [R, Kp] i32; without links these are the read lists themselves
  contentWeights: i32; // [R, Kp]
  similarities: i32; // [R, Kp]
  temporalRows: i32; // [R, 2, K_T padded] i32: backward, forward; -1 where there are fewer
  temporalWeights: i32; // [R, 2, K_T padded]
  ranks: i32; // [R, Kp + 2·K_T padded] i32, where each content, backward and forward entry stands in the head's list
  linksRead: i32; // [R, 2, K_T padded, 4 + Ep] the links that led from the read lists before to the temporal entries
  savedBytes: i32; // of the rows an access overwrote: [Sp, Wp], and their inverse norms [Sp]
  savedNorms: i32;
  writesBytes: i32; // of [Sp]
  // the index by codes (rowCodes.ts, quantizedSearch.ts); 0 without one
  codeBytes: i32; // D/4, of a row
  compared: i32; // C, rows at least that a head is compared with exactly
  rotation: usize; // [D/4, Wp, 4] · √D
  turned: usize; // [D] a query after the rotation
  tables: usize; // [2, D/2, 16] bytes, of two heads
  scoreCounts: usize; // one i32 for each score there can be
  nominees: usize; // [2] Nominees, of two heads
  // addresses
  rows: usize; // [B] TouchedRows, rowsBytes apart
  rowsBytes: i32;
  links: usize; // [B] Links, linksBytes apart
  linksBytes: i32;
  order: usize; // [B] i32, the element of each row
  // scratch
  queries: usize; // [R, Wp] queries over their norms
  untouchedCells: usize; // [K] i32
  accessed: usize; // [2·S] i32, distinct rows of an access
  accessedWeights: usize; // [2·S]
  accessedCells: usize; // [2·S] i32
  accessedOrder: usize; // [2·S] i32
  dSimilarities: usize; // [Kp]
  // scratch with links; K_L links a row
  fallingRows: usize; // [Sp] i32, the writes by falling weight
  fallingWeights: usize; // [Sp]
  precedenceRows: usize; // [K_L] i32, p' while p is made
  precedenceBefore: usize; // [K_L] its weights
  linksMet: usize; // [1 + S, stride] bytes, 1 where a write has a link from a row of p'; the first row is for all that are not written
  newLinks: usize; // [K_L, Sp] i32, places of the links added from each row of p'
  newLinkCounts: usize; // [K_L] i32
  columnWeights: usize; // [K_L]
  spreadReads: usize; // [S, R padded] the read lists before
  candidates: usize; // [1 + S · K_L] i32, rows that a temporal reading reached
  candidateSums: usize; // [1 + S · K_L, R padded], 0 between uses
  mixedRows: usize; // [E] i32
  mixedWeights: usize; // [E]
  mixedCells: usize; // [E] i32
  mixedPlaces: usize; // [E] i32
  dContent: usize; // [Kp]
  dTemporal: usize; // [2, K_T padded]
}
