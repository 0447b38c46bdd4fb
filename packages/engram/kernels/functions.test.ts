import { expect, test } from "vitest";
import type { Kernels } from "../src/engine/kernels.generated.js";
import { KernelBench } from "../test/kernelBench.js";
import { seeded } from "../test/random.js";

type MapKernel = { [K in keyof Kernels]: Kernels[K] extends (out: number, x: number, count: number) => void ? K : never }[keyof Kernels];

function apply(name: MapKernel, x: ArrayLike<number>): Float32Array {
  const bench = new KernelBench();
  const out = bench.room(x.length + 3);
  bench.kernels[name](out, bench.put(x), x.length);
  return bench.take(out, x.length);
}

const count = 100_000;

/** float32 numbers from low to high, half of them evenly spread and half by magnitude down to 1e-12 of the larger end. */
function spread(low: number, high: number): Float32Array {
  const random = seeded(17);
  const x = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    x[i] = low + ((high - low) * i) / (count - 1);
    const end = random() < 0.5 ? low : high;
    const small = end * 10 ** (-12 * random());
    x[i + 1] = small >= low && small <= high ? small : end;
  }
  return x;
}

/** Largest |got − want| / |want| of the kernel over x, all in float64. */
function relativeError(name: MapKernel, f: (x: number) => number, x: Float32Array): number {
  const got = apply(name, x);
  let worst = 0;
  for (let i = 0; i < x.length; i++) {
    const want = f(x[i] as number);
    if (got[i] === want) continue;
    const error = Math.abs((got[i] as number) - want) / Math.abs(want);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** sin(2π(x + quarters/4)) by the same exact reduction to an eighth of a turn, which float64 does without error. */
function sine2Pi(x: number, quarters: number): number {
  const quarter = Math.round(4 * (x - Math.round(x)));
  const angle = 2 * Math.PI * (x - Math.round(x) - quarter / 4);
  const turned = (quarter + quarters + 8) % 4;
  return (turned >= 2 ? -1 : 1) * (turned % 2 === 0 ? Math.sin(angle) : Math.cos(angle));
}

// Ranges as low, high, low, high, …; the first of each reaches to where the result stops being a normal number.
const functions: [MapKernel, (x: number) => number, number[]][] = [
  ["mapExp", Math.exp, [-86.98, 88.722, -2, 2]],
  ["mapSigmoid", sigmoid, [-87.33, 100, -20, 20, -2, 2]],
  ["mapTanh", Math.tanh, [-20, 20, -1, 1, -1e-3, 1e-3, -1e-20, 1e-20]],
  ["mapSoftplus", softplus, [-86.98, 3e38, -20, 20, -2, 2]],
  ["mapLog", Math.log, [0, 3.4e38, 0, 4, 0.9, 1.1, 0, 1.2e-38]],
  ["mapSin2Pi", (x) => sine2Pi(x, 0), [-1, 1, -1e-3, 1e-3, -5000, 5000, 0, 3e38]],
  ["mapCos2Pi", (x) => sine2Pi(x, 1), [-1, 1, 0.24, 0.26, -5000, 5000, 0, 3e38]],
];

test.each(functions)("%s has a relative error below 2e-7", (name, f, ranges) => {
  for (let i = 0; i < ranges.length; i += 2) {
    const x = spread(ranges[i] as number, ranges[i + 1] as number);
    expect(relativeError(name, f, x), `from ${ranges[i]} to ${ranges[i + 1]}`).toBeLessThan(2e-7);
  }
});

test("special values are those of Math", () => {
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
  const x = [0, -0, infinity, -infinity, nan];
  const ln2 = Math.fround(Math.LN2);
  expect([...apply("mapExp", x)]).toEqual([1, 1, infinity, 0, nan]);
  expect([...apply("mapSigmoid", x)]).toEqual([0.5, 0.5, 1, 0, nan]);
  expect([...apply("mapTanh", x)]).toEqual([0, -0, 1, -1, nan]);
  expect([...apply("mapSoftplus", x)]).toEqual([ln2, ln2, infinity, 0, nan]);
  expect([...apply("mapLog", x)]).toEqual([-infinity, -infinity, infinity, nan, nan]);
  expect([...apply("mapSin2Pi", x)]).toEqual([0, 0, nan, nan, nan]);
  expect([...apply("mapCos2Pi", x)]).toEqual([1, 1, nan, nan, nan]);
  expect([...apply("mapLog", [1, -1, -1e-40, 1e-45])]).toEqual([0, nan, nan, Math.fround(Math.log(2 ** -149))]);
});

test("exp ends in 0 and infinity without a denormal, however far its argument lies", () => {
  const far = [-86.99, -87.2, -87.4, -88, -104, -1e4, -3e38];
  expect(Math.min(...apply("mapExp", spread(-100, 88)).filter((v) => v > 0))).toBeGreaterThan(2 ** -126);
  expect([...apply("mapExp", far)].slice(1)).toEqual(far.slice(1).map(() => 0));
  expect([...apply("mapExp", [88.73, 89, 89.6, 1e4, 3e38])]).toEqual([1, 1, 1, 1, 1].map(() => Number.POSITIVE_INFINITY));
});

test("tanh and sigmoid never leave their range, and tanh of a tiny number is that number", () => {
  const wide = spread(-30, 30);
  expect(apply("mapTanh", wide).filter((v) => !(Math.abs(v) <= 1))).toHaveLength(0);
  expect(apply("mapSigmoid", wide).filter((v) => !(v >= 0 && v <= 1))).toHaveLength(0);
  const tiny = Float32Array.from([1e-10, -1e-20, 1e-37, -1e-40, 1e-45]);
  expect([...apply("mapTanh", tiny)]).toEqual([...tiny]);
});
