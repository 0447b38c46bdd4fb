// GRU cell, in PyTorch's equations: r, z = σ of their preactivations, n = tanh(n_x + r∘n_h), h = (1 − z)∘n + z∘h′.
// n_x = W_in·x + b_in and n_h = W_hn·h′ + b_hn stay apart because r stands between them.
//
// h, hPrev and their gradients: [rows, size] contiguous; gates and dGates: [rows, 4·size], a row being the blocks n_x, r, z,
// n_h. `size` is H padded to a multiple of 8. In padding columns the preactivations are 0, which keeps h there 0.
import { sigmoidInPlace, sigmoidSlope, tanh4, tanhSlope } from "./functions";
import { floats, flushTiny, splat } from "./simd";

/** Writes h; `gates` leaves as n, r, z (activated) and n_h (as it came). h may be hPrev. */
export function gruForward(h: usize, gates: usize, hPrev: usize, rows: i32, size: i32): void {
  if (rows == 0) return;
  const block = floats(size);
  const end = h + <usize>rows * block;
  do {
    // The sigmoids in a loop of their own: their constants and tanh's together would not fit the registers (half as slow again).
    sigmoidInPlace(gates + block, gates + 3 * block);
    const endOfRow = h + block;
    do {
      const n = tanh4(f32x4.add(v128.load(gates), f32x4.mul(v128.load(gates + block), v128.load(gates + 3 * block))));
      v128.store(gates, n);
      const z = v128.load(gates + 2 * block);
      v128.store(h, f32x4.add(f32x4.mul(f32x4.sub(splat(1), z), n), f32x4.mul(z, v128.load(hPrev))));
      h += 16; gates += 16; hPrev += 16;
    } while (h < endOfRow);
    gates += 3 * block;
  } while (h < end);
}

/**
 * Writes dGates, the gradients of n_x, of r's and z's preactivations and of n_h, and dHPrev = dH∘z: what reaches h′ past the
 * weights (the rest comes through dGates and is the caller's). dHPrev may be dH, and dGates gates. Tiny gradients become 0: along a
 * sequence they would decay into denormals.
 */
export function gruBackward(dGates: usize, dHPrev: usize, dH: usize, gates: usize, hPrev: usize, rows: i32, size: i32): void {
  if (rows == 0) return;
  const block = floats(size);
  const end = dH + <usize>rows * block;
  do {
    const endOfRow = dH + block;
    do {
      const dHidden = v128.load(dH);
      const n = v128.load(gates);
      const z = v128.load(gates + 2 * block);
      v128.store(dHPrev, flushTiny(f32x4.mul(dHidden, z))); // h = (1 − z)∘n + z∘h′
      v128.store(
        dGates + 2 * block, flushTiny(f32x4.mul(f32x4.mul(dHidden, f32x4.sub(v128.load(hPrev), n)), sigmoidSlope(z))),
      );
      const r = v128.load(gates + block);
      const nHidden = v128.load(gates + 3 * block);
      const dN = flushTiny(f32x4.mul(f32x4.mul(dHidden, f32x4.sub(splat(1), z)), tanhSlope(n))); // n = tanh(n_x + r∘n_h)
      v128.store(dGates, dN);
      v128.store(dGates + 3 * block, flushTiny(f32x4.mul(dN, r)));
      v128.store(dGates + block, flushTiny(f32x4.mul(f32x4.mul(dN, nHidden), sigmoidSlope(r))));
      dGates += 16; dHPrev += 16; dH += 16; gates += 16; hPrev += 16;
    } while (dH < endOfRow);
    dGates += 3 * block;
    gates += 3 * block;
  } while (dH < end);
}
