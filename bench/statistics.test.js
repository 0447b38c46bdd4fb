import { expect, test } from "vitest";
import { fitPower, quantile, summarize } from "./statistics.js";

test("quantiles lie between neighbours in proportion", () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([10, 0], 0.25)).toBe(2.5);
  expect(quantile([7], 0.9)).toBe(7);
});

test("a summary tells median, quartiles, smallest and half the quartiles' distance", () => {
  expect(summarize([5, 1, 2, 4, 3])).toEqual({ median: 3, low: 2, high: 4, smallest: 1, spread: 1 / 3, samples: 5 });
});

test("the exponent of an exact power law is found, and the residual of one that is not", () => {
  const exact = fitPower([1, 2, 4, 8].map((x) => [x, 3 * x ** 1.7]));
  expect(exact.exponent).toBeCloseTo(1.7, 12);
  expect(exact.factor).toBeCloseTo(3, 12);
  expect(exact.largestResidual).toBeCloseTo(1, 12);
  // 1, 1, 4 over 1, 2, 4: slope of 0, 0, 2 against 0, 1, 2 is 1; offsets 1/3 log 2 away at the ends, 2/3 in the middle
  const bent = fitPower([
    [1, 1],
    [2, 1],
    [4, 4],
  ]);
  expect(bent.exponent).toBeCloseTo(1, 12);
  expect(bent.largestResidual).toBeCloseTo(2 ** (2 / 3), 12);
});
