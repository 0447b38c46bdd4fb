// LSTM cell, in PyTorch's gate order and equations: i, f, o = σ and g = tanh of their preactivations, c = f∘c′ + i∘g,
// h = o∘tanh(c).
//
// h, c, tanhC, cPrev and their gradients: [rows, size] contiguous; gates and dGates: [rows, 4·size], a row being the blocks
// i, f, g, o. `size` is H padded to a multiple of 8. In padding columns the preactivations are 0, which keeps c and h there 0.
import { sigmoidInPlace, sigmoidSlope, tanh4, tanhInPlace, tanhSlope } from "./functions";
import { floats, flushTiny } from "./simd";

/** Writes h, c and tanhC = tanh(c); `gates` comes in as preactivations and leaves as activations. c may be cPrev. */
export function lstmForward(h: usize, c: usize, tanhC: usize, gates: usize, cPrev: usize, rows: i32, size: i32): void {
  if (rows == 0) return;
  const block = floats(size);
  const end = h + <usize>rows * block;
  do {
    // The activations in loops of their own: the constants of several would not fit the registers (a quarter slower).
    sigmoidInPlace(gates, gates + 2 * block);
    tanhInPlace(gates + 2 * block, gates + 3 * block);
    sigmoidInPlace(gates + 3 * block, gates + 4 * block);
    const endOfRow = h + block;
    do {
      const gated = f32x4.mul(v128.load(gates), v128.load(gates + 2 * block));
      const cell = f32x4.add(f32x4.mul(v128.load(gates + block), v128.load(cPrev)), gated);
      v128.store(c, cell);
      const squashed = tanh4(cell);
      v128.store(tanhC, squashed);
      v128.store(h, f32x4.mul(v128.load(gates + 3 * block), squashed));
      h += 16; c += 16; tanhC += 16; gates += 16; cPrev += 16;
    } while (h < endOfRow);
    gates += 3 * block;
  } while (h < end);
}

/**
 * Writes dGates (of the preactivations), which may be gates. `dC` comes in as the gradient that reaches c from later steps and
 * leaves as the one for c′. Tiny gradients become 0: along a sequence they would decay into denormals.
 */
export function lstmBackward(
  dGates: usize, dC: usize, dH: usize, gates: usize, tanhC: usize, cPrev: usize, rows: i32, size: i32,
): void {
  if (rows == 0) return;
  const block = floats(size);
  const end = dC + <usize>rows * block;
  do {
    const endOfRow = dC + block;
    do {
      const o = v128.load(gates + 3 * block);
      const squashed = v128.load(tanhC);
      const dHidden = v128.load(dH);
      v128.store(dGates + 3 * block, flushTiny(f32x4.mul(f32x4.mul(dHidden, squashed), sigmoidSlope(o)))); // h = o∘tanh(c)
      const dCell = f32x4.add(v128.load(dC), f32x4.mul(f32x4.mul(dHidden, o), tanhSlope(squashed)));
      const f = v128.load(gates + block);
      v128.store(dC, flushTiny(f32x4.mul(dCell, f))); // c = f∘c′ + i∘g
      v128.store(dGates + block, flushTiny(f32x4.mul(f32x4.mul(dCell, v128.load(cPrev)), sigmoidSlope(f))));
      const i = v128.load(gates);
      const g = v128.load(gates + 2 * block);
      v128.store(dGates, flushTiny(f32x4.mul(f32x4.mul(dCell, g), sigmoidSlope(i))));
      v128.store(dGates + 2 * block, flushTiny(f32x4.mul(f32x4.mul(dCell, i), tanhSlope(g))));
      dGates += 16; dC += 16; dH += 16; gates += 16; tanhC += 16; cPrev += 16;
    } while (dC < endOfRow);
    dGates += 3 * block;
    gates += 3 * block;
  } while (dC < end);
}
