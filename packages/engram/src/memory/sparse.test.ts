// SAM's memory and SDNC's against the float64 reference of models.md, and the promises of MemoryTape.
import { describe, expect, test } from "vitest";
import { seeded, uniform } from "../../test/random.js";
import type { SparseOptions } from "../../test/reference/sparseMemory.js";
import {
  denseOf,
  randomSequence,
  referenceFields,
  type Sequence,
  SparseBench,
  type StateField,
  zeroGradient,
} from "../../test/sparseBench.js";
import type { SparseTensor } from "./memory.js";

const sam = (options: Partial<SparseOptions>): SparseOptions => ({
  nrCells: 13,
  cellSize: 5,
  readHeads: 2,
  sparseReads: 4,
  temporalReads: 0,
  temporalLinks: 0,
  ...options,
});

const sdnc = (options: Partial<SparseOptions>): SparseOptions => sam({ temporalReads: 3, temporalLinks: 5, ...options });

// Values here stay below 3 and come from at most some hundred float32 operations each: 2e-6 is thirty roundings.
const forwardTolerance = { atol: 2e-6 };
// The similarity of a nearly empty row changes by 1 / sqrt(ε) = 1000 times what the row does, and a strength of 10 sharpens that again.
const sharpTolerance = { atol: 1e-4 };
// A gradient is a sum over up to 250 cells of terms of both signs, which cancel by a factor of a hundred: 1e-5 is a hundred roundings of the largest.
const backwardTolerance = { rtol: 1e-5 };

const fieldsOf = (options: SparseOptions) =>
  (Object.keys(referenceFields) as StateField[]).filter((field) => options.temporalReads > 0 || !/link|precedence/.test(field));

function expectSameState(bench: SparseBench, tolerance = forwardTolerance): void {
  for (const field of fieldsOf(bench.options)) {
    const [got, want] = [bench.tensor(field), bench.reference(field)];
    if (field === "last_access") expect(Array.from(got)).toEqual(Array.from(want));
    else expect(got, field).toBeClose(want, tolerance);
  }
}

function expectSameReads(bench: SparseBench, tolerance = forwardTolerance): void {
  for (const [e, reads] of bench.reads.entries()) {
    for (const [t, values] of reads.entries()) expect(values).toBeClose(bench.accesses[e]?.[t]?.reads ?? [], tolerance);
  }
}

const randomReads = ({ options, batch }: SparseBench, accesses: number, next: () => number) =>
  Array.from({ length: accesses }, () => Array.from({ length: batch }, () => uniform(next, options.readHeads * options.cellSize)));

function expectSameGradients(bench: SparseBench, sequence: Sequence, next: () => number): void {
  const dReads = randomReads(bench, sequence.xi.length, next);
  const got = bench.back(sequence, dReads);
  const want = bench.backReference(dReads, Array(bench.batch).fill(zeroGradient(bench.options)));
  for (const [e, { dXi, dState }] of want.entries()) {
    const rows = dXi.flatMap((values) => Array.from(values));
    expect(got.flatMap((vectors) => Array.from(vectors[e] ?? []))).toBeClose(rows, backwardTolerance);
    const dMemory = bench.tape.stateGradient("memory") as SparseTensor[];
    expect(denseOf(dMemory[e] as SparseTensor)).toBeClose(dState.memory, backwardTolerance);
  }
}

const kinds: [string, SparseOptions][] = [
  ["SAM of one cell", sam({ nrCells: 1, sparseReads: 1, readHeads: 1, cellSize: 1 })],
  ["SAM that reads all its cells", sam({ nrCells: 4, readHeads: 3 })],
  ["SAM of 7 cells", sam({ nrCells: 7, cellSize: 3, sparseReads: 3, readHeads: 1 })],
  ["SAM of 13 cells", sam({})],
  ["SAM of 33 cells, 5 heads", sam({ nrCells: 33, cellSize: 17, readHeads: 5, sparseReads: 7 })],
  ["SAM of 300 cells", sam({ nrCells: 300, cellSize: 8, readHeads: 4 })],
  ["SDNC of one cell", sdnc({ nrCells: 1, sparseReads: 1, readHeads: 1, cellSize: 1 })],
  ["SDNC that reads all its cells", sdnc({ nrCells: 4, readHeads: 3, temporalLinks: 1 })],
  ["SDNC of 7 cells", sdnc({ nrCells: 7, cellSize: 3, sparseReads: 3, readHeads: 1, temporalReads: 1, temporalLinks: 4 })],
  ["SDNC of 13 cells", sdnc({})],
  ["SDNC of 33 cells, 5 heads", sdnc({ nrCells: 33, cellSize: 17, readHeads: 5, sparseReads: 7, temporalReads: 2, temporalLinks: 8 })],
  ["SDNC of 200 cells", sdnc({ nrCells: 200, cellSize: 8, readHeads: 4, temporalReads: 4, temporalLinks: 8 })],
];

describe.each(kinds)("%s", (_, options) => {
  test("reads, states and gradients agree with float64 over sequences of several lengths", () => {
    const next = seeded(options.nrCells);
    const bench = new SparseBench(options, 3);
    for (let round = 0; round < (options.nrCells > 100 ? 1 : 3); round++) {
      const sequence = randomSequence(options, [9, 14, 5], next);
      bench.run(sequence, true);
      bench.runReference(sequence);
      expectSameReads(bench);
      expectSameState(bench);
      expectSameGradients(bench, sequence, next);
    }
  });

  test("going back leaves the state as it was, to the bit, and the next sequence gives the same bits", () => {
    const next = seeded(17);
    const sequences = [0, 1].map(() => randomSequence(options, [6, 11], next));
    const [back, plain] = [new SparseBench(options, 2), new SparseBench(options, 2)];
    for (const sequence of sequences) {
      back.run(sequence, true);
      plain.run(sequence, false);
      const before = back.tape.snapshot();
      back.back(sequence, randomReads(back, sequence.xi.length, next));
      expect(back.tape.snapshot()).toEqual(before);
      expect(back.reads).toEqual(plain.reads);
      for (const field of fieldsOf(options)) expect(back.tensor(field)).toEqual(plain.tensor(field));
    }
  });

  test("a sequence in two chunks has the gradients of the whole", () => {
    const next = seeded(5);
    const lengths = [12, 8, 9];
    const whole = randomSequence(options, lengths, next);
    const dReads = Array.from({ length: 12 }, () => lengths.map(() => uniform(next, options.readHeads * options.cellSize)));
    const bench = new SparseBench(options, 3);
    bench.run(whole, true);
    const want = bench.back(whole, dReads);
    const wantState = bench.tape.stateGradient("memory");

    const chunk = (from: number, to: number): Sequence => ({
      lengths: lengths.map((length) => Math.max(0, Math.min(length, to) - from)),
      xi: whole.xi.slice(from, to),
    });
    const [first, second] = [new SparseBench(options, 3), new SparseBench(options, 3)];
    first.run(chunk(0, 7), true);
    second.tape.reserve(3, 0, false);
    second.tape.restore(first.tape.snapshot());
    second.run(chunk(7, 12), true);
    const late = second.back(chunk(7, 12), dReads.slice(7));
    const gradients = new Map(second.memory.gradientFields.map((field) => [field, second.tape.stateGradient(field)]));
    const early = first.back(chunk(0, 7), dReads.slice(0, 7), gradients);
    for (const [t, vectors] of want.entries()) {
      for (const [e, values] of vectors.entries()) {
        if (values !== undefined) expect((t < 7 ? early[t] : late[t - 7])?.[e]).toBeClose(values, { rtol: 1e-6 });
      }
    }
    for (const [e, values] of (wantState as SparseTensor[]).entries()) {
      expect(denseOf((first.tape.stateGradient("memory") as SparseTensor[])[e] as SparseTensor)).toBeClose(denseOf(values), { rtol: 1e-6 });
    }
  });

  test("an element's bits depend neither on its row nor on the batch", () => {
    const next = seeded(3);
    const sequence = randomSequence(options, [4, 7, 9], next);
    const bench = new SparseBench(options, 3);
    bench.run(sequence, true);
    for (const e of [0, 1, 2]) {
      const alone = new SparseBench(options, 1);
      const length = sequence.lengths[e] as number;
      alone.run({ lengths: [length], xi: sequence.xi.slice(0, length).map((vectors) => [vectors[e] as Float32Array]) }, false);
      expect(alone.reads[0]).toEqual(bench.reads[e]);
    }
  });

  test("a state that goes through tensors, dense or sparse, goes on with the same bits", () => {
    const next = seeded(8);
    const [first, second] = [randomSequence(options, [7, 3], next), randomSequence(options, [5, 6], next)];
    const bench = new SparseBench(options, 2);
    bench.run(first, false);
    const snapshot = bench.tape.snapshot();
    const { memory } = bench;
    const clock = memory.clockOfSnapshot(snapshot);
    const dense = new Map(fieldsOf(options).map((field) => [field, memory.tensorFromSnapshot(snapshot, field)]));
    const sparse = new Map(fieldsOf(options).map((field) => [field, [0, 1].map((e) => memory.sparseFromSnapshot(snapshot, field, e))]));
    bench.run(second, false);
    for (const tensors of [dense, sparse]) {
      const other = new SparseBench(options, 2);
      other.tape.reserve(2, 0, false);
      other.tape.restore(memory.snapshotFromTensors(tensors, 2, clock));
      other.run(second, false);
      expect(other.reads).toEqual(bench.reads);
      for (const field of fieldsOf(options)) expect(other.tensor(field)).toEqual(bench.tensor(field));
    }
  });
});

test.each([
  ["SAM", sam({ nrCells: 6, cellSize: 4, sparseReads: 2 }), 3],
  ["SAM of sharp reads and gates", sam({ nrCells: 6, cellSize: 4, sparseReads: 2 }), 10],
  ["SAM that reads most of its cells", sam({ nrCells: 9, cellSize: 3, sparseReads: 6, readHeads: 1 }), 3],
  ["SDNC", sdnc({ nrCells: 8, cellSize: 4, sparseReads: 2, temporalReads: 2, temporalLinks: 3 }), 3],
  ["SDNC of many links", sdnc({ nrCells: 9, cellSize: 3, readHeads: 1, temporalReads: 4, temporalLinks: 8 }), 3],
])("%s agrees with float64 over thousands of accesses, carried from call to call", (_, options, sharpness) => {
  const next = seeded(99);
  const bench = new SparseBench(options, 3);
  const tolerance = sharpness > 3 ? sharpTolerance : forwardTolerance;
  for (let round = 0; round < 100; round++) {
    const lengths = [0, 0, 0].map(() => 1 + Math.floor(20 * next()));
    const sequence = randomSequence(options, lengths, next, sharpness);
    bench.run(sequence, true);
    bench.runReference(sequence);
    expectSameReads(bench, tolerance);
    expectSameState(bench, tolerance);
    if (round % 10 === 0 && sharpness <= 3) expectSameGradients(bench, sequence, next);
  }
});
