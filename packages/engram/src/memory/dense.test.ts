import { describe, expect, test } from "vitest";
import { DenseBench, fieldOf, optionsOf, randomDenseState, tensorsOf } from "../../test/denseBench.js";
import { seeded, uniform } from "../../test/random.js";
import {
  accessBackward,
  accessForward,
  type DenseAccess,
  type DenseSizes,
  type DenseState,
  emptyState,
  interfaceSize,
  stateNames,
} from "../../test/reference/denseMemory.js";
import { DenseMemory } from "./dense.js";

const size: DenseSizes = { cells: 7, width: 5, heads: 3 };
// Rows of a shard, longest first: element order[row] takes lengths[row] accesses.
const order = Int32Array.from([2, 0, 1]);
const lengths = [5, 3, 1];
const activeAt = (t: number) => lengths.filter((length) => length > t).length;

function randomVectors(random: () => number, sizes: DenseSizes, count: number): Float32Array[] {
  return Array.from({ length: count }, () => uniform(random, interfaceSize(sizes), -2, 2));
}

/** ξ of every access, row by row. */
function sequenceOf(random: () => number, sizes = size): Float32Array[][] {
  return Array.from({ length: Math.max(...lengths) }, (_, t) => randomVectors(random, sizes, activeAt(t)));
}

function run(bench: DenseBench, sequence: readonly Float32Array[][], rowOrder = order): Float32Array[][] {
  bench.tape.begin(rowOrder);
  const reads = sequence.map((vectors) => bench.forward(vectors));
  bench.tape.end();
  return reads;
}

describe("a sequence of elements of different lengths", () => {
  const random = seeded(11);
  const states = [0, 1, 2].map(() => randomDenseState(size, random));
  const sequence = sequenceOf(random);
  const accesses = Array.from(lengths, (length, row) => {
    const chain: DenseAccess[] = [];
    for (let t = 0; t < length; t++) {
      const prev = chain[t - 1]?.next ?? (states[order[row] as number] as DenseState);
      chain.push(accessForward(size, sequence[t]?.[row] as Float32Array, prev));
    }
    return chain;
  });
  const rowOf = [1, 2, 0];

  function ran(record: boolean): { bench: DenseBench; reads: Float32Array[][] } {
    const bench = new DenseBench(size);
    bench.tape.reserve(3, 5, record);
    bench.load(states);
    return { bench, reads: run(bench, sequence) };
  }

  // Five accesses of the tolerance of one (kernels/denseMemory.test.ts).
  test("gives each element the reads and the last state of the float64 reference", () => {
    const { bench, reads } = ran(true);
    accesses.forEach((chain, row) => {
      chain.forEach((access, t) => {
        expect(reads[t]?.[row]).toBeClose(access.reads, { rtol: 2e-5, atol: 1e-6 });
      });
    });
    for (const name of stateNames) {
      const want = rowOf.flatMap((row) => [...((accesses[row] ?? []).at(-1) as DenseAccess).next[name]]);
      expect(bench.field(name)).toBeClose(want, { rtol: 2e-5, atol: 1e-6 });
    }
  });

  test("carries gradients back through it as the reference does, each element's from its own last access", () => {
    const { bench } = ran(true);
    const dFinal = states.map(() => {
      const gradient = emptyState(size);
      for (const name of stateNames) gradient[name].set(uniform(random, gradient[name].length));
      return gradient;
    });
    const dReads = sequence.map((vectors) => vectors.map(() => uniform(random, size.heads * size.width)));
    bench.tape.beginBackward(tensorsOf(dFinal, size), true);
    const dInterface: Float32Array[][] = [];
    for (let t = sequence.length - 1; t >= 0; t--) dInterface[t] = bench.backward(dReads[t] as Float32Array[]);
    bench.tape.endBackward();

    const dStart = accesses.map((chain, row) => {
      let dNext = dFinal[order[row] as number] as DenseState;
      for (let t = chain.length - 1; t >= 0; t--) {
        const back = accessBackward(chain[t] as DenseAccess, dReads[t]?.[row] as Float32Array, dNext);
        expect(dInterface[t]?.[row]).toBeClose(back.dInterface, { rtol: 1e-4, atol: 1e-5 });
        dNext = back.dPrev;
      }
      return dNext;
    });
    for (const name of stateNames) {
      const got = bench.tape.stateGradient(fieldOf[name]) as { data: Float32Array };
      const want = rowOf.flatMap((row) => [...(dStart[row] as DenseState)[name]]);
      expect(got.data).toBeClose(want, { rtol: 1e-4, atol: 1e-5 });
    }
  });

  test("gives the same bits in place as recorded, and leaves the state alone going back", () => {
    const recorded = ran(true);
    const inPlace = ran(false);
    expect(inPlace.reads).toEqual(recorded.reads);
    expect(inPlace.bench.bits()).toEqual(recorded.bench.bits());
    const after = recorded.bench.bits();
    recorded.bench.tape.beginBackward(undefined, true);
    for (let t = sequence.length - 1; t >= 0; t--) {
      recorded.bench.backward(Array.from({ length: activeAt(t) }, () => uniform(random, size.heads * size.width)));
    }
    recorded.bench.tape.endBackward();
    expect(recorded.bench.bits()).toEqual(after);
  });

  test("goes on from where it stopped, recorded or not, through a snapshot or without", () => {
    const more = sequenceOf(seeded(12));
    const { bench } = ran(true);
    const snapshot = bench.tape.snapshot();
    const carriedOn = run(bench, more);
    const want = bench.bits();

    bench.tape.restore(snapshot);
    bench.tape.reserve(3, 9, false);
    expect(run(bench, more, order)).toEqual(carriedOn);
    expect(bench.bits()).toEqual(want);

    const other = ran(false).bench;
    other.tape.reserve(3, 9, true);
    expect(run(other, more)).toEqual(carriedOn);
    expect(other.bits()).toEqual(want);
  });

  test("has the last state of a row for debugging while others go on", () => {
    for (const record of [true, false]) {
      const bench = new DenseBench(size);
      bench.tape.reserve(3, 5, record);
      bench.load(states);
      bench.tape.begin(order);
      for (const vectors of sequence) bench.forward(vectors);
      const fields = new Map(bench.memory.debugFields.map(({ name, shape }) => [name, new Float32Array(shape.reduce((a, b) => a * b))]));
      bench.tape.debug(1, fields);
      bench.tape.end();
      const element = order[1] as number;
      for (const name of stateNames) {
        const values = fields.get(fieldOf[name]) as Float32Array;
        expect(values).toEqual(bench.field(name).slice(element * values.length, (element + 1) * values.length));
      }
    }
  });
});

describe("a snapshot", () => {
  const states = [randomDenseState(size, seeded(3)), randomDenseState(size, seeded(4))];
  const memory = new DenseMemory(optionsOf(size));
  const tensors = tensorsOf(states, size);

  test("gives back the tensors it was made from, dense and as positions", () => {
    const snapshot = memory.snapshotFromTensors(tensors, 2);
    for (const [name, tensor] of tensors) {
      expect(memory.tensorFromSnapshot(snapshot, name)).toEqual(tensor);
      const sparse = memory.sparseFromSnapshot(snapshot, name, 1);
      const dense = new Float32Array(tensor.data.length / 2);
      sparse.positions.forEach((position, i) => {
        dense[position] = sparse.values[i] as number;
      });
      expect(dense).toEqual(tensor.data.slice(dense.length));
    }
  });

  test("is the same from sparse tensors as from dense ones", () => {
    const dense = memory.snapshotFromTensors(tensors, 2);
    const sparse = new Map([...tensors.keys()].map((name) => [name, [0, 1].map((b) => memory.sparseFromSnapshot(dense, name, b))]));
    expect(memory.snapshotFromTensors(sparse, 2)).toEqual(dense);
  });

  test("survives the tape: what a later sequence does never shows in it", () => {
    const bench = new DenseBench(size);
    bench.tape.reserve(2, 1, false);
    bench.load(states);
    const snapshot = bench.tape.snapshot();
    const before = snapshot.bytes.slice();
    run(bench, [randomVectors(seeded(5), size, 2)], Int32Array.from([0, 1]));
    expect(snapshot.bytes).toEqual(before);
    bench.tape.restore(snapshot);
    expect(bench.bits()).toEqual(before);
  });
});

describe("a tape", () => {
  const identity = Int32Array.from([0, 1]);

  test("is empty at first, after clear, and for a batch of another size", () => {
    const bench = new DenseBench(size);
    const empty = (batch: number) => bench.memory.emptySnapshot(batch).bytes;
    bench.tape.reserve(2, 1, true);
    expect(bench.bits()).toEqual(empty(2));
    run(bench, [randomVectors(seeded(6), size, 2)], identity);
    expect(bench.bits()).not.toEqual(empty(2));
    bench.tape.clear();
    expect(bench.bits()).toEqual(empty(2));
    run(bench, [randomVectors(seeded(6), size, 2)], identity);
    bench.tape.reserve(3, 1, true);
    expect(bench.bits()).toEqual(empty(3));
  });

  test("does a fresh sequence the same whatever ran before it", () => {
    const sequence = [randomVectors(seeded(7), size, 2), randomVectors(seeded(8), size, 2)];
    for (const record of [true, false]) {
      const bench = new DenseBench(size);
      bench.tape.reserve(2, 2, record);
      const first = run(bench, sequence, identity);
      const bits = bench.bits();
      bench.tape.clear();
      expect(run(bench, sequence, identity)).toEqual(first);
      expect(bench.bits()).toEqual(bits);
    }
  });

  test("holds no more bytes for a sequence it has room for, and none after dispose", () => {
    const bench = new DenseBench(size);
    bench.tape.reserve(2, 10, true);
    const { bytes } = bench.tape;
    expect(bytes).toBeGreaterThan(0);
    bench.tape.reserve(2, 4, true);
    bench.tape.reserve(2, 10, false);
    bench.tape.reserve(2, 10, true);
    expect(bench.tape.bytes).toBe(bytes);
    bench.tape.dispose();
    expect(bench.tape.bytes).toBe(0);
    expect(bench.engine.arena.bytesInUse).toBe(0);
  });
});

describe("weights", () => {
  const sum = (values: Float32Array) => values.reduce((a, b) => a + b, 0);
  // Sums of up to 33 float32 numbers, each a rounded share: within 33 roundings of 1.
  const rounding = 33 * 2 ** -23;

  test.each([1, 5, 33])("stay in [0, 1] and sum to at most 1 over 30 accesses to %i cells, and so do links", (cells) => {
    const sizes = { cells, width: 6, heads: 2 };
    const bench = new DenseBench(sizes);
    const random = seeded(cells);
    bench.tape.reserve(1, 30, false);
    for (let t = 0; t < 30; t++) {
      run(bench, [[uniform(random, interfaceSize(sizes), -6, 6)]], Int32Array.from([0]));
      for (const name of ["readWeights", "writeWeights", "usage", "precedence", "linkMatrix"] as const) {
        const values = bench.field(name);
        for (const x of values) expect(x >= -rounding && x <= 1 + rounding, `${name} ${x} at access ${t}`).toBe(true);
        if (name === "usage") continue;
        for (let i = 0; i < values.length; i += cells) expect(sum(values.subarray(i, i + cells))).toBeLessThanOrEqual(1 + rounding);
      }
    }
  });

  test("link a cell to the one written before it, and reading forward follows the link", () => {
    const bench = new DenseBench({ cells: 4, width: 2, heads: 1 });
    const write = new Float32Array(interfaceSize(bench.sizes));
    write.set([-20, 20, 20], write.length - 6); // no free gate; allocation gate and write gate open
    write.set([-20, -20, 20], write.length - 3); // read by content
    bench.tape.reserve(1, 4, false);
    run(bench, [[write], [write], [write]], Int32Array.from([0]));
    // To cells 0, 3 and 1: the first write's remainder of ε, ε², ε³ makes the last cell the least used.
    expect(bench.field("linkMatrix")).toBeClose([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0], { atol: 1e-5 });
    const follow = new Float32Array(write);
    follow[follow.length - 4] = -20; // write gate shut
    follow.set([-20, 20, -20], follow.length - 3); // read forward
    const before = bench.field("readWeights");
    run(bench, [[follow]], Int32Array.from([0]));
    expect(bench.field("readWeights")).toBeClose([0, before[3] as number, 0, before[0] as number], { atol: 1e-5 });
  });

  test("and links never hold a number so small that it slows every loop over it", () => {
    const bench = new DenseBench({ cells: 9, width: 4, heads: 2 });
    const random = seeded(2);
    bench.tape.reserve(1, 1, false);
    for (let t = 0; t < 200; t++) {
      run(bench, [[uniform(random, interfaceSize(bench.sizes), -9, 9)]], Int32Array.from([0]));
      for (const name of ["readWeights", "writeWeights", "precedence", "linkMatrix"] as const) {
        expect(bench.field(name).every((x) => x === 0 || Math.abs(x) >= 1e-30)).toBe(true);
      }
    }
  });

  test.each([1e4, -1e4])("and gradients are finite for an interface of %d throughout, from an empty memory", (value) => {
    const bench = new DenseBench(size);
    bench.tape.reserve(1, 4, true);
    const vector = new Float32Array(interfaceSize(size)).fill(value);
    const reads = run(bench, [[vector], [vector], [vector], [vector]], Int32Array.from([0]));
    expect(reads.flat().every((r) => r.every(Number.isFinite))).toBe(true);
    for (const name of stateNames) expect(bench.field(name).every(Number.isFinite)).toBe(true);
    bench.tape.beginBackward(undefined, true);
    for (let t = 0; t < 4; t++) {
      const [dInterface] = bench.backward([new Float32Array(size.heads * size.width).fill(1)]);
      expect(dInterface?.every(Number.isFinite)).toBe(true);
    }
    for (const name of stateNames) {
      const { data } = bench.tape.stateGradient(fieldOf[name]) as { data: Float32Array };
      expect(data.every(Number.isFinite)).toBe(true);
    }
  });

  test("give all the writing to the least used cell, of equals the first", () => {
    const bench = new DenseBench(size);
    const state = emptyState(size);
    state.usage.set([1, 0.5, 0, 0, 1, 0, 1]);
    bench.tape.reserve(1, 1, false);
    bench.load([state]);
    const vector = new Float32Array(interfaceSize(size));
    const end = vector.length - 3 * size.heads;
    vector.set([20, 20], end - 2); // allocation gate and write gate open
    run(bench, [[vector]], Int32Array.from([0]));
    expect(bench.field("writeWeights")).toBeClose([0, 0, 1, 0, 0, 0, 0], { atol: 2e-6 }); // û is 1e-6 where u is 0
  });
});

test.each([7, 16, 40])("allocation among %i cells of few different usages takes equals in their order, as float64 does", (cells) => {
  const sizes = { cells, width: 3, heads: 1 };
  const random = seeded(cells);
  const state = emptyState(sizes);
  state.usage.set(state.usage.map(() => [1, 0.9375, 0.96875][Math.floor(3 * random())] as number)); // exact in float32
  const bench = new DenseBench(sizes);
  bench.tape.reserve(1, 1, false);
  bench.load([state]);
  const vector = uniform(random, interfaceSize(sizes));
  run(bench, [[vector]], Int32Array.from([0]));
  expect(bench.field("writeWeights")).toBeClose(accessForward(sizes, vector, state).next.writeWeights, { rtol: 5e-6 });
});

test("usages that are not numbers spoil results but nothing else", () => {
  const sizes = { cells: 20, width: 3, heads: 1 };
  const bench = new DenseBench(sizes);
  const state = emptyState(sizes);
  state.usage.fill(Number.NaN, 5, 11);
  bench.tape.reserve(1, 1, true);
  bench.load([state]);
  const vector = uniform(seeded(1), interfaceSize(sizes));
  expect(() => run(bench, [[vector]], Int32Array.from([0]))).toThrow("padding"); // which NaN · 0 reaches
  bench.tape.clear();
  const fresh = new DenseBench(sizes);
  fresh.tape.reserve(1, 1, true);
  expect(run(bench, [[vector]], Int32Array.from([0]))).toEqual(run(fresh, [[vector]], Int32Array.from([0])));
});

test.each([1, 2, 5])("cells with the same history keep the same bits, wherever they stand (%i heads)", (heads) => {
  const sizes = { cells: 11, width: 7, heads };
  const random = seeded(heads);
  const state = randomDenseState(sizes, random);
  const twins = [0, 4, 5, 10]; // in different places of their vectors, and in the last, partly filled one
  const [first] = twins as [number];
  for (const cell of twins) {
    state.memory.copyWithin(cell * sizes.width, first * sizes.width, (first + 1) * sizes.width);
    for (const values of [state.precedence, state.writeWeights]) values[cell] = values[first] as number;
    for (let h = 0; h < heads; h++) state.readWeights[h * 11 + cell] = state.readWeights[h * 11 + first] as number;
    state.usage[cell] = 1; // full: no allocation, which tells equals apart
  }
  state.linkMatrix.fill(0);
  const bench = new DenseBench(sizes);
  bench.tape.reserve(1, 3, false);
  bench.load([state]);
  const vector = uniform(random, interfaceSize(sizes));
  const modes = vector.length - 3 * heads;
  vector[modes - 2] = -1e4; // write by content alone
  for (let h = 0; h < heads; h++) vector.set([-1e4, -1e4, 0], modes + 3 * h); // read by content alone
  run(bench, [[vector], [vector], [vector]], Int32Array.from([0]));
  const memory = bench.field("memory");
  for (const cell of twins) {
    expect(memory.slice(cell * 7, cell * 7 + 7)).toEqual(memory.slice(first * 7, first * 7 + 7));
    for (const name of ["precedence", "writeWeights", "usage"] as const) expect(bench.field(name)[cell]).toBe(bench.field(name)[first]);
    const weights = bench.field("readWeights");
    for (let h = 0; h < heads; h++) expect(weights[h * 11 + cell]).toBe(weights[h * 11 + first]);
  }
});

test("sections cover the interface of models.md in its order, each value once", () => {
  const { sections, interfaceWidth } = new DenseMemory(optionsOf(size));
  const { heads, width } = size;
  expect(sections.map(({ name, size: count }) => [name, count])).toEqual([
    ["read_keys", heads * width],
    ["read_strengths", heads],
    ["write_key", width],
    ["write_strength", 1],
    ["erase_vector", width],
    ["write_vector", width],
    ["free_gates", heads],
    ["allocation_gate", 1],
    ["write_gate", 1],
    ["read_modes", 3 * heads],
  ]);
  const places = new Set<number>();
  for (const { size: count, blocks } of sections) {
    expect(blocks.flatMap((block) => Array.from({ length: block.count }, (_, i) => block.from + i)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, i) => i),
    );
    for (const block of blocks) for (let i = 0; i < block.count; i++) places.add(block.to + i);
  }
  expect(places.size).toBe(heads * width + 3 * width + 5 * heads + 3);
  expect(Math.max(...places)).toBeLessThan(interfaceWidth);
  expect(interfaceWidth % 8).toBe(0);
});
