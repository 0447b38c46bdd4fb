// Questions about a whole buffer, answered at the speed of reading it.
import { floats } from "./simd";

const MAGNITUDE: i32 = 0x7fffffff;
const LARGEST_FINITE: i32 = 0x7f7fffff;

/** Index of the first NaN or infinity among `count` floats, or −1. */
export function firstNonFinite(x: usize, count: i32): i32 {
  const magnitude = i32x4.splat(MAGNITUDE);
  const largest = i32x4.splat(LARGEST_FINITE);
  const start = x;
  const end = x + floats(count);
  for (; x + 64 <= end; x += 64) {
    // Without its sign a float is ordered as an integer is, NaN above infinity above all finite ones.
    const a = i32x4.max_s(v128.and(v128.load(x), magnitude), v128.and(v128.load(x, 16), magnitude));
    const b = i32x4.max_s(v128.and(v128.load(x, 32), magnitude), v128.and(v128.load(x, 48), magnitude));
    if (v128.any_true(i32x4.gt_s(i32x4.max_s(a, b), largest))) break;
  }
  for (; x < end; x += 4) {
    if ((load<i32>(x) & MAGNITUDE) > LARGEST_FINITE) return <i32>((x - start) >> 2);
  }
  return -1;
}

/** 1 when the two runs of bytes are the same, else 0. */
export function equalBytes(a: usize, b: usize, bytes: usize): i32 {
  const end = a + bytes;
  for (; a + 32 <= end; a += 32) {
    const low = v128.xor(v128.load(a), v128.load(b));
    const high = v128.xor(v128.load(a, 16), v128.load(b, 16));
    if (v128.any_true(v128.or(low, high))) return 0;
    b += 32;
  }
  for (; a < end; a++) {
    if (load<u8>(a) != load<u8>(b)) return 0;
    b++;
  }
  return 1;
}
