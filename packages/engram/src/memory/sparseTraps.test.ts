// The traps of models.md §3, each in a case small enough to follow by hand.
import { describe, expect, test } from "vitest";
import { SparseBench } from "../../test/sparseBench.js";

const one = { cellSize: 2, readHeads: 1, temporalReads: 0, temporalLinks: 0 };

/** ξ of one head over words of 2: the query, strength before softplus, write vector, gates before σ. */
function xi(query: [number, number], vector: [number, number], { strength = 0, interpolation = -20, write = 0 } = {}): Float32Array {
  return Float32Array.from([...query, strength, ...vector, interpolation, write]);
}

/** The cell written to first and the cells read, after one access of a batch of one. */
function access(bench: SparseBench, vector: Float32Array): { z: number; read: number[] } {
  bench.run({ lengths: [1], xi: [[vector]] }, false);
  const positions = new Float32Array(bench.options.sparseReads + 1);
  bench.tape.debug(0, new Map([["read_positions", positions]]));
  return { z: positions[positions.length - 1] as number, read: Array.from(positions.slice(0, -1)) };
}

const lastAccess = (bench: SparseBench) => Array.from(bench.tensor("last_access"));

describe("a cell touched with no more than δ", () => {
  test("keeps its last access, and is emptied again before cells never touched", () => {
    const bench = new SparseBench({ ...one, nrCells: 4, sparseReads: 1 }, 1);
    // Cell 0 gets 0.0025 of a word against which the query points, so cell 1 is read.
    expect(access(bench, xi([1, 0], [-1, 0], { write: -6 }))).toEqual({ z: 0, read: [1] });
    expect(lastAccess(bench)).toEqual([0, 1, 0, 0]);
    // By now cell 1 has a trace of the word too.
    expect(access(bench, xi([1, 0], [-1, 0], { write: -6 }))).toEqual({ z: 0, read: [2] });
    expect(lastAccess(bench)).toEqual([0, 1, 2, 0]);
  });

  test("comes before untouched cells of higher index only", () => {
    const bench = new SparseBench({ ...one, nrCells: 5, sparseReads: 1 }, 1);
    // Cell 2 holds something but was never accessed: cells 0 and 1, untouched, come before it, cells 3 and 4 after.
    const memory = Float32Array.from([0, 0, 0, 0, 3, 0, 0, 0, 0, 0]);
    bench.restore(new Map([["memory", { data: memory, shape: [1, 5, 2] }]]), 0);
    const order = [0, 1, 2, 3, 4].map(() => access(bench, xi([0, 1], [0, 1], { write: 20, strength: 9 })).z);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("many cells of one last access", () => {
  test("are emptied in index order, whatever order they were read in", () => {
    const bench = new SparseBench({ ...one, nrCells: 4, sparseReads: 3 }, 1);
    // Similarity to (1, 0) falls from cell 3 to cell 1; all three are read, and cell 0 is written.
    const memory = Float32Array.from([0, 1, 1, 1, 2, 1, 3, 1]);
    const tensors = new Map([
      ["memory", { data: memory, shape: [1, 4, 2] }],
      ["last_access", { data: Float32Array.from([1, 4, 3, 2]), shape: [1, 4] }],
    ]);
    bench.restore(tensors);
    expect(access(bench, xi([1, 0], [-1, 0], { write: 20, strength: -9 }))).toEqual({ z: 0, read: [3, 2, 1] });
    expect(lastAccess(bench)).toEqual([5, 5, 5, 5]);
    expect(access(bench, xi([1, 0], [-1, 0], { write: 20, strength: -9 })).z).toBe(0);
  });

  test("come in index order from a state given as tensors", () => {
    const bench = new SparseBench({ ...one, nrCells: 6, sparseReads: 1 }, 1);
    // Cell 1 is always the one read.
    const memory = Float32Array.from([-1, 0, 5, 0, -1, 0, -1, 0, -1, 0, -1, 0]);
    const tensors = new Map([
      ["memory", { data: memory, shape: [1, 6, 2] }],
      ["last_access", { data: Float32Array.from([2, 9, 7, 2, 7, 2]), shape: [1, 6] }],
    ]);
    bench.restore(tensors);
    const order = [0, 1, 2, 3, 4].map(() => access(bench, xi([1, 0], [-1, 0], { write: 20, strength: 9 })).z);
    expect(order).toEqual([0, 3, 5, 2, 4]);
  });
});

describe("the clock after loading", () => {
  const tensors = new Map([["last_access", { data: Float32Array.from([7, 8, 6, 5]), shape: [1, 4] }]]);

  test("goes on from the largest last access of the batch", () => {
    const bench = new SparseBench({ ...one, nrCells: 4, sparseReads: 1 }, 1);
    bench.restore(tensors);
    access(bench, xi([0, 0], [0, 1], { write: 20 }));
    expect(lastAccess(bench)).toEqual([9, 8, 6, 9]);
  });

  test("goes on from where it was saved, which may be later: it advances for elements past their length too", () => {
    const bench = new SparseBench({ ...one, nrCells: 4, sparseReads: 1 }, 2);
    bench.run({ lengths: [1, 4], xi: Array(4).fill([xi([0, 0], [0, 1]), xi([0, 0], [0, 1])]) }, false);
    const snapshot = bench.tape.snapshot();
    expect(bench.memory.clockOfSnapshot(snapshot)).toBe(4);
    expect(lastAccess(bench).slice(0, 4)).toEqual([1, 0, 0, 0]);
    const next = new SparseBench({ ...one, nrCells: 4, sparseReads: 1 }, 1);
    next.restore(tensors, 12);
    access(next, xi([0, 0], [0, 1], { write: 20 }));
    expect(lastAccess(next)).toEqual([13, 8, 6, 13]);
  });

  test("starts again when the memory is emptied", () => {
    const bench = new SparseBench({ ...one, nrCells: 4, sparseReads: 1 }, 1);
    bench.restore(tensors);
    bench.tape.clear();
    access(bench, xi([0, 0], [0, 1], { write: 20 }));
    expect(Math.max(...lastAccess(bench))).toBe(1);
  });
});
