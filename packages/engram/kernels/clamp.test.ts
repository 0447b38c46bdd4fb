import { expect, test } from "vitest";
import { KernelBench } from "../test/kernelBench.js";

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

test("clamp keeps what lies within the bound, signed zeros and NaN", () => {
  const bench = new KernelBench();
  const x = [-3, -2, -1.5, -0, 0, 1.5, 2, 3, infinity, -infinity, nan, 1e-40];
  const at = bench.put(x);
  const out = bench.room(12);
  bench.kernels.clampForward(out, at, 2, 12);
  const want = Float32Array.from([-2, -2, -1.5, -0, 0, 1.5, 2, 2, 2, -2, nan, 1e-40]);
  expect(bench.take(out, 12)).toEqual(want);
  bench.kernels.clampForward(at, at, 2, 12);
  expect(bench.take(at, 12)).toEqual(want);
});

test("clamp's gradient passes on the bound itself and is 0 beyond it and for NaN, as in PyTorch", () => {
  const bench = new KernelBench();
  const x = bench.put([-2.001, -2, 0, 2, 2.001, infinity, nan, 1]);
  const dOut = bench.put([1, 2, 3, 4, 5, 6, 7, 8]);
  const dX = bench.room(8);
  bench.kernels.clampBackward(dX, dOut, x, 2, 8);
  expect([...bench.take(dX, 8)]).toEqual([0, 2, 3, 4, 0, 0, 0, 8]);
  bench.kernels.clampBackward(dOut, dOut, x, 2, 8);
  expect([...bench.take(dOut, 8)]).toEqual([0, 2, 3, 4, 0, 0, 0, 8]);
});
