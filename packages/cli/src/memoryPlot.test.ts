import { expect, test } from "vitest";
import { cellsByFirstWrite, drawWeights, sideBySide, weightsOverTime } from "./memoryPlot.js";

// Three steps of two layers with two heads on four cells: cell 2 is used first, then cell 0; cell 3 is hardly touched.
const debug = {
  shape: [6, 8],
  data: Float32Array.from(
    [
      [0, 0, 0.2, 0, 0, 0, 0.9, 0],
      [0, 0, 0.1, 0, 0, 0, 0, 0],
      [0, 0, 0, 0.05, 0, 0, 0, 0],
      [1, 0, 0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0],
    ].flat(),
  ),
};

test("of several layers and heads the heaviest weight counts", () => {
  const steps = weightsOverTime(debug, 2, 4);
  expect(steps.map((step) => [...step].map((weight) => Math.round(100 * weight)))).toEqual([
    [0, 0, 90, 0],
    [100, 0, 0, 5],
    [0, 0, 0, 0],
  ]);
});

test("cells come in the order of their first write, untouched ones not at all", () => {
  const steps = weightsOverTime(debug, 2, 4);
  expect(cellsByFirstWrite(steps, steps)).toEqual([2, 0]);
});

test("heavier weights are darker, and asked steps marked", () => {
  const steps = weightsOverTime(debug, 2, 4);
  expect(drawWeights("written", steps, [2, 0], [false, false, true])).toEqual(["written", "   2 │█  │", "   0 │ █ │", "      ··▲"]);
});

test("drawings stand beside each other where there is room", () => {
  const [left, right] = [
    ["abc", "de"],
    ["x", "yz"],
  ];
  expect(sideBySide(left as string[], right as string[], 20)).toEqual(["abc   x", "de    yz"]);
  expect(sideBySide(left as string[], right as string[], 7)).toEqual(["abc", "de", "", "x", "yz"]);
});
