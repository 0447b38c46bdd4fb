// What a model's memory does in one sequence, for the terminal's drawing and for the dashboard's files.
import { type Model, Random, type Tensor } from "engram";
import { loadModel, saveModel, writeSafetensors } from "engram/files";
import type { Task } from "engram/tasks";
import { cellsByFirstWrite, drawWeights, sideBySide, weightsOverTime } from "./memoryPlot.js";

const MEMORY_STREAM = 4;
/** Larger files would fill disks: the links of 256 cells take 256 KiB a step. */
const MOST_FLOATS = 2 ** 20;
/** To be drawn more may be noted down, as it is gone again afterwards. */
const MOST_DRAWN_FLOATS = 2 ** 25;
/** Columns of a drawing that are no steps: cell number and borders. */
const MARGIN = 8;

/** One sequence through a model. All without a batch axis. */
export interface MemoryTrace {
  /** Debug tensors by name: a row each memory access. */
  readonly debug: ReadonlyMap<string, Tensor>;
  readonly input: Tensor;
  readonly target: Tensor;
  readonly output: Tensor;
  /** Which outputs count, [T, O]. */
  readonly mask: Tensor;
}

/** Watches a model's memory. Keeps a copy of the model that takes notes, so that the one in training is left alone. */
export class MemoryWatcher {
  readonly #model: Model;
  readonly #task: Task;
  readonly #seed: number;
  #copy: Model | undefined;

  constructor(model: Model, task: Task, seed: number) {
    this.#model = model;
    this.#task = task;
    this.#seed = seed;
  }

  /** The same sequence whenever the length is the same, so that one sees it dealt with better and better. */
  trace(length: number): MemoryTrace {
    const { input, target, mask } = this.#task.batch(new Random(this.#seed, MEMORY_STREAM), 1, length);
    this.#copy ??= loadModel(saveModel(this.#model), { debug: true }).eval();
    this.#copy.loadStateDict(this.#model.stateDict());
    const { output, debug = new Map<string, Tensor>() } = this.#copy.forward(input);
    return { debug, input: first(input), target: first(target), output: first(output), mask: fullMask(output, this.#task, mask) };
  }

  /** The trace of the longest sequence up to `maxLength` that makes a file of a sensible size; undefined where not even the shortest does. */
  traceForFile(maxLength: number): MemoryTrace | undefined {
    const length = longestWithin(this.#task, maxLength, MOST_FLOATS / floatsOfStep(this.#model));
    return length === undefined ? undefined : this.trace(length);
  }

  /** Draws where a sequence, as long as fits, was written to and read from; empty where not even the shortest does. */
  draw(maxLength: number, columns: number): string {
    const steps = Math.min(columns - MARGIN, MOST_DRAWN_FLOATS / floatsOfStep(this.#model));
    const length = longestWithin(this.#task, maxLength, steps);
    return length === undefined ? "" : drawMemory(this.trace(length), this.#model, columns);
  }
}

/** The longest length whose sequences take at most so many steps. */
function longestWithin(task: Task, maxLength: number, mostSteps: number): number | undefined {
  for (let length = maxLength; length >= Math.min(task.minLength ?? 1, maxLength); length--) {
    const [, steps = 0] = task.batch(new Random(0), 1, length).input.shape;
    if (steps <= mostSteps) return length;
  }
  return undefined;
}

/** About how many debug values a step has (models.md, "Debug tensors"). */
function floatsOfStep({ type, config }: Model): number {
  const { numLayers, nrCells, cellSize, readHeads, sparseReads, temporalReads } = config;
  const perHead = type === "sdnc" ? sparseReads + 2 * temporalReads : sparseReads;
  const visible = readHeads * perHead + 1;
  const links = type === "dnc" ? nrCells * nrCells : visible * (cellSize + 1) + (type === "sdnc" ? 2 * visible * visible : 0);
  return numLayers * (nrCells * (cellSize + readHeads + 3) + links);
}

/** A tensor without its batch axis of 1. */
function first({ data, shape }: Tensor): Tensor {
  return { data, shape: shape.length > 1 ? shape.slice(1) : shape };
}

/** Where a task gives no mask, all counts that its readout reads. */
function fullMask({ shape }: Tensor, task: Task, mask: Tensor | undefined): Tensor {
  const [, time = 0, size = 0] = shape;
  const data = new Float32Array(time * size);
  for (let t = 0; t < time; t++) {
    const counts = mask === undefined ? task.readout !== "last" || t === time - 1 : mask.data[t] !== 0;
    data.fill(counts ? 1 : 0, t * size, (t + 1) * size);
  }
  return { data, shape: [time, size] };
}

/** False for a model that is about to diverge: such a trace can't be written. */
export function isFiniteTrace({ debug, output }: MemoryTrace): boolean {
  return [...debug.values(), output].every(({ data }) => data.every((value) => Number.isFinite(value)));
}

/** A trace as the bytes of a safetensors file. */
export function traceFile({ debug, input, target, output, mask }: MemoryTrace, model: Model, task: Task, iteration: number): Uint8Array {
  const tensors = new Map<string, Tensor>([...debug].map(([name, tensor]) => [`debug.${name}`, tensor]));
  for (const [name, tensor] of Object.entries({ input, target, output, mask })) tensors.set(name, tensor);
  return writeSafetensors(tensors, {
    model: model.type,
    config: JSON.stringify(model.config),
    task: task.name,
    iteration: String(iteration),
  });
}

function drawMemory({ debug, mask }: MemoryTrace, model: Model, columns: number): string {
  const { numLayers, nrCells } = model.config;
  const [written, read] = ["write_weights", "read_weights"].map((name) => debug.get(name));
  if (written === undefined || read === undefined) return "";
  const writes = weightsOverTime(written, numLayers, nrCells);
  const reads = weightsOverTime(read, numLayers, nrCells);
  const cells = cellsByFirstWrite(writes, reads);
  if (cells.length === 0) return "The memory was not used.";
  const [time = 0, size = 0] = mask.shape;
  const asked = Array.from({ length: time }, (_, t) => mask.data[t * size] === 1);
  const left = drawWeights("cell  where it wrote", writes, cells, asked);
  const right = drawWeights("cell  how it read back", reads, cells, asked);
  return [...sideBySide(left, right, columns), "A row each memory cell used, a column each step; ▲ where an answer is asked for."].join(
    "\n",
  );
}
