import { expect, test } from "vitest";
import { bytes, count, duration, figure, percent, rate, table, wrap } from "./format.js";
import { progressLine } from "./progressLine.js";

test("numbers as they are read", () => {
  expect([0, 999, 1000, 1234567].map(count)).toEqual(["0", "999", "1,000", "1,234,567"]);
  expect([0, 8.4, 61, 3599.6, 7500, 90_000, 190_000].map(duration)).toEqual(["0s", "8s", "1m 01s", "1h 00m", "2h 05m", "1d 01h", "2d 04h"]);
  expect([0, 0.6942, 12.345, 1234.56, 0.00001234, Number.NaN].map(figure)).toEqual([
    "0.0000",
    "0.6942",
    "12.35",
    "1234.6",
    "1.2e-5",
    "NaN",
  ]);
  expect([0.5, 8.25, 152.4, 12_000].map(rate)).toEqual(["0.50", "8.3", "152", "12,000"]);
  expect([100, 2048, 50_000_000].map(bytes)).toEqual(["100 B", "2.0 KiB", "48 MiB"]);
});

test("100 % means all of them", () => {
  expect([1, 0.99999, 0.975, 0, 0.57].map(percent)).toEqual(["100 %", "99.9 %", "97.5 %", "0.0 %", "57.0 %"]);
});

test("a table's columns line up", () => {
  const lines = table([
    ["length", "right"],
    ["8", "100 %"],
    ["16", "9 %"],
  ]).split("\n");
  expect(lines).toEqual(["length   right", "8        100 %", "16         9 %"]);
});

test("the progress line fits any terminal, and keeps what matters", () => {
  const figures = {
    iteration: 12_345,
    iterations: 100_000,
    loss: 0.01234,
    accuracy: 0.9731,
    counted: "bits",
    perSecond: 152,
    timeLeft: "about",
  } as const;
  expect(progressLine(figures, 80)).toBe("iteration 12,345/100,000  loss 0.0123  bits 97.3%  152/s  9m 37s left");
  expect(progressLine(figures, 60)).toBe("12,345/100,000  loss 0.0123  bits 97.3%  152/s  9m 37s left");
  for (let columns = 1; columns <= 200; columns++) {
    const line = progressLine(figures, columns);
    expect(line.length).toBeLessThan(columns);
    if (columns > 14) expect(line).toContain("12,345");
  }
});

test("long lines break between words, tables and indented lines do not", () => {
  expect(wrap("lengths up to 4, batches of 100\nin a", 16)).toBe("lengths up to 4,\nbatches of 100\nin a");
  expect(wrap("  engram train --resume runs/a", 12)).toBe("  engram train --resume runs/a");
  expect(wrap("a-word-without-end b", 6)).toBe("a-word-without-end\nb");
});

test("the progress line says how sure the time left is, and nothing it does not know", () => {
  const figures = { iteration: 0, iterations: 100, loss: 0.7, counted: "bits", perSecond: 0, timeLeft: "at most" } as const;
  expect(progressLine(figures, 80)).toBe("iteration 0/100  loss 0.7000  ≤ … left");
  expect(progressLine({ ...figures, perSecond: 10, timeLeft: "at least" }, 80)).toContain("≥ 10s left");
});
