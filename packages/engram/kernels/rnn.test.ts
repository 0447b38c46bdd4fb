import { expect, test } from "vitest";
import { centralDifferences, dot } from "../test/centralDifferences.js";
import { KernelBench, pad8, padRows, unpadRows } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";
import { type Nonlinearity, rnn, rnnBackward } from "../test/reference/cells.js";

const sizes = [1, 3, 5, 7, 17, 33];
const cases = (["tanh", "relu"] as const).flatMap((kind) => sizes.flatMap((rows) => sizes.map((size) => [kind, rows, size] as const)));
const tolerance = { rtol: 6e-7 }; // tanh is right to 2e-7, and 1 − h² doubles that

function kernelsOf(bench: KernelBench, kind: Nonlinearity) {
  const { rnnTanhForward, rnnTanhBackward, rnnReluForward, rnnReluBackward } = bench.kernels;
  return kind === "tanh" ? ([rnnTanhForward, rnnTanhBackward] as const) : ([rnnReluForward, rnnReluBackward] as const);
}

test.each(cases)("RNN with %s of %i rows × %i units agrees with float64, forward and backward", (kind, rows, size) => {
  const random = seeded(rows * 100 + size);
  const gates = uniform(random, rows * size, -3, 3);
  const dH = uniform(random, rows * size);
  const bench = new KernelBench();
  const stride = pad8(size);
  const [h, dGates] = [bench.room(rows * stride), bench.room(rows * stride)];
  const [forward, backward] = kernelsOf(bench, kind);

  forward(h, bench.put(padRows(gates, size, stride)), rows, stride);
  backward(dGates, bench.put(padRows(dH, size, stride)), h, rows, stride);
  const want = rnn(gates, kind);
  expect(bench.take(h, rows * stride)).toBeClose(padRows(want, size, stride), tolerance);
  expect(unpadRows(bench.take(dGates, rows * stride), size, stride)).toBeClose(rnnBackward(dH, want, kind), tolerance);
});

test.each(["tanh", "relu"] as const)("the float64 gradient of the RNN with %s is that of central differences to 1e-8", (kind) => {
  const random = seeded(7);
  const gates = uniform(random, 35, -3, 3);
  const dH = uniform(random, 35);
  const numerical = centralDifferences((g) => dot(rnn(g, kind), dH), gates);
  expect(rnnBackward(dH, rnn(gates, kind), kind)).toBeClose(numerical, { rtol: 1e-8 });
});

test("relu lets NaN through and has slope 0 at 0", () => {
  const bench = new KernelBench();
  const [h, dGates] = [bench.room(4), bench.room(4)];
  bench.kernels.rnnReluForward(h, bench.put([Number.NaN, 0, -1, 2]), 1, 4);
  expect([...bench.take(h, 4)]).toEqual([Number.NaN, 0, 0, 2]);
  bench.kernels.rnnReluBackward(dGates, bench.put([5, 5, 5, 5]), h, 1, 4);
  expect([...bench.take(dGates, 4)].slice(1)).toEqual([0, 0, 5]);
});
