import { describe, expect, test } from "vitest";
import { KernelBench, padRows, unpadRows } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";
import { binaryCrossEntropy, meanSquaredError, type RowLoss, softmaxCrossEntropy } from "../test/reference/losses.js";

const sizes = [1, 3, 5, 7, 17, 33];
const pad8 = (n: number) => (n + 7) & ~7;

type Kind = "binaryCrossEntropy" | "meanSquaredError" | "softmax" | "softmaxIndex";
interface Problem {
  readonly kind: Kind;
  readonly size: number;
  /** Packed output rows. */
  readonly y: ArrayLike<number>;
  /** Natural rows: `size` values each, or one class number. */
  readonly target: ArrayLike<number>;
  readonly mask?: ArrayLike<number>;
  readonly maskWidth?: number;
  /** Natural row of each packed row. */
  readonly source: readonly number[];
  readonly scale?: number;
}

/** As the trainer stages it: 16 bytes after the end can be read, but what they hold (here NaN) must not matter. */
function stage(bench: KernelBench, values: ArrayLike<number>): number {
  const at = bench.room(values.length + 4);
  bench.engine.f32(at, values.length).set(values);
  return at;
}

function run({ kind, size, y, target, mask, maskWidth = 1, source, scale = 1 }: Problem) {
  const bench = new KernelBench();
  const rows = source.length;
  const dOut = bench.room(rows * pad8(size));
  const out = bench.put(padRows(y, size, pad8(size)));
  const [t, m, s] = [stage(bench, target), mask === undefined ? 0 : stage(bench, mask), bench.putInts(source)];
  const { kernels } = bench;
  const loss = {
    binaryCrossEntropy: () => kernels.binaryCrossEntropyRows(dOut, out, t, m, maskWidth, s, rows, size, scale),
    meanSquaredError: () => kernels.meanSquaredErrorRows(dOut, out, t, m, maskWidth, s, rows, size, scale),
    softmax: () => kernels.softmaxCrossEntropyRows(dOut, out, t, m, s, rows, size, scale),
    softmaxIndex: () => kernels.softmaxCrossEntropyIndexRows(dOut, out, t, m, s, rows, size, scale),
  }[kind]();
  const padded = bench.take(dOut, rows * pad8(size));
  expect(padded.every((v, i) => i % pad8(size) < size || v === 0)).toBe(true);
  return { loss, gradient: unpadRows(padded, size, pad8(size)) };
}

const rowOf = (values: ArrayLike<number>, row: number, width: number) =>
  Array.from({ length: width }, (_, j) => values[row * width + j] as number);

function twinRow({ kind, size, target, mask, maskWidth = 1 }: Problem, y: number[], natural: number): RowLoss {
  const weight = (j: number) => (mask === undefined ? 1 : (mask[natural * maskWidth + (maskWidth === 1 ? 0 : j)] as number));
  const weights = y.map((_, j) => weight(j));
  if (kind === "softmaxIndex")
    return softmaxCrossEntropy(
      y,
      y.map((_, j) => (j === target[natural] ? 1 : 0)),
      weight(0),
    );
  const t = rowOf(target, natural, size);
  if (kind === "softmax") return softmaxCrossEntropy(y, t, weight(0));
  return kind === "binaryCrossEntropy" ? binaryCrossEntropy(y, t, weights) : meanSquaredError(y, t, weights);
}

function twin(problem: Problem): { loss: number; gradient: number[] } {
  const rows = problem.source.map((natural, row) => twinRow(problem, rowOf(problem.y, row, problem.size), natural));
  return {
    loss: rows.reduce((sum, row) => sum + row.loss, 0),
    gradient: rows.flatMap((row) => row.gradient.map((g) => g * (problem.scale ?? 1))),
  };
}

function problem(kind: Kind, size: number, maskWidth: number): Problem {
  const random = seeded(1000 * size + maskWidth);
  const source = [4, 0, 6, 5, 1]; // of 7 natural rows
  const probabilities = () => {
    const raw = uniform(random, size, 0, 1);
    const total = raw.reduce((sum, x) => sum + x, 0);
    return [...raw].map((x) => (0.8 * x) / total); // smoothed away to less than 1: the gradient must not take the sum for granted
  };
  const targets: Record<Kind, () => number[]> = {
    binaryCrossEntropy: () => [...uniform(random, 7 * size, 0, 1)].map((x, i) => (i % 2 === 0 ? x : Math.round(x))),
    meanSquaredError: () => [...uniform(random, 7 * size, -3, 3)],
    softmax: () => Array.from({ length: 7 }, probabilities).flat(),
    softmaxIndex: () => Array.from({ length: 7 }, () => Math.floor(size * random())),
  };
  return {
    kind,
    size,
    y: uniform(random, source.length * size, -6, 6),
    target: Float32Array.from(targets[kind]()),
    ...(maskWidth === 0 ? {} : { mask: uniform(random, 7 * maskWidth, 0, 2).map((m, i) => (i % 3 === 0 ? 0 : m)), maskWidth }),
    source,
    scale: 0.37,
  };
}

const kinds: Kind[] = ["binaryCrossEntropy", "meanSquaredError", "softmax", "softmaxIndex"];
const problems = kinds.flatMap((kind) =>
  sizes
    .flatMap((size) => [0, 1, size].map((maskWidth) => [kind, size, maskWidth] as const))
    .filter(([, size, width]) => width < 2 || (kind !== "softmax" && kind !== "softmaxIndex") || size === 1),
);

describe("losses over packed rows", () => {
  test.each(problems)("%s of %i values, mask width %i, agrees with float64", (kind, size, maskWidth) => {
    const p = problem(kind, size, maskWidth);
    const got = run(p);
    const want = twin(p);
    // Each value's loss comes of numbers below 50 by a few roundings of 2⁻²⁴; the sum over them is float64.
    expect(Math.abs(got.loss - want.loss)).toBeLessThanOrEqual(p.y.length * 50 * 3 * 2 ** -24);
    // A softmax divides by a float32 sum of `size` terms; all else is a handful of roundings.
    expect(got.gradient).toBeClose(want.gradient, { rtol: (8 + size / 4) * 2 ** -24 });
  });

  test.each(kinds)("%s: the twin's gradient is within 1e-8 of central differences", (kind) => {
    const p = { ...problem(kind, 5, 1), scale: 1 };
    const want = twin(p).gradient;
    const step = 1e-5; // error h²·l‴/6 ≈ 1e-10, rounding 1e-16·50/h ≈ 1e-9
    const differences = want.map((_, i) => {
      const shifted = (by: number) => twin({ ...p, y: Array.from(p.y, (y, k) => (k === i ? y + by : y)) }).loss;
      return (shifted(step) - shifted(-step)) / (2 * step);
    });
    expect(differences).toBeClose(want, { atol: 1e-8 });
  });
});

describe("by hand", () => {
  test("a logit of 0 costs ln 2 and pulls by half", () => {
    const { loss, gradient } = run({ kind: "binaryCrossEntropy", size: 2, y: [0, 0], target: [0, 1], source: [0] });
    expect(loss).toBeCloseTo(2 * Math.LN2, 6);
    expect([...gradient]).toEqual([0.5, -0.5]);
  });

  test("equal logits cost ln O", () => {
    const { loss, gradient } = run({ kind: "softmaxIndex", size: 4, y: [7, 7, 7, 7], target: [2], source: [0] });
    expect(loss).toBeCloseTo(Math.log(4), 6);
    expect([...gradient]).toEqual([0.25, 0.25, -0.75, 0.25]);
  });

  test("squared error counts its mask and scales its gradient", () => {
    const p: Problem = {
      kind: "meanSquaredError",
      size: 3,
      y: [1, 2, 3],
      target: [0, 0, 0],
      mask: [1, 0.5, 0],
      maskWidth: 3,
      source: [0],
      scale: 2,
    };
    expect(run(p)).toEqual({ loss: 1 + 2, gradient: Float32Array.of(4, 4, 0) });
  });
});

describe("extremes", () => {
  const extreme = [1e4, -1e4, 1e4, -1e4, 3e38, -3e38, 3e38, -3e38];
  const targets = [1, 0, 0, 1, 1, 0, 0, 1];

  test("logits of ±1e4 and ±3e38 give the exact loss and gradient", () => {
    for (const [i, y] of extreme.entries()) {
      const t = targets[i] as number;
      const { loss, gradient } = run({ kind: "binaryCrossEntropy", size: 1, y: [y], target: [t], source: [0] });
      expect(loss).toBe(t === (y > 0 ? 1 : 0) ? 0 : Math.fround(Math.abs(y)));
      expect(gradient[0]).toBeCloseTo((y > 0 ? 1 : 0) - t, 12);
    }
  });

  test("a confident right answer keeps a gradient of full relative accuracy", () => {
    const y = [5, 12, 20, 40, -5, -12, -20, -40];
    const p: Problem = { kind: "binaryCrossEntropy", size: 8, y, target: [1, 1, 1, 1, 0, 0, 0, 0], source: [0] };
    expect(run(p).gradient).toBeClose(twin(p).gradient, { rtol: 5e-7, scale: "element" }); // exp, a sum, a quotient
  });

  test.each(["softmax", "softmaxIndex"] as const)("%s of logits of ±1e4 has no NaN", (kind) => {
    const y = [1e4, -1e4, 0, 1e4, -3e38];
    for (const right of [0, 1, 4]) {
      const target = kind === "softmaxIndex" ? [right] : y.map((_, j) => (j === right ? 1 : 0));
      const p: Problem = { kind, size: 5, y, target, source: [0] };
      const { loss, gradient } = run(p);
      expect([loss]).toBeClose([twin(p).loss], { rtol: 1e-6 }); // two float32 roundings
      expect(gradient).toBeClose(twin(p).gradient, { atol: 1e-7 });
    }
  });

  test.each(kinds)("%s: where the mask is 0, an infinite or absurd output counts nothing", (kind) => {
    const p = problem(kind, 5, 1);
    const mask = [1, 1, 1, 1, 0, 1, 0]; // the natural rows of packed rows 0 and 2
    const wild = Float32Array.from(p.y, (y, i) =>
      i < 5 ? Number.POSITIVE_INFINITY : i >= 10 && i < 15 ? (i % 2 === 0 ? 3e38 : -3e38) : y,
    );
    const target = Float32Array.from(p.target);
    if (kind === "softmaxIndex") target[4] = 1e9;
    expect(run({ ...p, mask, y: wild, target })).toEqual(run({ ...p, mask }));
  });

  test("the sum is float64: a million equal losses lose nothing", () => {
    const rows = 1000;
    const size = 1000;
    const p: Problem = {
      kind: "meanSquaredError",
      size,
      y: new Float32Array(rows * size).fill(1.5),
      target: new Float32Array(size),
      source: new Array(rows).fill(0),
    };
    expect(run(p).loss).toBe(2.25 * rows * size);
  });
});
