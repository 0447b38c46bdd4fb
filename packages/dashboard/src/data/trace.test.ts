import { describe, expect, test } from "vitest";
import type { TraceHeader } from "./api.js";
import { memoryUse } from "./memoryUse.js";
import { LocalTrace } from "./trace.js";
import { axesOf, chooseCells, MOST_CELLS, pickCells, traceSizes } from "./traceLayout.js";

const header: TraceHeader = {
  iteration: 1,
  model: "dnc",
  options: { nrCells: 4, cellSize: 2, readHeads: 3, numLayers: 1 },
  task: "copy",
  tensors: { input: [5, 6], "debug.write_weights": [5, 4] },
  cells: null,
};

describe("the cells of a large memory", () => {
  test("a small one is shown whole, used or not, and so is a larger one of which most is used", () => {
    expect(chooseCells([new Float32Array(64)], 64)).toBeNull();
    expect(chooseCells([Float32Array.from({ length: 100 }, (_, cell) => (cell < 51 ? 0.1 : 0))], 100)).toBeNull();
    expect(chooseCells([new Float32Array(MOST_CELLS).fill(0.1)], MOST_CELLS)).toBeNull();
  });

  test("those ever used, in order, filled up with the first unused ones so that the choice is steady", () => {
    const weights = new Float32Array(2 * 1000);
    weights[900] = 0.5;
    weights[1003] = 1e-6;
    const upTo = (count: number) => Array.from({ length: count }, (_, cell) => cell);
    expect(chooseCells([weights], 1000)).toEqual([...upTo(15), 900]);
    expect(chooseCells([new Float32Array(1000)], 1000)).toEqual(upTo(16));
    expect(chooseCells([Float32Array.from({ length: 100 }, (_, cell) => (cell < 17 ? 0.1 : 0))], 100)).toEqual(upTo(32));
  });

  test("the heaviest, where too many are used", () => {
    const weights = Float32Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? 0.001 + i / 1e6 : i / 2000));
    const chosen = chooseCells([weights], 2000);
    expect(chosen).toHaveLength(MOST_CELLS);
    expect(chosen?.every((cell) => cell % 2 === 1 && cell > 2000 - 2 * MOST_CELLS)).toBe(true);
    expect(chosen).toEqual([...(chosen ?? [])].sort((a, b) => a - b));
  });

  test("are picked from every tensor that has cells, on each axis", () => {
    const cells = [1, 3];
    const of = (name: string) => {
      const axes = axesOf(name, header);
      const width = axes.reduce((product, { size }) => product * size, 1);
      return [
        ...pickCells(
          Float32Array.from({ length: 2 * width }, (_, i) => i),
          axes,
          cells,
        ),
      ];
    };
    expect(of("debug.write_weights")).toEqual([1, 3, 5, 7]);
    expect(of("debug.memory")).toEqual([2, 3, 6, 7, 10, 11, 14, 15]);
    expect(of("debug.read_weights").slice(0, 6)).toEqual([1, 3, 5, 7, 9, 11]);
    expect(of("debug.link_matrix").slice(0, 4)).toEqual([5, 7, 13, 15]);
    expect(of("input").length).toBe(12);
  });
});

test("sizes come from the options, or from the tensors", () => {
  expect(traceSizes(header)).toEqual({ layers: 1, steps: 5, cells: 4, cellSize: 2, heads: 3, slots: 0 });
  expect(traceSizes({ ...header, options: {}, tensors: { "debug.write_weights": [5, 4] } })).toMatchObject({ steps: 5, cells: 4 });
});

test("a trace at hand gives rows as a file does", async () => {
  const data = Float32Array.from({ length: 20 }, (_, i) => i);
  const trace = new LocalTrace({ ...header, cells: [0, 2] }, new Map([["debug.write_weights", { data, shape: [5, 4] }]]));
  expect([...((await trace.rows("debug.write_weights", 1, 3)) ?? [])]).toEqual([4, 6, 8, 10]);
  expect(await trace.rows("debug.memory", 0, 1)).toBeUndefined();
});

describe("how the memory is used", () => {
  const steps = 4;
  const use = (write: number[][], read: number[][], cells = 4) =>
    memoryUse({
      write: Float32Array.from(write.flat()),
      read: Float32Array.from(read.flat()),
      heads: 1,
      shown: 4,
      cells,
      asked: [false, false, true, true],
    });
  const none = Array.from({ length: steps }, () => [0, 0, 0, 0]);
  const uniform = Array.from({ length: steps }, () => [0.25, 0.25, 0.25, 0.25]);

  test("written to, and read back one by one", () => {
    const write = [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ];
    const read = [
      [0, 0, 0, 0],
      [0, 0, 0, 0],
      [1, 0, 0, 0],
      [0, 1, 0, 0],
    ];
    expect(use(write, read)).toEqual({ cells: 4, written: 2, writing: 0.5, spread: 1, concentration: 1, fromWritten: 1 });
  });

  test("looked at everywhere alike: not concentrated, all cells a step", () => {
    const result = use(none, uniform);
    expect(result).toMatchObject({ written: 0, writing: 0, concentration: 0, fromWritten: 0 });
    expect(result.spread).toBeCloseTo(4, 6);
  });

  test("not read at all", () => {
    expect(use(uniform, none)).toEqual({ cells: 4, written: 4, writing: 1, spread: 0, concentration: 0, fromWritten: Number.NaN });
  });

  test("cells that are not shown count as never read", () => {
    expect(use(none, uniform, 8).concentration).toBeCloseTo((0.5 + 4 * 0.125) / 2 / (1 - 1 / 8), 6);
  });
});
