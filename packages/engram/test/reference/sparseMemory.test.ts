import { expect, test } from "vitest";
import { seeded, uniform } from "../random.js";
import {
  emptyState,
  interfaceSize,
  type SparseAccess,
  type SparseGradient,
  type SparseOptions,
  type SparseState,
  sparseAccess,
  sparseAccessBackward,
} from "./sparseMemory.js";

const sam: SparseOptions = { nrCells: 5, cellSize: 3, readHeads: 2, sparseReads: 3, temporalReads: 0, temporalLinks: 0 };
const sdnc: SparseOptions = { ...sam, nrCells: 7, temporalReads: 2, temporalLinks: 3 };

/** A state with no empty row, where a similarity bends too sharply for differences of 1e-6, and no tie that a difference would break. */
function randomState(options: SparseOptions, next: () => number): SparseState {
  const state = emptyState(options);
  const { nrCells: n, readHeads: r } = options;
  state.memory.set(uniform(next, state.memory.length));
  for (let h = 0; h < r; h++) for (let i = 0; i < 3; i++) state.readWeights[h * n + ((2 * i + h) % n)] = 0.1 + 0.2 * next();
  for (let i = 0; i < n; i++) state.lastAccess[i] = 1 + ((3 * i) % n);
  return state;
}

interface Case {
  options: SparseOptions;
  start: SparseState;
  xi: Float64Array[];
  dReads: Float64Array[];
  dAfter: SparseGradient;
}

function randomCase(options: SparseOptions, seed: number): Case {
  const next = seeded(seed);
  const start = randomState(options, next);
  const { memory, readWeights, writeWeights } = start;
  const random = (size: number) => Float64Array.from(uniform(next, size));
  return {
    options,
    start,
    xi: Array.from({ length: 4 }, () => random(interfaceSize(options))),
    dReads: Array.from({ length: 4 }, () => random(options.readHeads * options.cellSize)),
    dAfter: { memory: random(memory.length), readWeights: random(readWeights.length), writeWeights: random(writeWeights.length) },
  };
}

/** With L and p as in `frozen`: they are constants to the gradient. */
function run({ options, start, xi }: Case, frozen?: readonly SparseAccess[]): SparseAccess[] {
  const accesses: SparseAccess[] = [];
  let state = start;
  for (const [t, vector] of xi.entries()) {
    const access = sparseAccess(options, state, vector, options.nrCells + 1 + t, frozen?.[t]?.after);
    accesses.push(access);
    state = access.after;
  }
  return accesses;
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, x, i) => sum + x * (b[i] as number), 0);

/** The loss whose gradients dReads and dAfter are. A weight that no choice let be is left out: it would be a constant 0. */
function loss(test: Case, frozen: readonly SparseAccess[]): number {
  const accesses = run(test, frozen);
  const { after } = accesses[accesses.length - 1] as SparseAccess;
  const reads = accesses.reduce((sum, access, t) => sum + dot(access.reads, test.dReads[t] as Float64Array), 0);
  const { memory, readWeights, writeWeights } = test.dAfter;
  return reads + dot(after.memory, memory) + dot(after.readWeights, readWeights) + dot(after.writeWeights, writeWeights);
}

function difference(test: Case, frozen: readonly SparseAccess[], values: Float64Array, i: number): number {
  const step = 1e-6;
  const value = values[i] as number;
  values[i] = value + step;
  const above = loss(test, frozen);
  values[i] = value - step;
  const below = loss(test, frozen);
  values[i] = value;
  return (above - below) / (2 * step);
}

// A central difference of step 1e-6 in float64 is good to about 1e-10 · (largest value / step)² ≈ 1e-8 here; 1e-6 leaves room for curvature.
test.each([
  ["SAM", sam, 1],
  ["SAM", sam, 2],
  ["SDNC", sdnc, 3],
  ["SDNC", sdnc, 4],
] as const)("the %s reference's gradients agree with central differences", (_, options, seed) => {
  const test = randomCase(options, seed);
  const accesses = run(test);
  let dState = test.dAfter;
  for (let t = accesses.length - 1; t >= 0; t--) {
    const { dXi, dBefore } = sparseAccessBackward(options, accesses[t] as SparseAccess, test.dReads[t] as Float64Array, dState);
    const xi = test.xi[t] as Float64Array;
    expect(dXi).toBeClose(
      xi.map((_, i) => difference(test, accesses, xi, i)),
      { rtol: 1e-6 },
    );
    dState = dBefore;
  }
  const { memory, readWeights } = test.start;
  expect(dState.memory).toBeClose(
    memory.map((_, i) => difference(test, accesses, memory, i)),
    { rtol: 1e-6 },
  );
  for (const [i, weight] of readWeights.entries()) {
    if (weight > 0) expect([dState.readWeights[i] as number]).toBeClose([difference(test, accesses, readWeights, i)], { atol: 1e-6 });
  }
});

test("of untouched cells the first are read, and a cell nobody used since the start is emptied first", () => {
  const options = { ...sam, readHeads: 1 };
  const access = sparseAccess(options, emptyState(options), new Float64Array(interfaceSize(options)), 1);
  expect(access.z).toBe(0);
  expect(access.cells).toEqual([[0, 1, 2]]);
  expect(Array.from(access.after.lastAccess)).toEqual([1, 1, 1, 0, 0]);
});
