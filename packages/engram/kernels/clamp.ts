// Clamp to [−bound, bound], with the gradient of torch.clamp: 1 up to and on the bound, 0 beyond. `count` is a multiple of 4.
import { floats, splat } from "./simd";

/** out = x clamped; NaN stays. out may be x. */
export function clampForward(out: usize, x: usize, bound: f32, count: i32): void {
  const high = splat(bound);
  const low = splat(-bound);
  for (const end = x + floats(count); x < end; x += 16) {
    v128.store(out, f32x4.pmin(f32x4.pmax(v128.load(x), low), high));
    out += 16;
  }
}

/** dX = dOut where |x| ≤ bound, else 0. dX may be dOut. */
export function clampBackward(dX: usize, dOut: usize, x: usize, bound: f32, count: i32): void {
  const high = splat(bound);
  for (const end = x + floats(count); x < end; x += 16) {
    v128.store(dX, v128.and(v128.load(dOut), f32x4.le(f32x4.abs(v128.load(x)), high)));
    dX += 16; dOut += 16;
  }
}
