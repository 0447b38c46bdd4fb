// Gates and modes that mix addressings into weights (models.md §2, steps 4 and 8):
//   w^w = g_w·(g_a·a + (1 − g_a)·c),   w^r_h = π_h0·b_h + π_h1·f_h + π_h2·c_h.
//
// The write head's values [Np]; what a cell has for each read head lies together, [Np, Rp]. gates: g_a, g_w. modes [3, Rp]: backward,
// forward, content; those of missing heads are 0.
import { floats, flushTiny, splat, sumLanes, VECTOR, zero4 } from "./simd";

export function writeWeightsForward(writeWeights: usize, allocation: usize, content: usize, gates: usize, paddedCells: i32): void {
  const allocationGate = v128.load_splat<f32>(gates), writeGate = v128.load_splat<f32>(gates, 4);
  for (let at: usize = 0; at < floats(paddedCells); at += VECTOR) {
    const w = f32x4.mul(writeGate, mix(v128.load(allocation + at), v128.load(content + at), allocationGate));
    v128.store(writeWeights + at, flushTiny(w));
  }
}

// @ts-ignore: decorator
@inline
function mix(allocation: v128, content: v128, allocationGate: v128): v128 {
  return f32x4.add(f32x4.mul(allocationGate, allocation), f32x4.mul(f32x4.sub(splat(1), allocationGate), content));
}

/** Stores dAllocation, dContent and dGates. */
export function writeWeightsBackward(
  dAllocation: usize, dContent: usize, dGates: usize, dWriteWeights: usize, allocation: usize, content: usize, gates: usize, paddedCells: i32,
): void {
  const allocationGate = v128.load_splat<f32>(gates), writeGate = v128.load_splat<f32>(gates, 4);
  let dAllocationGate = zero4(), dWriteGate = zero4();
  for (let at: usize = 0; at < floats(paddedCells); at += VECTOR) {
    const d = v128.load(dWriteWeights + at), a = v128.load(allocation + at), c = v128.load(content + at);
    dWriteGate = f32x4.add(dWriteGate, f32x4.mul(d, mix(a, c, allocationGate)));
    const dMix = f32x4.mul(writeGate, d);
    dAllocationGate = f32x4.add(dAllocationGate, f32x4.mul(dMix, f32x4.sub(a, c)));
    v128.store(dAllocation + at, f32x4.mul(allocationGate, dMix));
    v128.store(dContent + at, f32x4.mul(f32x4.sub(splat(1), allocationGate), dMix));
  }
  store<f32>(dGates, sumLanes(dAllocationGate));
  store<f32>(dGates, sumLanes(dWriteGate), 4);
}

export function readWeightsForward(
  readWeights: usize, backwardReads: usize, forwardReads: usize, content: usize, modes: usize, paddedCells: i32, paddedHeads: i32,
): void {
  const cellBytes = floats(paddedHeads), bytes = <usize>paddedCells * cellBytes;
  for (let h: usize = 0; h < cellBytes; h += VECTOR) {
    const back = v128.load(modes + h), ahead = v128.load(modes + h + cellBytes), alike = v128.load(modes + h + 2 * cellBytes);
    for (let at = h; at < bytes; at += cellBytes) {
      const linked = f32x4.add(f32x4.mul(back, v128.load(backwardReads + at)), f32x4.mul(ahead, v128.load(forwardReads + at)));
      v128.store(readWeights + at, flushTiny(f32x4.add(linked, f32x4.mul(alike, v128.load(content + at)))));
    }
  }
}

/**
 * The linked reads' part of it, from alongRows L·d and alongColumns Lᵀ·d of linkage.ts (d the gradient of w^r): as b = Lᵀ·w^r′ and
 * f = L·w^r′, dw^r′ = π_0∘(L·d) + π_1∘(Lᵀ·d), dπ_0 = Σ_i w^r′∘(L·d), dπ_1 = Σ_i w^r′∘(Lᵀ·d). So b and f need not be kept. Stores
 * all three.
 */
export function linkedReadsBackward(
  dPrevReadWeights: usize, dModes: usize, alongRows: usize, alongColumns: usize, prevReadWeights: usize, modes: usize, paddedCells: i32,
  paddedHeads: i32,
): void {
  const cellBytes = floats(paddedHeads), bytes = <usize>paddedCells * cellBytes;
  for (let h: usize = 0; h < cellBytes; h += VECTOR) {
    const back = v128.load(modes + h), ahead = v128.load(modes + h + cellBytes);
    let dBack = zero4(), dAhead = zero4();
    for (let at = h; at < bytes; at += cellBytes) {
      const rows = v128.load(alongRows + at), columns = v128.load(alongColumns + at), w = v128.load(prevReadWeights + at);
      dBack = f32x4.add(dBack, f32x4.mul(w, rows));
      dAhead = f32x4.add(dAhead, f32x4.mul(w, columns));
      v128.store(dPrevReadWeights + at, f32x4.add(f32x4.mul(back, rows), f32x4.mul(ahead, columns)));
    }
    v128.store(dModes + h, dBack);
    v128.store(dModes + h + cellBytes, dAhead);
  }
}
