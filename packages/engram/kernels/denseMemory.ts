// One access to a DNC memory (models.md §2), forward and backward, for all active elements of a shard: steps in the order of
// that page's list, each with a file of its own.
//
// Axes: N cells (Np padded to 4), W cell size (Wp padded to 4), R heads (Rp padded to 4). What belongs to one element lies
// together: its state (the fields of DenseLayout say where in it), what the backward pass needs of one access ("saved"), its row
// of ξ and its row of read vectors [R, Wp]. All of it is f32 in whole vectors; padding of the state is zero and stays zero.
import { allocationBackward, allocationForward, allocationRecall } from "./allocation";
import { fillZero } from "./bytes";
import {
  contentBackward, contentForward, headContentBackward, headContentForward, inverseNorm, inverseNorms, keyNormBackward, rowDots,
  rowDotsBackward,
} from "./contentAddressing";
import { interfaceBackward, interfaceForward } from "./denseInterface";
import { linkedReadsBackward, readWeightsForward, writeWeightsBackward, writeWeightsForward } from "./gating";
import { addHeadOuter, headDots, headSums } from "./headProducts";
import { linkBackward, linkForward, precedenceBackward, precedenceForward } from "./linkage";
import { accumulate, clear, floats, VECTOR } from "./simd";
import { usageBackward, usageForward } from "./usage";
import { writeBackward, writeForward } from "./words";

/** Sizes, and where things are: all offsets and strides in bytes. */
@unmanaged
export class DenseLayout {
  cells: i32; // N
  paddedCells: i32; // Np
  width: i32; // Wp
  heads: i32; // R
  paddedHeads: i32; // Rp
  // From one element to the next.
  stateStride: i32;
  savedStride: i32;
  gradientStride: i32;
  interfaceStride: i32;
  readStride: i32;
  // In a row of ξ; see denseInterface.ts.
  readKeys: i32; // [R, Wp]
  writeKey: i32; // [Wp]
  writeVector: i32; // [Wp]
  readStrengths: i32; // [Rp]
  writeStrength: i32; // [4]
  eraseVector: i32; // [Wp]
  freeGates: i32; // [Rp]
  gates: i32; // [4] allocation gate, write gate
  readModes: i32; // [3, Rp]
  // In an element's state, and in its gradient.
  memory: i32; // M [Np, Wp]
  linkMatrix: i32; // L [Np, Np]
  precedence: i32; // p [Np]
  readWeights: i32; // w^r [Np, Rp]
  writeWeights: i32; // w^w [Np]
  usage: i32; // u [Np]
  norms: i32; // 1/√(|M_i|² + ε) [Np], which M determines
  // In what an access saves for going back.
  keyNorms: i32; // [Rp] of the read keys
  writeKeyNorm: i32; // [4]
  writeSimilarity: i32; // D of the write key [Np]
  writeContent: i32; // c [Np]
  order: i32; // φ [Np]
  product: i32; // P [Np]
  readSimilarity: i32; // D of the read keys [Np, Rp]
  readContent: i32; // c_h [Np, Rp]
  // In scratch, of one element at a time.
  allocation: i32; // a [Np]
  adjusted: i32; // û [Np]
  sortKeys: i32; // [N padded to 16]
  unwritten: i32; // 1 − w [Np], and two vectors of constants
  pairs: i32; // [Np, 2]
  alongRows: i32; // L·v [Np, Rp], v what is read with (forward) or its gradient (backward)
  alongColumns: i32; // Lᵀ·v [Np, Rp]
  // For going back only.
  dReadWeights: i32; // [Np, Rp]
  dReadDots: i32; // [Np, Rp]
  dWriteDots: i32; // [Np]
  shrink: i32; // [Np]
  dAllocation: i32; // [Np]
  dContent: i32; // [Np]
  outerLeft: i32; // [Np, 2·Rp]
  outerRight: i32; // [2·Rp, Np]
}

/**
 * Accesses the memories of `elements` elements: ξ (interfaceVectors, activated in place) and the states at `prev` give the read vectors
 * and the states at `next`, which may be `prev`. Where `saved` is not needed its stride may be 0. `empty`: the states at `prev` are those
 * of an empty memory, from which no links can come yet.
 */
export function denseForward(
  layout: usize, reads: usize, interfaceVectors: usize, next: usize, prev: usize, saved: usize, scratch: usize, elements: i32, empty: i32,
): void {
  const at = changetype<DenseLayout>(layout);
  for (let b = 0; b < elements; b++) {
    accessForward(at, reads, interfaceVectors, next, prev, saved, scratch, empty);
    reads += at.readStride;
    interfaceVectors += at.interfaceStride;
    next += at.stateStride;
    prev += at.stateStride;
    saved += at.savedStride;
  }
}

function accessForward(
  at: DenseLayout, reads: usize, xi: usize, next: usize, prev: usize, saved: usize, scratch: usize, empty: i32,
): void {
  const n = at.cells, np = at.paddedCells, w = at.width, r = at.heads, rp = at.paddedHeads;
  const writeWeights = next + at.writeWeights, memory = next + at.memory;
  const alongRows = scratch + at.alongRows, alongColumns = scratch + at.alongColumns;
  interfaceForward(xi, w, r);
  // 1. u
  usageForward(next + at.usage, prev + at.usage, prev + at.writeWeights, prev + at.readWeights, xi + at.freeGates, np, rp);
  // 2. c
  store<f32>(saved + at.writeKeyNorm, inverseNorm(xi + at.writeKey, w));
  rowDots(saved + at.writeSimilarity, prev + at.memory, xi + at.writeKey, np, w);
  contentForward(
    saved + at.writeContent, saved + at.writeSimilarity, prev + at.norms, saved + at.writeKeyNorm, xi + at.writeStrength, n, np,
  );
  // 3. a
  allocationForward(
    scratch + at.allocation, saved + at.product, saved + at.order, scratch + at.adjusted, scratch + at.sortKeys, next + at.usage, n, np,
  );
  // 4. w^w
  writeWeightsForward(writeWeights, scratch + at.allocation, saved + at.writeContent, xi + at.gates, np);
  // 5. M
  writeForward(memory, next + at.norms, prev + at.memory, writeWeights, xi + at.eraseVector, xi + at.writeVector, np, w);
  // 6. L with the reads along it, p
  if (empty) {
    fillZero(next + at.linkMatrix, floats(np * np)); // L′ and p′ are 0
    noReads(alongRows, alongColumns, np, rp);
  } else {
    linkForward(
      next + at.linkMatrix, alongRows, alongColumns, scratch + at.unwritten, scratch + at.pairs, prev + at.linkMatrix, writeWeights,
      prev + at.precedence, prev + at.readWeights, np, r,
    );
  }
  precedenceForward(next + at.precedence, prev + at.precedence, writeWeights, np);
  // 7. c_h
  for (let h = 0; h < r; h++) store<f32>(saved + at.keyNorms + floats(h), inverseNorm(xi + at.readKeys + floats(h * w), w));
  headDots(saved + at.readSimilarity, memory, xi + at.readKeys, np, w, r);
  for (let h: usize = 0; h < floats(rp); h += VECTOR) {
    headContentForward(
      saved + at.readContent + h, saved + at.readSimilarity + h, floats(rp), next + at.norms, saved + at.keyNorms + h,
      xi + at.readStrengths + h, n, np,
    );
  }
  // 8. w^r and r
  readWeightsForward(next + at.readWeights, alongColumns, alongRows, saved + at.readContent, xi + at.readModes, np, rp);
  headSums(reads, memory, next + at.readWeights, n, w, r);
  const readBytes = floats(r * w);
  clear(reads + readBytes, <usize>at.readStride - readBytes);
}

/** Along no links nothing is read. */
function noReads(alongRows: usize, alongColumns: usize, paddedCells: i32, paddedHeads: i32): void {
  clear(alongRows, floats(paddedCells * paddedHeads));
  clear(alongColumns, floats(paddedCells * paddedHeads));
}

/**
 * Goes back through an access. `gradients` has for each element the gradient with respect to the state at `next`, laid out as the
 * state, and gets that with respect to the state at `prev`. dInterface (written, padding 0) is with respect to ξ as the linear layer
 * gave it. `empty`: the states at `prev` are those of an empty memory, and nobody asks for the gradient with respect to its links.
 */
export function denseBackward(
  layout: usize, dInterface: usize, gradients: usize, dReads: usize, interfaceVectors: usize, next: usize, prev: usize, saved: usize,
  scratch: usize, elements: i32, empty: i32,
): void {
  const at = changetype<DenseLayout>(layout);
  for (let b = 0; b < elements; b++) {
    accessBackward(at, dInterface, gradients, dReads, interfaceVectors, next, prev, saved, scratch, empty);
    dInterface += at.interfaceStride;
    gradients += at.gradientStride;
    dReads += at.readStride;
    interfaceVectors += at.interfaceStride;
    next += at.stateStride;
    prev += at.stateStride;
    saved += at.savedStride;
  }
}

function accessBackward(
  at: DenseLayout, dXi: usize, d: usize, dReads: usize, xi: usize, next: usize, prev: usize, saved: usize, scratch: usize, empty: i32,
): void {
  const n = at.cells, np = at.paddedCells, w = at.width, r = at.heads, rp = at.paddedHeads;
  const memory = next + at.memory, dMemory = d + at.memory, writeWeights = next + at.writeWeights, dWriteWeights = d + at.writeWeights;
  const dReadWeights = scratch + at.dReadWeights, dReadDots = scratch + at.dReadDots, shrink = scratch + at.shrink;
  clear(dXi, at.interfaceStride);
  // 8. r
  headDots(dReadWeights, memory, dReads, np, w, r);
  for (let i: usize = 0; i < floats(np * rp); i += VECTOR) accumulate(dReadWeights + i, v128.load(d + at.readWeights + i));
  addHeadOuter(dMemory, next + at.readWeights, dReads, np, w, r);
  // 8. and 7. w^r's and c_h
  for (let h: usize = 0; h < floats(rp); h += VECTOR) {
    headContentBackward(
      dReadDots + h, shrink, h == 0, dXi + at.readModes + 2 * floats(rp) + h, dXi + at.readStrengths + h, dReadWeights + h,
      xi + at.readModes + 2 * floats(rp) + h, saved + at.readContent + h, saved + at.readSimilarity + h, floats(rp), next + at.norms,
      saved + at.keyNorms + h, xi + at.readStrengths + h, np,
    );
  }
  addHeadOuter(dMemory, dReadDots, xi + at.readKeys, np, w, r);
  headSums(dXi + at.readKeys, memory, dReadDots, n, w, r);
  for (let h = 0; h < r; h++) {
    const sum = load<f32>(xi + at.readStrengths + floats(h)) * load<f32>(dXi + at.readStrengths + floats(h));
    const key = at.readKeys + floats(h * w);
    keyNormBackward(dXi + key, xi + key, load<f32>(saved + at.keyNorms + floats(h)), sum, w);
  }
  // 7. and 6. the reads along L, p and L
  if (empty) {
    precedenceBackward(d + at.precedence, dWriteWeights, prev + at.precedence, writeWeights, np);
    noReads(scratch + at.alongRows, scratch + at.alongColumns, np, rp);
  } else {
    linkBackward(
      d + at.linkMatrix, d + at.precedence, dWriteWeights, scratch + at.alongRows, scratch + at.alongColumns, scratch + at.outerLeft,
      scratch + at.outerRight, scratch + at.unwritten, scratch + at.pairs, next + at.linkMatrix, prev + at.linkMatrix, writeWeights,
      prev + at.precedence, prev + at.readWeights, dReadWeights, xi + at.readModes, xi + at.readModes + floats(rp), np, r,
    );
  }
  linkedReadsBackward(
    d + at.readWeights, dXi + at.readModes, scratch + at.alongRows, scratch + at.alongColumns, prev + at.readWeights, xi + at.readModes,
    np, rp,
  );
  // 5. M
  writeBackward(
    dMemory, dWriteWeights, dXi + at.eraseVector, dXi + at.writeVector, shrink, memory, prev + at.memory, writeWeights,
    xi + at.eraseVector, xi + at.writeVector, np, w,
  );
  // 4. w^w
  allocationRecall(scratch + at.allocation, scratch + at.adjusted, saved + at.product, next + at.usage, np);
  writeWeightsBackward(
    scratch + at.dAllocation, scratch + at.dContent, dXi + at.gates, dWriteWeights, scratch + at.allocation, saved + at.writeContent,
    xi + at.gates, np,
  );
  // 3. a
  allocationBackward(d + at.usage, scratch + at.dAllocation, saved + at.product, saved + at.order, scratch + at.adjusted, n);
  // 2. c
  const sum = contentBackward(
    scratch + at.dWriteDots, shrink, dXi + at.writeStrength, scratch + at.dContent, saved + at.writeContent, saved + at.writeSimilarity,
    prev + at.norms, saved + at.writeKeyNorm, xi + at.writeStrength, np,
  );
  rowDotsBackward(dMemory, dXi + at.writeKey, scratch + at.dWriteDots, shrink, prev + at.memory, xi + at.writeKey, np, w);
  keyNormBackward(dXi + at.writeKey, xi + at.writeKey, load<f32>(saved + at.writeKeyNorm), sum, w);
  // 1. u
  usageBackward(
    d + at.usage, dWriteWeights, d + at.readWeights, dXi + at.freeGates, shrink, prev + at.usage, prev + at.writeWeights,
    prev + at.readWeights, xi + at.freeGates, np, rp,
  );
  interfaceBackward(dXi, xi, w, r);
}

/** What the state of elements holds beside what is given as tensors: the norms of M's rows. */
export function denseRestore(layout: usize, states: usize, elements: i32): void {
  const at = changetype<DenseLayout>(layout);
  for (let b = 0; b < elements; b++) {
    inverseNorms(states + at.norms, states + at.memory, at.paddedCells, at.width);
    states += at.stateStride;
  }
}
