// The index by codes (kernels/rowCodes.ts, quantizedSearch.ts) in whole accesses: against its float64 twin, against the exact scan, and through everything that
// changes rows or moves them.
import { describe, expect, test } from "vitest";
import { seeded, uniform } from "../../test/random.js";
import { cutReference, levelsReference, scoresReference, turnedReference } from "../../test/reference/rowCodes.js";
import type { SparseOptions } from "../../test/reference/sparseMemory.js";
import { randomSequence, SparseBench } from "../../test/sparseBench.js";
import type { Tensor } from "../tensor.js";
import type { MemoryOptions } from "./memory.js";
import { randomRotation } from "./rotation.js";

type Options = SparseOptions & Pick<MemoryOptions, "index">;

/** With K = 2 the 256 best by score are compared, from 4097 filled rows on. */
const COMPARED = 256;
const FILLED = 4301;

const sam: Options = {
  nrCells: 6000,
  cellSize: 8,
  readHeads: 3,
  sparseReads: 2,
  temporalReads: 0,
  temporalLinks: 0,
  index: "quantized",
};
const sdnc: Options = { ...sam, cellSize: 5, readHeads: 2, temporalReads: 2, temporalLinks: 3 };
const exact = (options: Options): Options => ({ ...options, index: "exact" });

/** A memory of the given words in the cells from `first` on, last accessed in that order. */
function load(bench: SparseBench, words: ArrayLike<number>, first = 0): SparseBench {
  const { nrCells, cellSize } = bench.options;
  const filled = words.length / cellSize;
  const memory: Tensor = { data: new Float32Array(bench.batch * nrCells * cellSize), shape: [bench.batch, nrCells, cellSize] };
  const lastAccess: Tensor = { data: new Float32Array(bench.batch * nrCells), shape: [bench.batch, nrCells] };
  for (let e = 0; e < bench.batch; e++) {
    for (let i = 0; i < filled; i++) {
      const cell = e * nrCells + first + i;
      memory.data.set(
        Array.from({ length: cellSize }, (_, j) => words[i * cellSize + j] as number),
        cell * cellSize,
      );
      lastAccess.data[cell] = i + 1;
    }
  }
  const tensors = new Map([
    ["memory", memory],
    ["last_access", lastAccess],
  ]);
  bench.tape.reserve(bench.batch, 0, false);
  bench.tape.restore(bench.memory.snapshotFromTensors(tensors, bench.batch, undefined));
  return bench;
}

const randomWords = ({ cellSize }: Options, seed: number, count = FILLED) => uniform(seeded(seed), count * cellSize);

/** ξ of one access: the heads' queries, and next to nothing written. */
function reading({ cellSize, readHeads, temporalReads }: Options, queries: ArrayLike<number>): Float32Array {
  const modes = temporalReads > 0 ? 3 * readHeads : 0;
  return Float32Array.from([
    ...Array.from(queries),
    ...Array(readHeads).fill(1),
    ...Array(cellSize).fill(0),
    0,
    -20,
    ...Array(modes).fill(0),
  ]);
}

/** Each head's cells by falling similarity. */
function read(bench: SparseBench, queries: ArrayLike<number>): number[][] {
  const { readHeads, sparseReads, temporalReads } = bench.options;
  bench.run({ lengths: [1], xi: [[reading(bench.options, queries)]] }, false);
  const perHead = sparseReads + 2 * temporalReads;
  const positions = new Float32Array(readHeads * perHead + 1);
  bench.tape.debug(0, new Map([["read_positions", positions]]));
  return Array.from({ length: readHeads }, (_, h) => Array.from(positions.slice(h * perHead, h * perHead + sparseReads)));
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, x, i) => sum + x * (b[i] as number), 0);
const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) => dot(a, b) / Math.sqrt((dot(a, a) + 1e-6) * (dot(b, b) + 1e-6));

describe.each([sam, { ...sam, cellSize: 5, readHeads: 1 }, { ...sam, cellSize: 17, readHeads: 2 }])(
  "cells of $cellSize, $readHeads heads",
  (options) => {
    const { cellSize, readHeads, sparseReads } = options;

    test("the cells read are the most similar of those that float64 scores highest", () => {
      const bench = load(new SparseBench(options, 1), randomWords(options, cellSize));
      const rotation = randomRotation(8 * Math.ceil(cellSize / 8), 4 * Math.ceil(cellSize / 4));
      const next = seeded(3);
      for (let round = 0; round < 4; round++) {
        const queries = uniform(next, readHeads * cellSize);
        const chosen = read(bench, queries);
        const memory = bench.tensor("memory");
        const words = Array.from({ length: FILLED }, (_, i) => memory.subarray(i * cellSize, (i + 1) * cellSize));
        const codes = words.map((word) => levelsReference(turnedReference(word, rotation)));
        for (let h = 0; h < readHeads; h++) {
          const query = queries.subarray(h * cellSize, (h + 1) * cellSize);
          const scores = scoresReference(turnedReference(query, rotation), codes);
          const cut = cutReference(scores, COMPARED);
          const similarity = words.map((word) => cosine(word, query));
          // Where float32 rounds a table entry or a level the other way, a score is off by one or two levels: the cut may be, too.
          const slack = 4;
          const got = chosen[h] as number[];
          const least = Math.min(...got.map((cell) => similarity[cell] as number));
          for (const cell of got) expect(scores[cell]).toBeGreaterThanOrEqual(cut - slack);
          const better = similarity.flatMap((d, cell) => (d > least + 1e-6 && (scores[cell] as number) > cut + slack ? [cell] : []));
          expect(got).toEqual(expect.arrayContaining(better));
          expect(better.length).toBeLessThan(sparseReads + 1);
        }
      }
    });

    test("a planted neighbour of cosine 0.9 is found, and of the K best nearly all", () => {
      const words = randomWords(options, 40 + cellSize);
      const [quantized, scan] = [new SparseBench(options, 1), new SparseBench(exact(options), 1)];
      const next = seeded(6);
      let [found, best, all] = [0, 0, 0];
      for (let round = 0; round < 30; round++) {
        const queries = new Float32Array(readHeads * cellSize);
        for (let h = 0; h < readHeads; h++) {
          const cell = Math.floor(next() * FILLED);
          const word = words.subarray(cell * cellSize, (cell + 1) * cellSize);
          const noise = uniform(next, cellSize);
          const along = dot(noise, word) / dot(word, word);
          const across = noise.map((x, j) => x - along * (word[j] as number));
          const scale = Math.sqrt((0.19 / 0.81) * (dot(word, word) / dot(across, across)));
          queries.set(
            word.map((x, j) => x + scale * (across[j] as number)),
            h * cellSize,
          );
        }
        const [got, want] = [read(load(quantized, words), queries), read(load(scan, words), queries)];
        for (const [h, cells] of want.entries()) {
          best += Number(got[h]?.includes(cells[0] as number));
          found += cells.filter((cell) => got[h]?.includes(cell)).length;
          all += cells.length;
        }
      }
      expect(best / (all / sparseReads)).toBeGreaterThan(0.95);
      expect(found / all).toBeGreaterThan(0.95);
    });
  },
);

describe("equals the exact scan, to the bit,", () => {
  const same = (words: ArrayLike<number>, queries: ArrayLike<number>, first = 0) => {
    const [quantized, scan] = [new SparseBench(sam, 1), new SparseBench(exact(sam), 1)].map((bench) => load(bench, words, first));
    expect(read(quantized as SparseBench, queries)).toEqual(read(scan as SparseBench, queries));
    expect((quantized as SparseBench).reads).toEqual((scan as SparseBench).reads);
  };
  const { cellSize, readHeads } = sam;
  const size = readHeads * cellSize;

  test("where no more rows are filled than sixteen times those compared", () => {
    same(randomWords(sam, 1, 16 * COMPARED), uniform(seeded(1), size));
  });

  test("where all rows are the same and the lowest cells win", () => {
    same(
      Float32Array.from({ length: FILLED * cellSize }, (_, i) => 1 + (i % cellSize)),
      new Float32Array(size).fill(1),
    );
  });

  test("where no row is like the query, so that untouched cells are read, however often: no more than K are ever touched for it", () => {
    const words = Float32Array.from(randomWords(sam, 5), Math.abs);
    const queries = new Float32Array(size).fill(-1);
    same(words, queries);
    const bench = load(new SparseBench(sam, 1), words);
    for (let i = 0; i < 20; i++) read(bench, queries);
    const scan = load(new SparseBench(exact(sam), 1), words);
    for (let i = 0; i < 20; i++) read(scan, queries);
    expect(bench.tensor("last_access")).toEqual(scan.tensor("last_access"));
  });

  test("where rows that hold nothing compete with untouched cells of lower and of higher index", () => {
    const words = Float32Array.from(randomWords(sam, 5), Math.abs);
    words.fill(0, 7 * cellSize, 8 * cellSize);
    words.fill(0, 4000 * cellSize, 4001 * cellSize);
    same(words, new Float32Array(size).fill(-1));
    same(words, new Float32Array(size).fill(-1), 1);
    same(words, new Float32Array(size).fill(-1), 1000);
  });

  test("where the query is zero", () => same(randomWords(sam, 6), new Float32Array(size)));

  test("where one head of several has such a query", () => {
    const queries = uniform(seeded(2), size);
    queries.fill(0, cellSize, 2 * cellSize);
    same(randomWords(sam, 6), queries);
  });
});

describe.each([
  ["SAM", sam],
  ["SDNC", sdnc],
])("%s with an index", (_, options) => {
  const randomReads = (accesses: number, batch: number, next: () => number) =>
    Array.from({ length: accesses }, () => Array.from({ length: batch }, () => uniform(next, options.readHeads * options.cellSize)));

  test("going back leaves the state as it was, to the bit, and the next sequence gives the same bits", () => {
    const next = seeded(17);
    const sequences = [0, 1].map(() => randomSequence(options, [6, 11], next));
    const [back, plain] = [0, 1].map(() => load(new SparseBench(options, 2), randomWords(options, 9))) as [SparseBench, SparseBench];
    for (const sequence of sequences) {
      back.run(sequence, true);
      plain.run(sequence, false);
      const before = back.tape.snapshot();
      back.back(sequence, randomReads(sequence.xi.length, 2, next));
      expect(back.tape.snapshot()).toEqual(before);
      expect(back.reads).toEqual(plain.reads);
    }
  });

  test("an element's bits depend neither on its row nor on the batch", () => {
    const next = seeded(3);
    const sequence = randomSequence(options, [4, 7, 9], next);
    const bench = load(new SparseBench(options, 3), randomWords(options, 4));
    bench.run(sequence, true);
    for (const e of [0, 1, 2]) {
      const alone = load(new SparseBench(options, 1), randomWords(options, 4));
      const length = sequence.lengths[e] as number;
      alone.run({ lengths: [length], xi: sequence.xi.slice(0, length).map((vectors) => [vectors[e] as Float32Array]) }, false);
      expect(alone.reads[0]).toEqual(bench.reads[e]);
    }
  });

  test("thousands of accesses that recycle cells give the bits of a state that goes through tensors on the way, in which rows lie otherwise", () => {
    const next = seeded(21);
    // The first cells are touched last, and all are in use after some hundred accesses. A state loaded again has its rows in order of cells.
    const full: Options = { ...options, nrCells: 4600 };
    const bench = new SparseBench(full, 1);
    const words = randomWords(full, 2, 4300);
    load(bench, words, 300);
    let other = load(new SparseBench(full, 1), words, 300);
    for (let round = 0; round < 30; round++) {
      const sequence = randomSequence(full, [100], next);
      bench.run(sequence, round % 3 === 0);
      other.run(sequence, false);
      expect(other.reads).toEqual(bench.reads);
      if (round % 6 !== 5) continue;
      const { memory, tape } = other;
      const snapshot = tape.snapshot();
      const fields = memory.stateFields.map(({ name }) => [name, [memory.sparseFromSnapshot(snapshot, name, 0)]] as const);
      other = new SparseBench(full, 1);
      other.tape.reserve(1, 0, false);
      other.tape.restore(memory.snapshotFromTensors(new Map(fields), 1, memory.clockOfSnapshot(snapshot)));
    }
    expect(bench.tensor("memory")).toEqual(other.tensor("memory"));
    expect(bench.tensor("last_access")).toEqual(other.tensor("last_access"));
  });

  test("gradients are those of the exact scan, to the bit, where the cells read are the same", () => {
    const next = seeded(12);
    const words = randomWords(options, 14);
    const [quantized, scan] = [new SparseBench(options, 1), new SparseBench(exact(options), 1)].map((bench) => load(bench, words)) as [
      SparseBench,
      SparseBench,
    ];
    let compared = 0;
    for (let round = 0; round < 12; round++) {
      const sequence = randomSequence(options, [3], next);
      const dReads = randomReads(3, 1, next);
      for (const bench of [quantized, scan]) bench.run(sequence, true);
      const [dQuantized, dScan] = [quantized, scan].map((bench) => bench.back(sequence, dReads));
      if (JSON.stringify(quantized.reads) !== JSON.stringify(scan.reads)) {
        for (const bench of [quantized, scan]) load(bench, words); // a cell was missed: start both again
        continue;
      }
      expect(dQuantized).toEqual(dScan);
      for (const field of quantized.memory.gradientFields)
        expect(quantized.tape.stateGradient(field)).toEqual(scan.tape.stateGradient(field));
      compared++;
    }
    expect(compared).toBeGreaterThan(5);
  });

  test("its codes take two bytes for each 8 values of a touched row, however many cells there are", () => {
    const bytes = (given: Options) => load(new SparseBench(given, 1), randomWords(given, 1)).tape.bytes;
    const large = { ...options, nrCells: 10_000 }; // does not bound the room to grow
    const more = bytes(large) - bytes(exact(large));
    const perRow = 2 * Math.ceil(options.cellSize / 8);
    const rows = 1.5 * FILLED + 64; // half as much again, to grow into
    const tables = 64 * 2 ** 10; // those of two heads, the rotation, the nominees
    expect(more).toBeLessThan(perRow * rows + tables);
    expect(bytes({ ...options, nrCells: 50_000 })).toBe(bytes(large));
  });
});
