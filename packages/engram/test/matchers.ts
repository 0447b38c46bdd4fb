// expect(got).toBeClose(want, { atol, rtol, scale }): every element within atol + rtol · scale, the first offender named.
// `scale` is "tensor" (default: the largest |want|) or "element" (that element's |want|).
import { expect } from "vitest";

export interface Tolerance {
  atol?: number;
  rtol?: number;
  scale?: "tensor" | "element";
}

expect.extend({
  toBeClose(got: ArrayLike<number>, want: ArrayLike<number>, { atol = 0, rtol = 0, scale = "tensor" }: Tolerance) {
    if (got.length !== want.length) return { pass: false, message: () => `expected ${want.length} values, got ${got.length}` };
    let largest = 0;
    for (let i = 0; i < want.length; i++) largest = Math.max(largest, Math.abs(want[i] as number));
    for (let i = 0; i < want.length; i++) {
      const wanted = want[i] as number;
      const value = got[i] as number;
      if (Object.is(value, wanted) || value === wanted) continue;
      const allowed = atol + rtol * (scale === "tensor" ? largest : Math.abs(wanted));
      if (!(Math.abs(value - wanted) <= allowed)) {
        return { pass: false, message: () => `element ${i}: got ${value}, want ${wanted} ± ${allowed} (largest |want| ${largest})` };
      }
    }
    return { pass: true, message: () => "expected some element to differ" };
  },
});

interface CloseMatcher<R> {
  toBeClose(want: ArrayLike<number>, tolerance: Tolerance): R;
}

declare module "vitest" {
  // biome-ignore lint/suspicious/noExplicitAny: vitest declares the type parameter with this default
  interface Assertion<T = any> extends CloseMatcher<T> {}
}
