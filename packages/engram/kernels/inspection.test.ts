import { expect, test } from "vitest";
import { KernelBench } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";

test.each([1, 3, 5, 7, 17, 33, 100])("firstNonFinite finds the first of NaN and the infinities in %i floats, wherever it is", (count) => {
  const bench = new KernelBench();
  const values = uniform(seeded(count), count, -3e38, 3e38);
  const at = bench.put([...values, Number.NaN]); // what follows the buffer does not count
  expect(bench.kernels.firstNonFinite(at, count)).toBe(-1);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    bench.engine.f32(at, count)[count - 1] = Number.NaN;
    for (let i = count - 1; i >= 0; i--) {
      bench.engine.f32(at, count)[i] = bad;
      expect(bench.kernels.firstNonFinite(at, count)).toBe(i);
    }
    bench.engine.f32(at, count).set(values);
  }
});

test.each([0, 1, 3, 31, 32, 33, 70])("equalBytes sees any one of %i bytes that differs", (count) => {
  const bench = new KernelBench();
  const random = seeded(count);
  const bytes = Uint8Array.from({ length: count + 1 }, () => 256 * random());
  const [a, b] = [bench.zeros(32), bench.zeros(32)];
  bench.engine.u8(a, count + 1).set(bytes);
  bench.engine.u8(b, count + 1).set(bytes);
  bench.engine.u8(b, count + 1)[count] = ~(bytes[count] as number); // what follows does not count
  expect(bench.kernels.equalBytes(a, b, count)).toBe(1);
  for (let i = 0; i < count; i++) {
    const different = bench.engine.u8(b, count);
    different[i] = (bytes[i] as number) ^ 16;
    expect(bench.kernels.equalBytes(a, b, count)).toBe(0);
    different[i] = bytes[i] as number;
  }
});
