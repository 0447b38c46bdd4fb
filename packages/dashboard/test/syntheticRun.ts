// Run folders as `engram train` writes them, without training: a model that copies perfectly, or as far as it is told to. For tests
// that need a known, large or growing run.
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "engram";
import { writeSafetensors } from "engram/files";

export interface SyntheticOptions {
  readonly model?: "dnc" | "sam" | "sdnc";
  readonly lines?: number;
  readonly memories?: readonly number[];
  readonly cells?: number;
  readonly cellSize?: number;
  readonly heads?: number;
  readonly inputSize?: number;
  /** Length of the sequence to copy; it takes 2·length + 1 steps. */
  readonly length?: number;
  readonly layers?: number;
  /** How well it copies, 0 … 1. */
  readonly skill?: number;
}

const standard = {
  model: "dnc",
  lines: 200,
  memories: [20000],
  cells: 16,
  cellSize: 20,
  heads: 4,
  inputSize: 6,
  length: 8,
  layers: 1,
  skill: 1,
} as const;
const SPARSE_READS = 3;
const TEMPORAL_READS = 2;
const LINES_AT_ONCE = 10_000;

/** Makes a run folder and fills it. */
export function writeSyntheticRun(folder: string, options: SyntheticOptions = {}): void {
  const settings = { ...standard, ...options };
  mkdirSync(join(folder, "memory"), { recursive: true });
  mkdirSync(join(folder, "checkpoints"), { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(syntheticConfig(settings), undefined, 2));
  appendLines(folder, 0, settings.lines);
  for (const iteration of settings.memories) writeSyntheticMemory(folder, iteration, settings);
}

export function syntheticConfig(options: SyntheticOptions = {}) {
  const settings = { ...standard, ...options };
  const { cells, cellSize, heads, inputSize, layers, model } = settings;
  const sparse = model === "dnc" ? {} : { sparseReads: SPARSE_READS, temporalReads: TEMPORAL_READS, temporalLinks: 8 };
  return {
    format: 1,
    engram: "0.1.0",
    task: { name: "copy", maxLength: settings.length, inputSize, outputSize: inputSize - 1 },
    model: {
      type: model,
      options: {
        inputSize,
        hiddenSize: 64,
        outputSize: inputSize - 1,
        rnnType: "lstm",
        numLayers: layers,
        nrCells: cells,
        cellSize,
        readHeads: heads,
        ...sparse,
      },
    },
    training: { optim: "adam", lr: 1e-3, batch_size: 100, iterations: 100_000, seed: 1 },
    startedAt: "2026-01-01T12:00:00.000Z",
  };
}

/** Appends metrics of a run that learns to copy at about a third of its time. */
export function appendLines(folder: string, from: number, count: number, total = from + count): void {
  const path = join(folder, "metrics.jsonl");
  for (let start = from; start < from + count; start += LINES_AT_ONCE) {
    let text = "";
    for (let i = start; i < Math.min(from + count, start + LINES_AT_ONCE); i++) text += `${JSON.stringify(metricsLine(i, total))}\n`;
    appendFileSync(path, text);
  }
}

export function metricsLine(i: number, total: number) {
  const noise = seeded(i + 1);
  const learned = 1 / (1 + Math.exp(-14 * (i / total - 0.35)));
  const loss = Math.max(1e-5, 0.69 * (1 - learned) ** 2 * (0.9 + 0.2 * noise()) + 0.002 * noise() * noise());
  return {
    iteration: 100 * (i + 1),
    loss,
    accuracy: Math.min(1, 0.5 + 0.5 * learned + 0.01 * (noise() - 0.5)),
    sequenceAccuracy: learned ** 3,
    maxLength: 4 + Math.floor((16 * i) / total),
    gradNorm: 0.05 + 2 * noise() * (1 - learned),
    learningRate: 1e-3,
    iterationsPerSecond: 140 + 20 * noise(),
    seconds: 0.7 * (i + 1),
  };
}

export function writeSyntheticMemory(folder: string, iteration: number, options: SyntheticOptions = {}): Map<string, Tensor> {
  const settings = { ...standard, ...options };
  const tensors = settings.model === "dnc" ? denseTrace(settings) : sparseTrace(settings);
  const { model } = syntheticConfig(settings);
  const metadata = { model: model.type, config: JSON.stringify(model.options), task: "copy", iteration: String(iteration) };
  writeFileSync(join(folder, "memory", `step-${iteration}.safetensors`), writeSafetensors(tensors, metadata));
  return tensors;
}

type Settings = Required<SyntheticOptions>;

/** Tensors by name, filled by functions of the step (and layer) and the position in the row. */
class Rows {
  readonly tensors = new Map<string, Tensor>();

  constructor(readonly rows: number) {}

  add(name: string, width: number, value: (row: number, i: number) => number): void {
    const data = new Float32Array(this.rows * width);
    for (let row = 0; row < this.rows; row++) for (let i = 0; i < width; i++) data[row * width + i] = value(row, i);
    this.tensors.set(name, { data, shape: [this.rows, width] });
  }
}

/** The cell that step t writes to, spread so that order in memory is not order in time. */
const cellOf = (t: number, cells: number) => (5 * t + 3) % cells;

function sequence({ length, inputSize, skill }: Settings): Map<string, Tensor> {
  const steps = 2 * length + 1;
  const random = seeded(7);
  const bits = Array.from({ length }, () => Array.from({ length: inputSize - 1 }, () => (random() < 0.5 ? 0 : 1)));
  const sequence = new Rows(steps);
  sequence.add("input", inputSize, (t, i) => (t < length ? (bits[t]?.[i] ?? 0) : t === length && i === inputSize - 1 ? 1 : 0));
  sequence.add("target", inputSize - 1, (t, i) => bits[t - length - 1]?.[i] ?? 0);
  sequence.add("output", inputSize - 1, (t, i) => skill * 9 * ((bits[t - length - 1]?.[i] ?? 0) - 0.5) + 3 * (random() - 0.5));
  sequence.add("mask", inputSize - 1, (t) => (t > length ? 1 : 0));
  return sequence.tensors;
}

function denseTrace(settings: Settings): Map<string, Tensor> {
  const { cells, cellSize, heads, length, layers, skill } = settings;
  const rows = new Rows((2 * length + 1) * layers);
  const random = seeded(11);
  const step = (row: number) => Math.floor(row / layers);
  const write = (t: number, cell: number) => (t < length && cell === cellOf(t, cells) ? 0.2 + 0.79 * skill : 0.02 / cells);
  const read = (t: number, head: number, cell: number) =>
    t > length && cell === cellOf(t - length - 1 - (head % 2 === 1 ? 1 : 0), cells) ? 0.1 + 0.88 * skill : 0.1 / cells;
  const word = Array.from({ length: length * cellSize }, () => 2 * random() - 1);
  const latest = Array.from({ length: 2 * length + 1 }, () => new Int32Array(cells).fill(-1));
  for (const [t, writes] of latest.entries()) for (let s = 0; s <= Math.min(t, length - 1); s++) writes[cellOf(s, cells)] = s;
  /** The step that wrote last to a cell, up to step t, or −1. */
  const written = (t: number, cell: number) => latest[t]?.[cell] ?? -1;
  rows.add("debug.memory", cells * cellSize, (row, i) => {
    const s = written(step(row), Math.floor(i / cellSize));
    return s < 0 ? 0 : (word[s * cellSize + (i % cellSize)] ?? 0);
  });
  rows.add("debug.link_matrix", cells * cells, (row, i) => {
    const [to, from] = [written(step(row), Math.floor(i / cells)), written(step(row), i % cells)];
    return to > 0 && to === from + 1 ? 0.9 : 0;
  });
  rows.add("debug.precedence", cells, (row, cell) => (written(step(row), cell) === Math.min(step(row), length - 1) ? 0.95 : 0));
  rows.add("debug.read_weights", heads * cells, (row, i) => read(step(row), Math.floor(i / cells), i % cells));
  rows.add("debug.write_weights", cells, (row, cell) => write(step(row), cell));
  rows.add("debug.usage_vector", cells, (row, cell) =>
    written(step(row), cell) < 0 ? 0 : step(row) > length + 1 + written(length, cell) ? 0.1 : 1,
  );
  addGates(rows, settings, step);
  return new Map([...sequence(settings), ...rows.tensors]);
}

function addGates(rows: Rows, { heads, length, model }: Settings, step: (row: number) => number): void {
  const writing = (row: number) => (step(row) < length ? 0.97 : 0.02);
  if (model === "dnc") rows.add("debug.free_gates", heads, (row) => (step(row) > length ? 0.9 : 0.05));
  rows.add(model === "dnc" ? "debug.allocation_gate" : "debug.interpolation_gate", 1, (row) =>
    model === "dnc" ? 0.93 : 0.04 + 0.01 * step(row),
  );
  rows.add("debug.write_gate", 1, writing);
  if (model === "dnc") rows.add("debug.write_strength", 1, (row) => 1 + 0.1 * step(row));
  rows.add("debug.read_strengths", heads, (row, head) => 1 + head + 0.2 * step(row));
  if (model === "sam") return;
  rows.add("debug.read_modes", 3 * heads, (row, i) => {
    const mode = i % 3;
    if (step(row) <= length) return mode === 2 ? 0.8 : 0.1;
    return mode === 1 ? 0.9 : 0.05;
  });
}

function sparseTrace(settings: Settings): Map<string, Tensor> {
  const { cells, cellSize, heads, length, layers, model } = settings;
  const rows = new Rows((2 * length + 1) * layers);
  const step = (row: number) => Math.floor(row / layers);
  const perHead = SPARSE_READS + (model === "sdnc" ? 2 * TEMPORAL_READS : 0);
  const slots = heads * perHead + 1;
  const cell = (t: number) => Math.min(t, length - 1);
  const looked = (t: number, slot: number) => {
    if (slot === slots - 1) return t;
    const [head, k] = [Math.floor(slot / perHead), slot % perHead];
    const centre = t > length ? t - length - 1 + head : head;
    const position =
      k < SPARSE_READS
        ? centre + k
        : k < SPARSE_READS + TEMPORAL_READS
          ? centre - (k - SPARSE_READS) - 1
          : centre + (k - SPARSE_READS - TEMPORAL_READS) + 1;
    return position < 0 || position >= Math.max(1, cell(t)) ? (k < SPARSE_READS ? k : -1) : position;
  };
  const random = seeded(11);
  const words = Array.from({ length: length * cellSize }, () => 2 * random() - 1);
  const wordAt = (t: number, position: number, w: number) =>
    position >= 0 && position < length && position <= t ? (words[position * cellSize + w] ?? 0) : 0;
  if (model === "sam" || cells <= 64)
    rows.add("debug.memory", cells * cellSize, (row, i) => wordAt(step(row), Math.floor(i / cellSize), i % cellSize));
  rows.add("debug.visible_memory", slots * cellSize, (row, i) =>
    wordAt(step(row), looked(step(row), Math.floor(i / cellSize)), i % cellSize),
  );
  rows.add("debug.read_positions", slots, (row, slot) => looked(step(row), slot));
  const link = (to: number, from: number) => (from >= 0 && to === from + 1 && to < length ? 0.85 : 0);
  if (model === "sdnc") {
    rows.add("debug.link_matrix", slots * slots, (row, i) => link(looked(step(row), Math.floor(i / slots)), looked(step(row), i % slots)));
    rows.add("debug.rev_link_matrix", slots * slots, (row, i) =>
      link(looked(step(row), i % slots), looked(step(row), Math.floor(i / slots))),
    );
    rows.add("debug.precedence", cells, (row, i) => (i === cell(step(row)) ? 0.95 : 0));
  }
  rows.add("debug.read_weights", heads * cells, (row, i) =>
    step(row) > length && i % cells === looked(step(row), Math.floor(i / cells) * perHead) ? 0.92 : 0,
  );
  rows.add("debug.write_weights", cells, (row, i) => (step(row) < length && i === step(row) ? 0.95 : 0));
  rows.add("debug.usage", cells, (row, i) => (i <= cell(step(row)) ? step(row) - i : step(row) + 1));
  addGates(rows, settings, step);
  return new Map([...sequence(settings), ...rows.tensors]);
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed * 0x9e3779b1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
