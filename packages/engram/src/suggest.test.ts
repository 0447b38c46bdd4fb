import { expect, test } from "vitest";
import { didYouMean, nearestName } from "./suggest.js";

const options = ["inputSize", "hiddenSize", "numLayers", "numHiddenLayers", "dropout", "debug", "clip", "passThroughMemory"];

test.each([
  ["hiden_size", "hiddenSize"],
  ["HIDDENSIZE", "hiddenSize"],
  ["drop", "dropout"],
  ["layers", "numLayers"],
  ["passThrough", "passThroughMemory"],
  ["clpi", "clip"],
  ["zzz", undefined],
  ["in", undefined],
  ["", undefined],
])("%s means %s", (word, meant) => {
  expect(nearestName(word, options)).toBe(meant);
});

test("the end of a message names it, or says nothing", () => {
  expect(didYouMean("drop", options)).toBe("; did you mean 'dropout'?");
  expect(didYouMean("zzz", options)).toBe("");
  expect(didYouMean(7, options)).toBe("");
});
