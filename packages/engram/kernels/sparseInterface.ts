// The interface vector of a sparse memory: queries and write vector as they are, strengths through softplus, gates through σ.
// Rows of ξ are `interfaceWidth` floats; activated in place, padding lanes too (they get harmless finite values).
import { expOfNegative4, sigmoid4, softplus4 } from "./functions";
import { floats, padded, splat, sumLanes } from "./simd";
import { SparseMemory } from "./sparseLayout";

export function activateInterface(s: SparseMemory, interfaceVector: usize, active: i32): void {
  const rowBytes = floats(s.interfaceWidth);
  const strengthBytes = floats(padded(s.heads));
  const end = interfaceVector + <usize>active * rowBytes;
  if (interfaceVector == end) return;
  let at = interfaceVector;
  do {
    let strength = at + s.strengths;
    const strengthsEnd = strength + strengthBytes;
    do {
      v128.store(strength, softplus4(v128.load(strength)));
      strength += 16;
    } while (strength < strengthsEnd);
    at += rowBytes;
  } while (at < end);
  at = interfaceVector + s.gates;
  do {
    v128.store(at, sigmoid4(v128.load(at)));
    at += rowBytes;
  } while (at < end);
}

/** The slope of softplus from its value b: σ(x) = 1 - e^-b, by its series where that would cancel. */
// @ts-ignore: decorator
@inline
export function softplusSlope4(b: v128): v128 {
  let series = f32x4.add(f32x4.mul(b, splat(-1.0 / 24)), splat(1.0 / 6));
  series = f32x4.add(f32x4.mul(series, b), splat(-0.5));
  series = f32x4.mul(f32x4.add(f32x4.mul(series, b), splat(1)), b);
  return v128.bitselect(series, f32x4.sub(splat(1), expOfNegative4(f32x4.neg(b))), f32x4.lt(b, splat(0.1)));
}

/** Turns the gradient of the activated strengths and gates in every row of dξ into that of what they were activated from. */
export function activateInterfaceBackward(s: SparseMemory, dInterface: usize, interfaceVector: usize, active: i32): void {
  const rowBytes = floats(s.interfaceWidth);
  const strengthBytes = floats(padded(s.heads));
  const toValue = interfaceVector - dInterface;
  const end = dInterface + <usize>active * rowBytes;
  if (dInterface == end) return;
  let at = dInterface;
  do {
    let strength = at + s.strengths;
    const strengthsEnd = strength + strengthBytes;
    do {
      v128.store(strength, f32x4.mul(v128.load(strength), softplusSlope4(v128.load(strength + toValue))));
      strength += 16;
    } while (strength < strengthsEnd);
    const gate = v128.load(at + s.gates + toValue);
    v128.store(at + s.gates, f32x4.mul(v128.load(at + s.gates), f32x4.mul(gate, f32x4.sub(splat(1), gate))));
    at += rowBytes;
  } while (at < end);
}

/** Each head's three read modes through softmax; the fourth lane becomes 0. */
export function activateModes(s: SparseMemory, interfaceVector: usize, active: i32): void {
  for (let b = 0, row = interfaceVector + s.modes; b < active; b++, row += floats(s.interfaceWidth)) {
    let at = row;
    const end = row + 16 * <usize>s.heads;
    do {
      const x = v128.load(at);
      const largest = max(max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)), f32x4.extract_lane(x, 2));
      const e = f32x4.replace_lane(expOfNegative4(f32x4.sub(x, splat(largest))), 3, 0);
      v128.store(at, f32x4.div(e, splat(sumLanes(e))));
      at += 16;
    } while (at < end);
  }
}

export function activateModesBackward(s: SparseMemory, dInterface: usize, interfaceVector: usize, active: i32): void {
  const toValue = interfaceVector - dInterface;
  for (let b = 0, row = dInterface + s.modes; b < active; b++, row += floats(s.interfaceWidth)) {
    for (let at = row, end = row + 16 * <usize>s.heads; at < end; at += 16) {
      const p = v128.load(at + toValue), dp = v128.load(at);
      v128.store(at, f32x4.mul(p, f32x4.sub(dp, splat(sumLanes(f32x4.mul(p, dp))))));
    }
  }
}
