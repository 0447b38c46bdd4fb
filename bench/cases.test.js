import { expect, test } from "vitest";
import { cases, select, sweeps, table } from "./cases.js";
import { productFlops } from "./flops.js";

const everything = [...cases, ...sweeps.flatMap((sweep) => sweep.cases)];

test("names are unique, and every case says all that a contender needs", () => {
  const names = [...cases, ...sweeps].map((each) => each.name);
  expect(new Set(names).size).toBe(names.length);
  for (const each of everything) {
    expect(["dnc", "sam", "sdnc"]).toContain(each.model);
    expect(["train", "forward", "step"]).toContain(each.measure);
    const { inputSize, hiddenSize, numHiddenLayers, nrCells, cellSize, readHeads, sparseReads = 1 } = each.options;
    const sizes = [inputSize, hiddenSize, numHiddenLayers, nrCells, cellSize, readHeads, sparseReads, each.batchSize, each.sequenceLength];
    expect(sizes.every((size) => Number.isInteger(size) && size > 0)).toBe(true);
    expect(sparseReads).toBeLessThanOrEqual(nrCells);
    expect(nrCells).toBeLessThanOrEqual(2 ** 24);
    expect(Number.isSafeInteger(productFlops(each))).toBe(true);
  }
});

test("the table has the rows and marks of the project's performance goals", () => {
  expect(Object.fromEntries(table.filter((each) => each.mark !== undefined).map((each) => [each.name, each.mark]))).toEqual({
    "dnc-n16": 12,
    "dnc-n64": 15,
    "dnc-n256": 7,
    "dnc-b1000": 10,
    "dnc-layers": 8,
    "dnc-h512": 2.5,
    "dnc-step": 25,
    "sam-n5000": 200,
    "sdnc-n5000": 200,
  });
});

test("a sweep changes its own axis alone", () => {
  const withoutAxis = ({ options, batchSize, sequenceLength }, axis) => ({
    ...(axis === "B" ? {} : { batchSize }),
    ...(axis === "T" ? {} : { sequenceLength }),
    options: { ...options, ...(axis === "N" ? { nrCells: 0 } : {}), ...(axis === "H" ? { hiddenSize: 0 } : {}) },
  });
  const alongAxis = ({ options, batchSize, sequenceLength }, axis) =>
    ({ N: options.nrCells, H: options.hiddenSize, B: batchSize, T: sequenceLength })[axis];
  for (const sweep of sweeps) {
    expect(sweep.cases.length).toBeGreaterThanOrEqual(5);
    expect(sweep.cases.map((each) => alongAxis(each, sweep.axis))).toEqual(sweep.values);
    for (const each of sweep.cases) expect(withoutAxis(each, sweep.axis)).toEqual(withoutAxis(sweep.cases[0], sweep.axis));
  }
});

test("cases are selected by name or by how they begin, and an unknown name is an error", () => {
  expect(select(["dnc-n16"]).cases.map((each) => each.name)).toEqual(["dnc-n16"]);
  expect(select(["sam-*"]).sweeps.map((each) => each.name)).toContain("sam-N");
  expect(select(["dnc-n16", "dnc-n1*"]).cases.filter((each) => each.name === "dnc-n16").length).toBe(1);
  expect(() => select(["dnc-n17"])).toThrow("dnc-n17");
});
