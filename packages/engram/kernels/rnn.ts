// Plain recurrent cell: h = tanh or relu of its preactivation. All buffers [rows, size] contiguous, `size` a multiple of 8;
// a preactivation of 0 in padding columns keeps h there 0.
import { tanh4, tanhSlope } from "./functions";
import { floats, flushTiny, zero4 } from "./simd";

/** h = tanh(gates) */
export function rnnTanhForward(h: usize, gates: usize, rows: i32, size: i32): void {
  if (rows == 0) return;
  const end = h + floats(rows * size);
  do {
    v128.store(h, tanh4(v128.load(gates)));
    h += 16; gates += 16;
  } while (h < end);
}

/** Writes dGates = dH∘(1 − h²), tiny values as 0. */
export function rnnTanhBackward(dGates: usize, dH: usize, h: usize, rows: i32, size: i32): void {
  for (const end = h + floats(rows * size); h < end; h += 16) {
    v128.store(dGates, flushTiny(f32x4.mul(v128.load(dH), tanhSlope(v128.load(h)))));
    dGates += 16; dH += 16;
  }
}

/** h = max(gates, 0); NaN stays. */
export function rnnReluForward(h: usize, gates: usize, rows: i32, size: i32): void {
  for (const end = h + floats(rows * size); h < end; h += 16) {
    v128.store(h, f32x4.pmax(v128.load(gates), zero4()));
    gates += 16;
  }
}

/** Writes dGates = dH where h > 0, else 0. */
export function rnnReluBackward(dGates: usize, dH: usize, h: usize, rows: i32, size: i32): void {
  for (const end = h + floats(rows * size); h < end; h += 16) {
    v128.store(dGates, v128.and(v128.load(dH), f32x4.gt(v128.load(h), zero4())));
    dGates += 16; dH += 16;
  }
}
