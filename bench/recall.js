// What the index by codes finds of what the exact scan finds, and what an access costs with each, over the number of touched rows:
//   node bench/recall.js [--rows 10000,100000] [--svg FOLDER]
// Accesses go straight to the memory, so that queries can be chosen: rows and queries of several kinds, since what an index misses depends on them.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Prober } from "./probes.js";
import { formatMs, markdownTable } from "./report.js";
import { seeded } from "./subjectData.js";
import { lineChart } from "./svg.js";

const { Engine } = await import(new URL("./engine/engine.js", import.meta.resolve("engram")).href);
const { SparseMemory } = await import(new URL("./memory/sparse.js", import.meta.resolve("engram")).href);

const W = 32;
const R = 4;
const K = 4;
const QUERIES = 48;
const indexes = ["exact", "quantized"];

const range = (n) => Array.from({ length: n }, (_, i) => i);
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const unit = (a) => a.map((x) => x / Math.sqrt(dot(a, a)));

/** Standard normal numbers from uniform ones (Box–Muller). */
function normals(random, count) {
  return Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
}

/** A vector at the given cosine to a unit one. */
function near(random, word, cosine) {
  const noise = normals(random, W);
  const along = dot(noise, word);
  const across = unit(noise.map((x, i) => x - along * word[i]));
  return word.map((x, i) => cosine * x + Math.sqrt(1 - cosine * cosine) * across[i]);
}

/** Rows, and a query for each of them: `{ row(i), query() }`. */
const kinds = {
  "normal rows and queries": (random) => ({ row: () => unit(normals(random, W)), query: () => unit(normals(random, W)) }),
  "queries at cosine 0.9 to a row": (random) => ({
    row: () => unit(normals(random, W)),
    query: (rows) => near(random, rows(Math.floor(random() * rows.count)), 0.9),
  }),
  "clusters of a hundred at cosine 0.8 to their centre": (random, count) => {
    const centres = range(Math.max(1, count / 100)).map(() => unit(normals(random, W)));
    const centre = () => centres[Math.floor(random() * centres.length)];
    return { row: () => near(random, centre(), 0.8), query: () => near(random, centre(), 0.8) };
  },
  "rows with half their square in common": (random) => {
    const common = unit(normals(random, W));
    return {
      row: () => unit(unit(normals(random, W)).map((x, i) => x + common[i])),
      query: (rows) => near(random, rows(Math.floor(random() * rows.count)), 0.9),
    };
  },
};

/** A memory of one element of which every cell holds a row. */
class Filled {
  constructor(index, words) {
    const count = words.length / W;
    this.engine = Engine.create();
    this.memory = new SparseMemory({
      nrCells: count,
      cellSize: W,
      readHeads: R,
      sparseReads: K,
      temporalReads: 0,
      temporalLinks: 0,
      index,
    });
    this.tape = this.memory.open(this.engine);
    this.tape.reserve(1, 0, false);
    const lastAccess = Float32Array.from({ length: count }, (_, i) => i + 1);
    const tensors = new Map([
      ["memory", { data: words, shape: [1, count, W] }],
      ["last_access", { data: lastAccess, shape: [1, count] }],
    ]);
    this.tape.restore(this.memory.snapshotFromTensors(tensors, 1, undefined));
    this.xi = this.engine.allocate(4 * this.memory.interfaceWidth);
    this.reads = this.engine.allocate(4 * this.memory.readWidth);
    this.positions = new Map([["read_positions", new Float32Array(R * K + 1)]]);
  }

  /** ξ of an access with these queries; `write` before σ. */
  put(queries, write, vector) {
    const xi = this.engine.f32(this.xi, this.memory.interfaceWidth).fill(0);
    const parts = {
      read_query: queries.flat(),
      read_strengths: Array(R).fill(5),
      write_vector: vector,
      interpolation_gate: [0],
      write_gate: [write],
    };
    for (const { name, blocks } of this.memory.sections) {
      for (const { from, to, count } of blocks) xi.set(Array.from(parts[name]).slice(from, from + count), to);
    }
  }

  access() {
    this.tape.forward(1, this.reads, this.xi);
  }

  /** Each head's cells; next to nothing is written. */
  read(queries) {
    this.put(queries, -30, new Float32Array(W));
    this.tape.reserve(1, 1, false);
    this.tape.begin(Int32Array.of(0));
    this.access();
    this.tape.debug(0, this.positions);
    this.tape.end();
    const found = this.positions.get("read_positions");
    return range(R).map((h) => found.slice(h * K, (h + 1) * K));
  }

  /** µs of an access with its writes, forward alone or with its way back, queries new each time: the fastest of many. */
  time(nextQuery, isRecorded, seconds) {
    const vector = unit(normals(seeded(3), W));
    const dXi = this.engine.allocate(4 * this.memory.interfaceWidth);
    const dReads = this.engine.allocate(4 * this.memory.readWidth);
    let fastest = Number.POSITIVE_INFINITY;
    const end = performance.now() + 1000 * seconds;
    for (let i = 0; i < 10 || performance.now() < end; i++) {
      this.put(range(R).map(nextQuery), 0, vector);
      this.tape.reserve(1, 1, isRecorded);
      const start = performance.now();
      this.tape.begin(Int32Array.of(0));
      this.access();
      this.tape.end();
      if (isRecorded) {
        this.tape.beginBackward();
        this.tape.backward(1, dXi, dReads, this.xi);
        this.tape.endBackward();
      }
      fastest = Math.min(fastest, 1000 * (performance.now() - start));
    }
    return fastest;
  }
}

/** Of the cells the scan reads, those found, all and the best alone; and how much less similar the cells found are, on average. */
function recallOf(kind, count) {
  const random = seeded(11);
  const source = kinds[kind](random, count);
  const words = new Float32Array(count * W);
  for (let i = 0; i < count; i++) words.set(source.row(i), i * W);
  const rows = Object.assign((i) => words.slice(i * W, (i + 1) * W), { count });
  const [exact, quantized] = indexes.map((index) => new Filled(index, words));
  const tally = { heads: 0, best: 0, found: 0, lost: 0 };
  for (let i = 0; i < QUERIES / R; i++) {
    const queries = range(R).map(() => Array.from(source.query(rows)));
    const [want, got] = [exact.read(queries), quantized.read(queries)];
    const similarity = (h) => (cell) => dot(queries[h], rows(cell)) / Math.sqrt(dot(queries[h], queries[h]));
    for (const [h, cells] of want.entries()) {
      tally.heads++;
      tally.best += Number(got[h].includes(cells[0]));
      tally.found += cells.filter((cell) => got[h].includes(cell)).length / K;
      tally.lost +=
        (dot(Array.from(cells, similarity(h)), Array(K).fill(1)) - dot(Array.from(got[h], similarity(h)), Array(K).fill(1))) / K;
    }
  }
  return { kind, rows: count, best: tally.best / tally.heads, all: tally.found / tally.heads, lost: tally.lost / tally.heads };
}

function timesOf(count) {
  const random = seeded(5);
  const words = normals(random, count * W);
  const query = () => Array.from(normals(random, W));
  const [exact, quantized] = indexes.map((index) => {
    const filled = new Filled(index, words);
    return { forward: filled.time(query, false, 1.5), both: filled.time(query, true, 1.5), bytes: filled.tape.bytes };
  });
  return { rows: count, exact, quantized };
}

const { values } = parseArgs({ options: { rows: { type: "string" }, svg: { type: "string" } } });
const counts = (values.rows ?? "10,100,1000,10000,30000,100000,300000,1000000").split(",").map(Number);
const percent = (x) => `${(100 * x).toFixed(1)} %`;
const micro = (x) => formatMs(x);

const recalls = Object.keys(kinds).flatMap((kind) => counts.filter((count) => count >= 10_000).map((count) => recallOf(kind, count)));
console.log(
  markdownTable(recalls, [
    ["rows and queries", (row) => row.kind],
    ["touched rows", (row) => row.rows],
    ["recall@4", (row) => percent(row.all)],
    ["recall@1", (row) => percent(row.best)],
    ["similarity lost", (row) => row.lost.toFixed(4)],
  ]),
);
const times = counts.map(timesOf);
console.log(
  `\n${markdownTable(times, [
    ["touched rows", (row) => row.rows],
    ["exact, µs", (row) => micro(row.exact.forward)],
    ["quantized, µs", (row) => micro(row.quantized.forward)],
    ["ratio", (row) => (row.exact.forward / row.quantized.forward).toFixed(1)],
    ["exact and back, µs", (row) => micro(row.exact.both)],
    ["quantized and back, µs", (row) => micro(row.quantized.both)],
    ["bytes of a row", (row) => (row.exact.bytes / row.rows).toFixed(0)],
    ["with codes", (row) => (row.quantized.bytes / row.rows).toFixed(0)],
  ])}`,
);
const prober = new Prober(1);
const { streams } = await prober.everything(1);
await prober.close();
for (const { bytes, readGBs } of streams) console.log(`reading ${bytes / 2 ** 20} MiB: ${readGBs.toFixed(1)} GB/s`);
if (values.svg !== undefined) {
  mkdirSync(values.svg, { recursive: true });
  const milliseconds = (name) => ({ name, points: times.map((row) => [row.rows, row[name].forward / 1000]) });
  const [, cached, beyond] = streams.map(({ readGBs }) => readGBs);
  const reading = (name, rate) => ({
    name: `${name}, ${rate.toFixed(0)} GB/s`,
    points: counts.map((count) => [count, (count * 4 * W) / rate / 1e6]),
  });
  const series = [...indexes.map(milliseconds), reading("reading every row once from the cache", cached), reading("from memory", beyond)];
  const text = lineChart({ title: `A SAM access: W=${W}, R=${R}, K=${K}`, xLabel: "touched rows", yLabel: "milliseconds", series });
  writeFileSync(join(values.svg, "sam-rows.svg"), text);
}
