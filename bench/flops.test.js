import { expect, test } from "vitest";
import { interfaceSize, productFlops, productsOfStep } from "./flops.js";

const options = { inputSize: 6, hiddenSize: 64, numHiddenLayers: 1, nrCells: 16, cellSize: 20, readHeads: 4 };

test("products of a small DNC agree with a count by hand", () => {
  // gates 256 × (6 + 80) inputs, 256 × 64 hidden; ξ: 80 + 60 + 20 + 3 = 163, × 64; output 6 × (64 + 80)
  expect(productsOfStep("dnc", options)).toEqual({ input: 22016, recurrent: 16384, interface: 10432, output: 864 });
  const step = 22016 + 16384 + 10432 + 864;
  const forward = 20 * step - 256 * (80 + 64); // no read and hidden vectors before the first step
  const given = { model: "dnc", batchSize: 32, sequenceLength: 20, options };
  expect(productFlops({ ...given, measure: "forward" })).toBe(2 * 32 * forward);
  // nobody asks for the gradient of the input
  expect(productFlops({ ...given, measure: "train" })).toBe(2 * 32 * (3 * forward - 20 * 256 * 6));
  expect(productFlops({ ...given, measure: "step" })).toBe(2 * 32 * step);
});

test("layers after the first take hidden and read vectors, cells above the first the hidden vector alone", () => {
  const deep = { inputSize: 3, hiddenSize: 5, outputSize: 2, numLayers: 2, numHiddenLayers: 2, cellSize: 7, readHeads: 1, rnnType: "gru" };
  // first layer: 15 × (3 + 7) + 15 × 5; second: 15 × (5 + 7) + 15 × 5; ξ: 7 + 21 + 5 + 3 = 36
  expect(productsOfStep("dnc", deep)).toEqual({ input: 150 + 75 + 180 + 75, recurrent: 4 * 75, interface: 2 * 36 * 5, output: 2 * 12 });
});

test("interface sizes are those of models.md", () => {
  expect(interfaceSize("sam", options)).toBe(80 + 4 + 20 + 1 + 1);
  expect(interfaceSize("sdnc", options)).toBe(80 + 4 + 20 + 1 + 1 + 12);
});
