// The DNC's interface vector ξ (models.md §2), activated in place. Sections of one activation lie together, in this order:
//   tanh      read keys [R, Wp], write key [Wp], write vector [Wp]
//   softplus  read strengths [Rp], write strength [1, padded to 4]
//   σ         erase vector [Wp], free gates [Rp], allocation gate and write gate [2, padded to 4]
//   softmax   read modes [3, Rp]: backward, forward, content
// Free gates and modes of missing heads (Rp > R) are made 0, which keeps such heads out of everything.
import { expOfNegative4, sigmoid4, softplus4, tanh4 } from "./functions";
import { floats, padded, splat, VECTOR } from "./simd";

export function interfaceForward(interfaceVector: usize, width: i32, heads: i32): void {
  const headBytes = floats(padded(heads));
  const strengths = interfaceVector + floats((heads + 2) * width), erase = strengths + headBytes + VECTOR;
  const gates = erase + floats(width) + headBytes, modes = gates + VECTOR;
  tanhSection(interfaceVector, strengths);
  softplusSection(strengths, erase);
  sigmoidSection(erase, modes);
  const lastFreeGates = gates - VECTOR;
  v128.store(lastFreeGates, v128.and(v128.load(lastFreeGates), headLanes(heads)));
  const lastModes = modes + headBytes - VECTOR;
  for (let at = modes; at < lastModes; at += VECTOR) modesForward(at, headBytes, i32x4.splat(-1));
  modesForward(lastModes, headBytes, headLanes(heads));
}

// Two vectors at a time in what follows: half the constants of the polynomials to set up, and two chains of operations at once.
// @ts-ignore: decorator
@inline
function tanhSection(at: usize, end: usize): void {
  for (; at + VECTOR < end; at += 2 * VECTOR) {
    const x = tanh4(v128.load(at)), y = tanh4(v128.load(at, 16));
    v128.store(at, x);
    v128.store(at, y, 16);
  }
  if (at < end) v128.store(at, tanh4(v128.load(at)));
}

// @ts-ignore: decorator
@inline
function softplusSection(at: usize, end: usize): void {
  for (; at + VECTOR < end; at += 2 * VECTOR) {
    const x = softplus4(v128.load(at)), y = softplus4(v128.load(at, 16));
    v128.store(at, x);
    v128.store(at, y, 16);
  }
  if (at < end) v128.store(at, softplus4(v128.load(at)));
}

// @ts-ignore: decorator
@inline
function sigmoidSection(at: usize, end: usize): void {
  for (; at + VECTOR < end; at += 2 * VECTOR) {
    const x = sigmoid4(v128.load(at)), y = sigmoid4(v128.load(at, 16));
    v128.store(at, x);
    v128.store(at, y, 16);
  }
  if (at < end) v128.store(at, sigmoid4(v128.load(at)));
}

/** Lanes of the last vector of heads that are heads, all bits set. */
// @ts-ignore: decorator
@inline
function headLanes(heads: i32): v128 {
  return i32x4.gt_s(i32x4.splat(heads - (padded(heads) - 4)), i32x4(0, 1, 2, 3));
}

/** Softmax over the three modes of four heads. */
// @ts-ignore: decorator
@inline
function modesForward(at: usize, stride: usize, lanes: v128): void {
  const a = v128.load(at), b = v128.load(at + stride), c = v128.load(at + 2 * stride);
  const largest = f32x4.pmax(f32x4.pmax(a, b), c);
  const x = expOfNegative4(f32x4.sub(a, largest)), y = expOfNegative4(f32x4.sub(b, largest)), z = expOfNegative4(f32x4.sub(c, largest));
  const share = v128.and(f32x4.div(splat(1), f32x4.add(f32x4.add(x, y), z)), lanes);
  v128.store(at, f32x4.mul(x, share));
  v128.store(at + stride, f32x4.mul(y, share));
  v128.store(at + 2 * stride, f32x4.mul(z, share));
}

/** dInterface comes in with respect to the activated ξ and leaves with respect to what the linear layer gave. */
export function interfaceBackward(dInterface: usize, interfaceVector: usize, width: i32, heads: i32): void {
  const headBytes = floats(padded(heads)), one = splat(1);
  let at = dInterface;
  const toActivated = interfaceVector - dInterface;
  for (const end = at + floats((heads + 2) * width); at < end; at += VECTOR) {
    const y = v128.load(at + toActivated);
    v128.store(at, f32x4.mul(v128.load(at), f32x4.sub(one, f32x4.mul(y, y))));
  }
  for (const end = at + headBytes + VECTOR; at < end; at += VECTOR) {
    v128.store(at, f32x4.mul(v128.load(at), softplusSlope(v128.load(at + toActivated))));
  }
  for (const end = at + floats(width) + headBytes + VECTOR; at < end; at += VECTOR) {
    const y = v128.load(at + toActivated);
    v128.store(at, f32x4.mul(v128.load(at), f32x4.mul(y, f32x4.sub(one, y))));
  }
  for (const end = at + headBytes; at < end; at += VECTOR) modesBackward(at, at + toActivated, headBytes);
}

/** σ(x) from y = softplus(x): 1 − e⁻ʸ = tanh(y/2)·(1 + e⁻ʸ), written so that nothing cancels where y is small. */
// @ts-ignore: decorator
@inline
function softplusSlope(y: v128): v128 {
  return f32x4.mul(tanh4(f32x4.mul(y, splat(0.5))), f32x4.add(splat(1), expOfNegative4(f32x4.neg(y))));
}

// @ts-ignore: decorator
@inline
function modesBackward(dModes: usize, modes: usize, stride: usize): void {
  const x = v128.load(modes), y = v128.load(modes + stride), z = v128.load(modes + 2 * stride);
  const dx = v128.load(dModes), dy = v128.load(dModes + stride), dz = v128.load(dModes + 2 * stride);
  const mean = f32x4.add(f32x4.add(f32x4.mul(x, dx), f32x4.mul(y, dy)), f32x4.mul(z, dz));
  v128.store(dModes, f32x4.mul(x, f32x4.sub(dx, mean)));
  v128.store(dModes + stride, f32x4.mul(y, f32x4.sub(dy, mean)));
  v128.store(dModes + 2 * stride, f32x4.mul(z, f32x4.sub(dz, mean)));
}
