import { describe, expect, test } from "vitest";
import { KernelBench } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";

const sizes = [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 17, 33, 1000, 1003];
const guard = 3; // floats on either side that must neither be read (NaN would spread) nor written

/** `values` between NaNs, at an address that is no multiple of 16. */
function guarded(bench: KernelBench, values: Float32Array): number {
  const at = bench.room(values.length + 2 * guard) + 4 * guard;
  bench.engine.f32(at, values.length).set(values);
  return at;
}

function expectGuards(bench: KernelBench, at: number, count: number): void {
  const around = [...bench.take(at - 4 * guard, guard), ...bench.take(at + 4 * count, guard)];
  expect(around.every(Number.isNaN)).toBe(true);
}

/** The order that sumOfSquares promises: eight running sums, then pairs. */
function sumInEights(terms: Float64Array): number {
  const lanes = new Float64Array(8);
  for (let i = 0; i < terms.length; i++) {
    const last = terms.length - (terms.length % 8);
    const inLast = i - last;
    // What is left after the eights fills lanes 0 … 3 while there are four, else lanes 4 … 6.
    const lane = inLast < 0 ? i % 8 : terms.length - last >= 4 ? inLast : inLast + 4;
    lanes[lane] = (lanes[lane] as number) + (terms[i] as number);
  }
  const [a, b, c, d, e, f, g, h] = lanes as unknown as number[] as [number, number, number, number, number, number, number, number];
  return a + c + (e + g) + (b + d + (f + h));
}

describe.each(sizes)("%i elements", (count) => {
  const random = seeded(count);
  const values = uniform(random, count, -2, 2);

  test("sumOfSquares is the float64 sum in its promised order, to the bit", () => {
    const bench = new KernelBench();
    const want = sumInEights(Float64Array.from(values, (v) => v * v));
    expect(bench.kernels.sumOfSquares(guarded(bench, values), count)).toBe(want);
    const plain = values.reduce((sum, v) => sum + v * v, 0);
    expect([want]).toBeClose([plain], { rtol: count * 2 ** -52 }); // two orders of one float64 sum
  });

  test("maskSum is exact for weights with few bits", () => {
    const bench = new KernelBench();
    const mask = values.map((v) => Math.floor(8 * Math.abs(v)) / 8);
    expect(bench.kernels.maskSum(guarded(bench, mask), count)).toBe(mask.reduce((sum, m) => sum + m, 0));
  });

  test("scaleInPlace and clampInPlace round once and leave the neighbours alone", () => {
    const bench = new KernelBench();
    const scaled = guarded(bench, values);
    bench.kernels.scaleInPlace(scaled, 0.3, count);
    expect(bench.take(scaled, count)).toEqual(values.map((v) => Math.fround(v * Math.fround(0.3))));
    expectGuards(bench, scaled, count);
    const clamped = guarded(bench, values);
    bench.kernels.clampInPlace(clamped, 0.75, count);
    expect(bench.take(clamped, count)).toEqual(values.map((v) => Math.min(0.75, Math.max(-0.75, v))));
    expectGuards(bench, clamped, count);
  });
});

test("clampInPlace bounds infinities and keeps NaN", () => {
  const bench = new KernelBench();
  const at = bench.put([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -0, 3]);
  bench.kernels.clampInPlace(at, 2, 5);
  expect([...bench.take(at, 5)]).toEqual([2, -2, Number.NaN, -0, 2]);
});

test("sums of squares pass on NaN and infinity, and do not overflow where float32 would", () => {
  const bench = new KernelBench();
  expect(bench.kernels.sumOfSquares(bench.put([1, Number.NaN, 2]), 3)).toBeNaN();
  expect(bench.kernels.sumOfSquares(bench.put([1, 2, Number.NEGATIVE_INFINITY]), 3)).toBe(Number.POSITIVE_INFINITY);
  expect([bench.kernels.sumOfSquares(bench.put([3e38, 3e38]), 2)]).toBeClose([1.8e77], { rtol: 2 ** -23 }); // 3e38 as float32
});

/** Adds neighbours, then neighbouring pairs, and so on, an odd one going up a level as it is; in float32. */
function treeSum(lanes: number[]): number {
  if (lanes.length === 1) return lanes[0] as number;
  const pairs: number[] = [];
  for (let i = 0; i < lanes.length; i += 2) {
    pairs.push(i + 1 < lanes.length ? Math.fround((lanes[i] as number) + (lanes[i + 1] as number)) : (lanes[i] as number));
  }
  return treeSum(pairs);
}

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 32, 33])("sumGradients adds %i lanes in a tree of pairs, to the bit", (numLanes) => {
  const bench = new KernelBench();
  const random = seeded(numLanes);
  const count = 13;
  const stride = 20;
  const start = uniform(random, 16);
  const values = uniform(random, numLanes * stride);
  const total = bench.put(start);
  const lanes = bench.put(values);
  bench.kernels.sumGradients(total, lanes, 4 * stride, numLanes, count, 1);
  const want = start.map((s, i) => Math.fround(s + treeSum(Array.from({ length: numLanes }, (_, l) => values[l * stride + i] as number))));
  expect(bench.take(total, count)).toEqual(want.subarray(0, count));
  expect(bench.take(lanes, values.length)).toEqual(values);
  bench.kernels.sumGradients(total, lanes, 4 * stride, numLanes, count, 0);
  const fromZero = start.map((_, i) => treeSum(Array.from({ length: numLanes }, (_, l) => values[l * stride + i] as number)));
  expect(bench.take(total, count)).toEqual(fromZero.subarray(0, count));
});
