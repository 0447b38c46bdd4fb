// States of sparse memories as snapshots and tensors, their errors, and what they cost.
import { describe, expect, test } from "vitest";
import { seeded, uniform } from "../../test/random.js";
import type { SparseAccess } from "../../test/reference/sparseMemory.js";
import { randomSequence, SparseBench } from "../../test/sparseBench.js";
import { Engine } from "../engine/engine.js";
import { StateError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import type { FieldValues, SparseTensor } from "./memory.js";
import { LinkedSparseMemory, SparseMemory } from "./sparse.js";

const small = { nrCells: 6, cellSize: 3, readHeads: 2, sparseReads: 2, temporalReads: 0, temporalLinks: 0 };
const linked = { ...small, temporalReads: 1, temporalLinks: 2 };
const huge = { ...small, nrCells: 2 ** 24, cellSize: 32 };

const sparse = (shape: readonly number[], entries: readonly (readonly [number, number])[]): SparseTensor => ({
  shape,
  positions: Float64Array.from(entries, ([position]) => position),
  values: Float32Array.from(entries, ([, value]) => value),
});

describe("a memory of 2^24 cells", () => {
  const n = huge.nrCells;
  const memory = new SparseMemory(huge);
  const fields = new Map<string, FieldValues>([
    [
      "memory",
      [
        sparse(
          [n, 32],
          [
            [5 * 32 + 1, 0.5],
            [n * 32 - 1, -2],
          ],
        ),
      ],
    ], // prettier: one element
    [
      "last_access",
      [
        sparse(
          [n],
          [
            [5, 3],
            [n - 1, 7],
          ],
        ),
      ],
    ],
    [
      "read_weights",
      [
        sparse(
          [2, n],
          [
            [5, 0.25],
            [2 * n - 1, 0.75],
          ],
        ),
      ],
    ],
  ]);

  test("comes and goes as positions and values, and its clock with it", () => {
    const snapshot = memory.snapshotFromTensors(fields, 1, undefined);
    expect(memory.clockOfSnapshot(snapshot)).toBe(7);
    for (const [name, values] of fields) expect(memory.sparseFromSnapshot(snapshot, name, 0)).toEqual((values as SparseTensor[])[0]);
    expect(memory.sparseFromSnapshot(snapshot, "write_weights", 0).positions).toHaveLength(0);
  });

  test.each([-1, 6, 7.5, 2 ** 30])("has no clock of %d after a last access of 7", (clock) => {
    expect(() => memory.snapshotFromTensors(fields, 1, clock)).toThrow(StateError);
    expect(() => memory.snapshotFromTensors(fields, 1, clock)).toThrow(`last_access (7) to 536870912, got ${clock}`);
  });

  test("is not written out cell by cell", () => {
    const snapshot = memory.snapshotFromTensors(fields, 1, undefined);
    expect(() => memory.tensorFromSnapshot(snapshot, "memory")).toThrow(StateError);
    expect(() => memory.tensorFromSnapshot(snapshot, "memory")).toThrow(/memory \[1, 16777216, 32\].*sparseTensors\(\)/);
  });

  test("runs in the bytes that its accesses need, as one of a thousand cells does", () => {
    const bytesOf = (nrCells: number, accesses: number) => {
      const tape = new SparseMemory({ ...huge, nrCells }).open(Engine.create());
      tape.reserve(2, accesses, true);
      return tape.bytes;
    };
    expect(bytesOf(n, 20)).toBe(bytesOf(1000, 20));
    expect(bytesOf(n, 40)).toBeLessThan(2 * bytesOf(n, 20));
  });

  test("takes its first untouched cells between those that a state holds", () => {
    const bench = new SparseBench(huge, 1);
    const cells = [0, 1, 3].map((cell) => [cell * 32, 1] as const);
    bench.tape.reserve(1, 0, false);
    bench.tape.restore(
      memory.snapshotFromTensors(
        new Map([
          ["memory", [sparse([n, 32], cells)]],
          [
            "last_access",
            [
              sparse(
                [n],
                [
                  [0, 1],
                  [1, 1],
                  [3, 1],
                ],
              ),
            ],
          ],
        ]),
        1,
        1,
      ),
    );
    bench.run(randomSequence(huge, [3], seeded(1)), false);
    const touched = bench.memory.sparseFromSnapshot(bench.tape.snapshot(), "last_access", 0).positions;
    expect(Array.from(touched)).toEqual(Array.from(touched.keys())); // a prefix: the holes are filled first
    expect(touched.length).toBeGreaterThan(4);
  });
});

test("links of a million cells have positions beyond 2^31", () => {
  const n = 1e6;
  const memory = new LinkedSparseMemory({ ...linked, nrCells: n });
  const links = sparse(
    [n, n],
    [
      [3 * n + 4, 0.5],
      [(n - 1) * n + 5, 0.25],
    ],
  );
  const snapshot = memory.snapshotFromTensors(new Map([["link_matrix", [links]]]), 1, 0);
  expect(memory.sparseFromSnapshot(snapshot, "link_matrix", 0)).toEqual(links);
});

test("snapshot and restore keep every bit, on an engine that held something else before", () => {
  const bench = new SparseBench(linked, 2);
  bench.run(randomSequence(linked, [9, 4], seeded(2)), false);
  const snapshot = bench.tape.snapshot();
  const other = new SparseBench(linked, 2);
  other.run(randomSequence(linked, [3, 12], seeded(3)), true);
  other.tape.restore(snapshot);
  expect(other.tape.snapshot()).toEqual(snapshot);
  const next = randomSequence(linked, [5, 5], seeded(4));
  bench.run(next, false);
  other.run(next, true);
  expect(other.reads).toEqual(bench.reads);
  expect(other.tape.snapshot()).toEqual(bench.tape.snapshot());
});

test("a snapshot that starts between words of a larger array is read all the same", () => {
  const { memory, tape, ...bench } = new SparseBench(small, 1);
  tape.reserve(bench.batch, 1, false);
  const { bytes } = memory.snapshotFromTensors(
    new Map([["last_access", { data: Float32Array.of(1, 0, 2, 0, 0, 0), shape: [1, 6] }]]),
    1,
    9,
  );
  const larger = new Uint8Array(bytes.length + 1);
  larger.set(bytes, 1);
  tape.restore({ batch: 1, bytes: larger.subarray(1) });
  expect(Array.from(memory.tensorFromSnapshot(tape.snapshot(), "last_access").data)).toEqual([1, 0, 2, 0, 0, 0]);
});

test("the empty snapshot is that of a memory just opened or emptied", () => {
  for (const options of [small, linked]) {
    const bench = new SparseBench(options, 2);
    const empty = bench.memory.emptySnapshot(2);
    bench.tape.reserve(2, 1, false);
    expect(bench.tape.snapshot()).toEqual(empty);
    bench.run(randomSequence(options, [4, 4], seeded(5)), true);
    bench.tape.clear();
    expect(bench.tape.snapshot()).toEqual(empty);
  }
});

describe("a state that does not fit is refused by field, element and number", () => {
  const tensor = (shape: number[], values: readonly number[]): Tensor => ({ data: Float32Array.from(values), shape: [1, ...shape] });
  const refuse = (options: typeof small, field: string, values: Tensor) => {
    const memory = options.temporalReads > 0 ? new LinkedSparseMemory(options) : new SparseMemory(options);
    return expect(() => memory.snapshotFromTensors(new Map([[field, values]]), 1, 0));
  };

  test("more read weights a head than it reads", () => {
    refuse(small, "read_weights", tensor([2, 6], [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])).toThrow(
      /read_weights has at most 2 .*a head.* element 0 has 3/,
    );
  });

  test("more write weights than an access writes", () => {
    const options = { ...small, readHeads: 1 };
    refuse(options, "write_weights", tensor([6], [1, 1, 1, 1, 0, 0])).toThrow(/write_weights has at most 3 .*has 4/);
  });

  test("a last access that is no step", () => {
    refuse(small, "last_access", tensor([6], [0, 0.5, 0, 0, 0, 0])).toThrow(/whole numbers.*0\.5 at cell 1/);
    refuse(small, "last_access", tensor([6], [0, 0, 0, -1, 0, 0])).toThrow(/-1 at cell 3/);
  });

  test("links on the diagonal, negative, or too many a row or a column", () => {
    const links = (cells: readonly (readonly [number, number, number])[]) => {
      const values = new Float32Array(36);
      for (const [row, column, weight] of cells) values[6 * row + column] = weight;
      return tensor([6, 6], Array.from(values));
    };
    refuse(linked, "link_matrix", links([[2, 2, 1]])).toThrow(/diagonal.*\[2, 2\]/);
    refuse(linked, "link_matrix", links([[2, 1, -1]])).toThrow(/positive.*-1 at \[2, 1\]/);
    refuse(
      linked,
      "link_matrix",
      links([
        [0, 1, 1],
        [0, 2, 1],
        [0, 3, 1],
      ]),
    ).toThrow(/at most 2 .*a row.*has 3/);
    refuse(
      linked,
      "link_matrix",
      links([
        [1, 0, 1],
        [2, 0, 1],
        [3, 0, 1],
      ]),
    ).toThrow(/at most 2 .*a column.*has 3/);
    refuse(linked, "precedence", tensor([6], [1, 1, 1, 0, 0, 0])).toThrow(/precedence has at most 2 .*has 3/);
  });
});

test("of cells with the same word the lower ones are read, wherever their rows lie", () => {
  const options = { ...small, nrCells: 40, sparseReads: 5, readHeads: 1 };
  const next = seeded(6);
  const words = [uniform(next, 3), uniform(next, 3), uniform(next, 3)];
  const kinds = Array.from({ length: 40 }, () => Math.floor(3 * next()));
  const bench = new SparseBench(options, 1);
  const memory = Float32Array.from(kinds.flatMap((kind) => Array.from(words[kind] as Float32Array)));
  const lastAccess = Float32Array.from(kinds, (_, i) => 1 + ((7 * i) % 40));
  bench.restore(
    new Map([
      ["memory", { data: memory, shape: [1, 40, 3] }],
      ["last_access", { data: lastAccess, shape: [1, 40] }],
    ]),
  );
  const positions = new Float32Array(6);
  // The query is the first word, and the write gate is shut: nothing but z = cell 0 changes.
  bench.run({ lengths: [1], xi: [[Float32Array.of(...(words[0] as Float32Array), 1, 0, 0, 0, 0, -90)]] }, false);
  bench.tape.debug(0, new Map([["read_positions", positions]]));
  const same = [...kinds.keys()].filter((cell) => cell > 0 && kinds[cell] === 0);
  expect(Array.from(positions)).toEqual([...same.slice(0, 5), 0]);
});

test.each([
  ["SAM", small],
  ["SDNC", linked],
])("numbers that are not finite show in what %s reads, and break nothing", (_, options) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const next = seeded(7);
    const bench = new SparseBench(options, 2);
    const sequence = randomSequence(options, [6, 6], next);
    for (const vectors of sequence.xi.slice(2, 4)) (vectors[0] as Float32Array).fill(bad);
    expect(() => bench.run(sequence, true)).toThrow("unwritten"); // as the bench calls NaN in r
    const fresh = new SparseBench(options, 2);
    bench.tape.clear();
    const good = randomSequence(options, [4, 7], next);
    bench.run(good, true);
    fresh.run(good, true);
    expect(bench.reads).toEqual(fresh.reads);
  }
});

test("debug values are those after the access, and repeat once an element has ended", () => {
  const options = { ...small, readHeads: 1 };
  const bench = new SparseBench(options, 2);
  const sequence = randomSequence(options, [2, 5], seeded(8));
  bench.run(sequence, true);
  bench.runReference(sequence);
  const fields = new Map(bench.memory.debugFields.map(({ name, shape }) => [name, new Float32Array(shape.reduce((a, b) => a * b, 1))]));
  bench.tape.debug(1, fields); // element 0, which ended after two accesses
  const [, last] = bench.accesses[0] as SparseAccess[];
  const { after, cells, z } = last as SparseAccess;
  expect(fields.get("memory")).toBeClose(after.memory, { atol: 1e-6 });
  expect(fields.get("read_weights")).toBeClose(after.readWeights, { atol: 1e-6 });
  expect(fields.get("write_weights")).toBeClose(after.writeWeights, { atol: 1e-6 });
  expect(Array.from(fields.get("read_positions") ?? [])).toEqual([...(cells[0] as number[]), z]);
  expect(Array.from(fields.get("usage") ?? [])).toEqual(Array.from(after.lastAccess, (access) => 2 - access));
});
