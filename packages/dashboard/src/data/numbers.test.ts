import { expect, test } from "vitest";
import { csvLine, csvOfMatrix } from "./csv.js";
import { duration, figure, float32Text, percent } from "./numbers.js";

test("a float32 as the shortest decimal that is itself", () => {
  const values = [0.1, 1 / 3, 0, 1, -2.5, 1e-30, 3.4028234663852886e38, 16777217, 0.3, 1e10];
  for (const value of values.map(Math.fround)) expect(Math.fround(Number(float32Text(value)))).toBe(value);
  expect([0.1, 0.3, 1 / 3, -2.5, 0].map((value) => float32Text(Math.fround(value)))).toEqual(["0.1", "0.3", "0.33333334", "-2.5", "0"]);
  expect(float32Text(Number.NaN)).toBe("NaN");
});

test("figures for axes", () => {
  expect([0, 0.5, 0.0123, 0.005, 0.00012, 0.00001, 12.34, 345.6, 12345, 2.5e6, 1e10, -0.089].map(figure)).toEqual([
    "0",
    "0.5",
    "0.012",
    "0.005",
    "0.00012",
    "1e−5",
    "12.3",
    "346",
    "12,345",
    "2.5e6",
    "1e10",
    "−0.089",
  ]);
});

test("100 % is all of it, and nothing is rounded up", () => {
  expect([0, 0.5, 0.9668, 0.9996, 0.99999, 1].map(percent)).toEqual(["0 %", "50 %", "96.6 %", "99.9 %", "99.9 %", "100 %"]);
});

test("durations", () => {
  expect([3.4, 200, 7500].map(duration)).toEqual(["3 s", "3 min 20 s", "2 h 05 min"]);
});

test("CSV: names with commas and quotes, holes, and nothing that a spreadsheet runs", () => {
  expect(csvLine(["a,b", 'say "so"', null, 1.5, "=1+1", "-3"])).toBe('"a,b","say ""so""",,1.5,\'=1+1,-3\n');
  expect(csvOfMatrix("cell", ["step 0", "step 1"], ["0", "1"], (row, column) => Math.fround(row + column / 10))).toBe(
    "cell,step 0,step 1\n0,0,0.1\n1,1,1.1\n",
  );
});
