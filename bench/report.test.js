import { expect, test } from "vitest";
import { productFlops } from "./flops.js";
import { exponentOf, figuresOf, formatMs, markdownTable } from "./report.js";

const given = {
  name: "small",
  model: "dnc",
  measure: "train",
  batchSize: 2,
  sequenceLength: 3,
  options: { inputSize: 6, hiddenSize: 64, numHiddenLayers: 1, nrCells: 16, cellSize: 20, readHeads: 4 },
  mark: 12,
};
const result = (side, threads, roundMs, more = {}) => ({
  side,
  threads,
  label: `${side} ${threads}`,
  roundMs,
  roundCpuMs: roundMs.map((ms) => ms / 2),
  ms: { median: roundMs[1], smallest: roundMs[0] },
  cpuMs: { median: roundMs[1] / 2 },
  ...more,
});

test("ratios are taken round by round, against both cores and against the peer's fastest setting", () => {
  const figures = figuresOf(given, [
    result("engram", 1, [4, 5, 6], { roundGflops: [50, 50, 50] }),
    result("engram", 2, [2, 2.5, 3], { roundGflops: [100, 100, 100] }),
    result("pytorch-dnc", 2, [40, 50, 90]),
    result("pytorch-dnc", 1, [20, 25, 30]),
  ]);
  expect(figures.ratio).toEqual({ median: 20, low: 20, high: 30 });
  expect(figures.ratioOneThread).toEqual({ median: 10, low: 10, high: 15 });
  expect(figures.ratioToFastest).toEqual({ median: 10, low: 10, high: 10 });
  expect(figures.fastest).toBe("pytorch-dnc 1");
  expect(figures.ratioOfBests).toBe(20);
  expect(figures.ratioOfWork).toBe(5);
  expect(figures.met).toBe(true);
});

test("the share of the roofline is flops over one thread's processor time and the probe's rate of the same round", () => {
  const [ours] = figuresOf(given, [result("engram", 1, [4, 5, 8], { roundGflops: [50, 40, 25] })]).results;
  expect(ours.share).toBeCloseTo(productFlops(given) / 0.1e9, 12);
});

test("without the peer there is no ratio and no verdict", () => {
  const figures = figuresOf(given, [
    result("engram", 1, [4, 5, 6], { roundGflops: [1, 1, 1] }),
    { side: "pytorch-dnc", threads: 2, failure: "none" },
  ]);
  expect([figures.ratio, figures.met]).toEqual([undefined, undefined]);
});

test("exponents leave out points below `from`, and say whether what is expected is met", () => {
  const sweep = { cases: [1, 2, 4, 8].map((value) => ({ value })), expected: { exponent: 1, within: 0.1, from: 2 } };
  const exponent = exponentOf(
    sweep,
    [9, 2, 4, 8].map((smallest) => ({ cpuMs: { smallest } })),
  );
  expect(exponent.exponent).toBeCloseTo(1, 12);
  expect(exponent.met).toBe(true);
});

test("tables are aligned Markdown and leave empty columns out", () => {
  const text = markdownTable(
    [
      ["dnc", 1],
      ["sam-n5000", 2],
    ],
    [
      ["case", ([name]) => name],
      ["empty", () => ""],
      ["ms", ([, ms]) => ms],
    ],
  );
  expect(text).toBe("| case      | ms  |\n| --------- | --- |\n| dnc       | 1   |\n| sam-n5000 | 2   |");
});

test("milliseconds are shown with three digits", () => {
  expect([0.012345, 2.714, 27.14, 271.4].map(formatMs)).toEqual(["0.0123", "2.71", "27.1", "271"]);
});
