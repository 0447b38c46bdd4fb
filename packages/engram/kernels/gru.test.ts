import { expect, test } from "vitest";
import { centralDifferences, dot } from "../test/centralDifferences.js";
import { KernelBench, pad8, padRows, unpadRows } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";
import { gru, gruBackward } from "../test/reference/cells.js";

const sizes = [1, 3, 5, 7, 17, 33];
const shapes = sizes.flatMap((rows) => sizes.map((size) => [rows, size] as const));

function inputs(rows: number, size: number) {
  const random = seeded(rows * 100 + size);
  const values = (blocks: number, range: number) => uniform(random, rows * blocks * size, -range, range);
  return { gates: values(4, 4), hPrev: values(1, 1), dH: values(1, 1) };
}

// Each function is right to 2e-7, n also feels the rounding of its argument (up to 8), and three or four roundings of 6e-8 follow.
const tolerance = { rtol: 1e-6 };

test.each(shapes)("GRU of %i rows × %i units agrees with float64, forward and backward", (rows, size) => {
  const { gates, hPrev, dH } = inputs(rows, size);
  const bench = new KernelBench();
  const stride = pad8(size);
  const [h, dHPrev, dGates] = [1, 1, 4].map((blocks) => bench.room(rows * blocks * stride)) as [number, number, number];
  const gatesAt = bench.put(padRows(gates, size, stride));
  const hPrevAt = bench.put(padRows(hPrev, size, stride));
  const dHAt = bench.put(padRows(dH, size, stride));

  bench.kernels.gruForward(h, gatesAt, hPrevAt, rows, stride);
  const want = gru(gates, hPrev, rows, size);
  const rowsOf = (at: number) => unpadRows(bench.take(at, rows * stride), size, stride);
  expect(rowsOf(h)).toBeClose(want.h, tolerance);
  expect(unpadRows(bench.take(gatesAt, rows * 4 * stride), size, stride)).toBeClose(want.gates, tolerance);

  bench.kernels.gruBackward(dGates, dHPrev, dHAt, gatesAt, hPrevAt, rows, stride);
  const wantBack = gruBackward(dH, want, hPrev, rows, size);
  const gotGates = bench.take(dGates, rows * 4 * stride);
  expect(unpadRows(gotGates, size, stride)).toBeClose(wantBack.dGates, tolerance);
  expect(rowsOf(dHPrev)).toBeClose(wantBack.dHPrev, tolerance);
  for (const at of [h, dHPrev]) {
    const padded = bench.take(at, rows * stride);
    expect(padRows(unpadRows(padded, size, stride), size, stride)).toEqual(padded); // padding columns are 0
  }

  const apart = bench.take(dHPrev, rows * stride);
  bench.kernels.gruBackward(gatesAt, dHAt, dHAt, gatesAt, hPrevAt, rows, stride);
  expect(bench.take(dHAt, rows * stride)).toEqual(apart); // dHPrev may be dH
  expect(bench.take(gatesAt, rows * 4 * stride)).toEqual(gotGates); // and dGates gates

  const [hApart, again] = [bench.take(h, rows * stride), bench.put(padRows(gates, size, stride))];
  bench.kernels.gruForward(hPrevAt, again, hPrevAt, rows, stride);
  expect(bench.take(hPrevAt, rows * stride)).toEqual(hApart); // h may be hPrev
});

test("the GRU's float64 gradient is that of central differences to 1e-8", () => {
  const [rows, size] = [3, 5];
  const { gates, hPrev, dH } = inputs(rows, size);
  const loss = (g: ArrayLike<number>, previous: ArrayLike<number>) => dot(gru(g, previous, rows, size).h, dH);
  const got = gruBackward(dH, gru(gates, hPrev, rows, size), hPrev, rows, size);
  expect(got.dGates).toBeClose(
    centralDifferences((g) => loss(g, hPrev), gates),
    { rtol: 1e-8 },
  );
  expect(got.dHPrev).toBeClose(
    centralDifferences((previous) => loss(gates, previous), hPrev),
    { rtol: 1e-8 },
  );
});
