import { expect, test } from "vitest";
import { centralDifferences, dot } from "../test/centralDifferences.js";
import { KernelBench, pad8, padRows, unpadRows } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";
import { lstm, lstmBackward } from "../test/reference/cells.js";

const sizes = [1, 3, 5, 7, 17, 33];
const shapes = sizes.flatMap((rows) => sizes.map((size) => [rows, size] as const));

function inputs(rows: number, size: number) {
  const random = seeded(rows * 100 + size);
  const values = (blocks: number, range: number) => uniform(random, rows * blocks * size, -range, range);
  return { gates: values(4, 4), cPrev: values(1, 2), dH: values(1, 1), dC: values(1, 1) };
}

// Each function is right to 2e-7 and three or four roundings of 6e-8 follow, of values up to 3 (c).
const tolerance = { rtol: 6e-7 };

test.each(shapes)("LSTM of %i rows × %i units agrees with float64, forward and backward", (rows, size) => {
  const { gates, cPrev, dH, dC } = inputs(rows, size);
  const bench = new KernelBench();
  const stride = pad8(size);
  const [h, c, tanhC, dGates] = [1, 1, 1, 4].map((blocks) => bench.room(rows * blocks * stride)) as [number, number, number, number];
  const gatesAt = bench.put(padRows(gates, size, stride));
  const cPrevAt = bench.put(padRows(cPrev, size, stride));
  const dCAt = bench.put(padRows(dC, size, stride));

  bench.kernels.lstmForward(h, c, tanhC, gatesAt, cPrevAt, rows, stride);
  const want = lstm(gates, cPrev, rows, size);
  const rowsOf = (at: number) => unpadRows(bench.take(at, rows * stride), size, stride);
  expect(rowsOf(h)).toBeClose(want.h, tolerance);
  expect(rowsOf(c)).toBeClose(want.c, tolerance);
  expect(rowsOf(tanhC)).toBeClose(want.c.map(Math.tanh), tolerance);
  expect(unpadRows(bench.take(gatesAt, rows * 4 * stride), size, stride)).toBeClose(want.gates, tolerance);

  bench.kernels.lstmBackward(dGates, dCAt, bench.put(padRows(dH, size, stride)), gatesAt, tanhC, cPrevAt, rows, stride);
  const wantBack = lstmBackward(dH, dC, want, cPrev, rows, size);
  expect(unpadRows(bench.take(dGates, rows * 4 * stride), size, stride)).toBeClose(wantBack.dGates, tolerance);
  expect(rowsOf(dCAt)).toBeClose(wantBack.dCPrev, tolerance);
  for (const at of [h, c, tanhC, dCAt]) {
    const padded = bench.take(at, rows * stride);
    expect(padRows(unpadRows(padded, size, stride), size, stride)).toEqual(padded); // padding columns are 0
  }

  const dCAgain = bench.put(padRows(dC, size, stride));
  bench.kernels.lstmBackward(gatesAt, dCAgain, bench.put(padRows(dH, size, stride)), gatesAt, tanhC, cPrevAt, rows, stride);
  expect(bench.take(gatesAt, rows * 4 * stride)).toEqual(bench.take(dGates, rows * 4 * stride)); // dGates may be gates
  expect(bench.take(dCAgain, rows * stride)).toEqual(bench.take(dCAt, rows * stride));

  const [apart, again] = [bench.take(h, rows * stride), bench.put(padRows(gates, size, stride))];
  bench.kernels.lstmForward(h, cPrevAt, tanhC, again, cPrevAt, rows, stride);
  expect(bench.take(h, rows * stride)).toEqual(apart); // c may be cPrev
  expect(bench.take(cPrevAt, rows * stride)).toEqual(bench.take(c, rows * stride));
});

test("the LSTM's float64 gradient is that of central differences to 1e-8", () => {
  const [rows, size] = [3, 5];
  const { gates, cPrev, dH, dC } = inputs(rows, size);
  const loss = (g: ArrayLike<number>, previous: ArrayLike<number>) => {
    const { h, c } = lstm(g, previous, rows, size);
    return dot(h, dH) + dot(c, dC);
  };
  const got = lstmBackward(dH, dC, lstm(gates, cPrev, rows, size), cPrev, rows, size);
  expect(got.dGates).toBeClose(
    centralDifferences((g) => loss(g, cPrev), gates),
    { rtol: 1e-8 },
  );
  expect(got.dCPrev).toBeClose(
    centralDifferences((previous) => loss(gates, previous), cPrev),
    { rtol: 1e-8 },
  );
});

test("the LSTM's gradient through time ends in zeros, not in denormals", () => {
  const bench = new KernelBench();
  const [dGates, dC] = [bench.room(32), bench.put(new Float32Array(8).fill(1))];
  const [gates, tanhC, cPrev, dH] = [bench.zeros(32), bench.zeros(8), bench.put(new Float32Array(8).fill(1)), bench.zeros(8)];
  bench.engine.f32(gates, 32).fill(0.25);
  const seen: number[] = [];
  for (let t = 0; t < 60; t++) {
    bench.kernels.lstmBackward(dGates, dC, dH, gates, tanhC, cPrev, 1, 8);
    seen.push(...bench.take(dC, 8), ...bench.take(dGates, 32));
  }
  expect(bench.take(dC, 8)).toEqual(new Float32Array(8));
  expect(seen.filter((v) => v !== 0 && Math.abs(v) < 1e-30)).toEqual([]);
});
