import { expect, test } from "vitest";
import { KernelBench, padRows, unpadRows } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";

const sizes = [1, 3, 5, 7, 17, 33];
const pad8 = (n: number) => (n + 7) & ~7;

function product(a: Float32Array, b: (k: number, n: number) => number, m: number, n: number, k: number): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let p = 0; p < k; p++) c[i * n + j] = (c[i * n + j] as number) + (a[i * k + p] as number) * b(p, j);
    }
  }
  return c;
}

// A float32 sum of k ≤ 33 products of numbers below 1 is off by at most k · 2⁻²⁴ · k.
const tolerance = { atol: 33 * 33 * 2 ** -24 };

test.each(sizes.flatMap((m) => sizes.flatMap((n) => sizes.map((k) => [m, n, k] as const))))(
  "x·Wᵀ and y·W of %i × %i × %i agree with float64",
  (m, n, k) => {
    const random = seeded(m * 10000 + n * 100 + k);
    const bench = new KernelBench();
    const stride = pad8(n);
    const a = uniform(random, m * k);
    const w = uniform(random, n * k); // as [N, K] for x·Wᵀ, as [K, N] for y·W
    const bias = uniform(random, n);
    const panels = bench.zeros(stride * k);
    const c = bench.room(m * stride);
    const run = (start: number, startStride: number) =>
      bench.kernels.gemm(c, stride * 4, start, startStride, bench.put(a), k * 4, panels, m, n, k);

    bench.kernels.packTransposed(panels, k, 0, 0, bench.put(w), k * 4, n, k);
    run(0, 0);
    const transposed = product(a, (p, j) => w[j * k + p] as number, m, n, k);
    expect(unpadRows(bench.take(c, m * stride), n, stride)).toBeClose(transposed, tolerance);
    run(bench.put(padRows(bias, n, stride)), 0);
    expect(unpadRows(bench.take(c, m * stride), n, stride)).toBeClose(
      transposed.map((v, i) => v + (bias[i % n] as number)),
      tolerance,
    );

    bench.kernels.packPlain(panels, k, 0, 0, bench.put(w), n * 4, k, n);
    run(c, stride * 4);
    const plain = product(a, (p, j) => w[p * n + j] as number, m, n, k);
    const both = plain.map((v, i) => v + (transposed[i] as number) + (bias[i % n] as number));
    expect(unpadRows(bench.take(c, m * stride), n, stride)).toBeClose(both, tolerance);
  },
);

test.each(sizes)("transposeRows of %i rows moves every value", (rows) => {
  const bench = new KernelBench();
  const values = uniform(seeded(rows), rows * 12);
  const out = bench.room(12 * rows);
  bench.kernels.transposeRows(out, rows * 4, bench.put(values), 48, rows, 12);
  const got = bench.take(out, 12 * rows);
  for (let i = 0; i < rows; i++) for (let j = 0; j < 12; j++) expect(got[j * rows + i]).toBe(values[i * 12 + j]);
});
