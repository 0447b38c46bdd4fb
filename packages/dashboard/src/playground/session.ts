// A model in training, as the playground's worker holds it. Knows nothing of pages, so that it can be tested anywhere.
import { CheckpointError, createModel, type Model, Random, type RandomState, type Tensor } from "engram";
import { readCheckpoint, saveCheckpoint } from "engram/files";
import { type Batch, createTask, type Score, type Task, type TaskName, taskNames } from "engram/tasks";
import {
  Curriculum,
  type CurriculumState,
  evaluate,
  isSolved,
  needsMemory,
  type Progress,
  Trainer,
  type TrainerState,
  withoutReads,
} from "engram/train";
import type { TraceHeader } from "../data/api.js";
import { type Pattern, patternBatch } from "./pattern.js";
import { modelOptions, optimizer, type Settings } from "./settings.js";

/** Streams of the seed, as the command line's. */
const DATA_STREAM = 1;
const SUMMARY_STREAM = 2;
const SOLVED_STREAM = 5;
const SUMMARY_SEQUENCES = 100;
const SUMMARY_LENGTHS = 10;
const SOLVED_SEQUENCES = 1000;
const YIELD_MS = 40;
const FOREVER = 2 ** 31;

/** What the command line keeps in a checkpoint beside model and trainer. */
interface RunState {
  readonly task: TaskName;
  readonly iteration: number;
  readonly curriculum: CurriculumState;
  readonly random: RandomState;
  readonly sinceSummary: Sums;
  readonly sinceCheckpoint: Sums;
  readonly best: null;
}

interface Sums {
  readonly loss: number;
  readonly gradNorm: number;
  readonly count: number;
}

const nothing: Sums = { loss: 0, gradNorm: 0, count: 0 };

/** One sequence with what the memory did: what a run's memory file holds. */
export interface SessionTrace {
  readonly header: TraceHeader;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly score: Score;
}

/** How well it does, with its memory and with all reads zeroed. */
export interface Summary {
  readonly line: Readonly<Record<string, number>>;
  readonly withoutReads: number;
  readonly needsMemory: boolean;
}

interface Parts {
  readonly settings: Settings;
  readonly task: Task;
  readonly model: Model;
  readonly trainer: Trainer;
  readonly curriculum: Curriculum;
  readonly random: Random;
  readonly iteration: number;
  readonly sums: Sums;
}

export class Session {
  readonly settings: Settings;
  readonly task: Task;
  readonly model: Model;
  readonly trainer: Trainer;
  readonly #curriculum: Curriculum;
  readonly #random: Random;
  readonly #watched: Model;
  #iteration: number;
  #sums: Sums;
  #seconds = 0;
  #summarized = { seconds: 0, iteration: 0 };

  private constructor({ settings, task, model, trainer, curriculum, random, iteration, sums }: Parts) {
    this.settings = settings;
    this.task = task;
    this.model = model;
    this.trainer = trainer;
    this.#curriculum = curriculum;
    this.#random = random;
    this.#iteration = iteration;
    this.#sums = sums;
    this.#summarized.iteration = iteration;
    this.#watched = createModel(model.type, { ...ownOptions(model), debug: true }).eval();
  }

  /** @throws {ConfigError} for settings that make no model */
  static start(settings: Settings, createWorker?: () => unknown): Session {
    const task = createTask(settings.task, { inputSize: settings.inputSize });
    const model = createModel(settings.model, modelOptions(settings, task.outputSize));
    const trainer = new Trainer(model, trainerOptions(settings, task, createWorker));
    const curriculum = new Curriculum({ start: Math.max(settings.maxLength, task.minLength ?? 1) });
    return new Session({
      settings,
      task,
      model,
      trainer,
      curriculum,
      random: new Random(settings.seed, DATA_STREAM),
      iteration: 0,
      sums: nothing,
    });
  }

  /**
   * Goes on from a checkpoint, this page's or the command line's.
   * @param settings what no checkpoint has: batch size, threads
   * @throws {CheckpointError} when the file is no checkpoint of a task known here
   */
  static load(bytes: Uint8Array, name: string, settings: Settings, createWorker?: () => unknown): Session {
    const { model, trainer: state, run } = readCheckpoint(bytes, name);
    const { task: taskName, iteration, curriculum, random, sinceSummary } = checkRun(run, name);
    const { inputSize, hiddenSize, nrCells, cellSize, readHeads, sparseReads, seed } = model.config;
    const task = createTask(taskName, { inputSize });
    const maxLength = curriculum.maxLength;
    const known = { model: model.type, task: taskName, inputSize, maxLength, hiddenSize, nrCells, cellSize, readHeads, sparseReads, seed };
    const all: Settings = { ...settings, ...known, learningRate: state.learningRate };
    return new Session({
      settings: all,
      task,
      model,
      trainer: resumed(model, all, task, state, createWorker),
      curriculum: new Curriculum({ start: maxLength }, curriculum),
      random: Random.from(random),
      iteration,
      sums: sinceSummary ?? nothing,
    });
  }

  get iteration(): number {
    return this.#iteration;
  }

  /** Training time, without looking at it. */
  get seconds(): number {
    return this.#seconds;
  }

  dispose(): void {
    this.trainer.dispose();
    this.model.dispose();
    this.#watched.dispose();
  }

  /** Trains, and yields every now and then so that others get their turn. */
  async *train(signal: AbortSignal, iterations = FOREVER): AsyncGenerator<Progress, void> {
    const { task, settings } = this;
    const options = { task, iterations, signal, batchSize: settings.batchSize, curriculum: this.#curriculum, rng: this.#random };
    for await (const progress of this.trainer.run({ ...options, yieldMs: YIELD_MS })) {
      this.#iteration += progress.batches;
      this.#seconds += progress.batches / progress.iterationsPerSecond;
      this.#sums = progress.steps.reduce<Sums>(
        (sums, { loss, gradNorm }) => ({ loss: sums.loss + loss, gradNorm: sums.gradNorm + gradNorm, count: sums.count + 1 }),
        this.#sums,
      );
      yield progress;
    }
  }

  /** A line of metrics as the command line's, and the accuracy without reading. */
  async summarize(): Promise<Summary> {
    const { task, model, settings } = this;
    const lengths = trainedLengths(task, this.#curriculum.maxLength, SUMMARY_LENGTHS);
    const samples = Math.ceil(SUMMARY_SEQUENCES / lengths.length);
    const sequences = () => ({ lengths, samples, rng: new Random(settings.seed + this.#iteration, SUMMARY_STREAM) });
    const score = await evaluate(model, task, sequences());
    const without = await evaluate(withoutReads(model), task, sequences());
    const { loss, gradNorm, count } = this.#sums;
    const since = this.#seconds - this.#summarized.seconds;
    const line = {
      iteration: this.#iteration,
      loss: loss / count,
      ...score,
      maxLength: this.#curriculum.maxLength,
      gradNorm: gradNorm / count,
      learningRate: this.trainer.learningRate,
      iterationsPerSecond: (this.#iteration - this.#summarized.iteration) / since,
      seconds: this.#seconds,
    };
    this.#sums = nothing;
    this.#summarized = { seconds: this.#seconds, iteration: this.#iteration };
    return { line, withoutReads: without.accuracy, needsMemory: needsMemory({ asIs: score, readsZeroed: without }) };
  }

  /** Whether every answer of a fresh thousand is right: of each length, as the command line asks. */
  isSolved(signal: AbortSignal): Promise<boolean> {
    const lengths = trainedLengths(this.task, this.#curriculum.maxLength, Number.POSITIVE_INFINITY);
    const samples = this.task.name === "copy" ? SOLVED_SEQUENCES : Math.ceil(SOLVED_SEQUENCES / lengths.length);
    return isSolved(this.model, this.task, { lengths, samples, rng: new Random(this.settings.seed, SOLVED_STREAM), signal });
  }

  /** Runs one sequence with the memory watched. The model in training is left alone. */
  trace(pattern: Pattern): SessionTrace {
    const { task, model } = this;
    const batch = patternBatch(pattern, task);
    this.#watched.loadStateDict(model.stateDict());
    const { output, debug = new Map<string, Tensor>() } = this.#watched.forward(batch.input);
    const tensors = new Map<string, Tensor>([...debug].map(([name, tensor]) => [`debug.${name}`, tensor]));
    for (const [name, tensor] of Object.entries({ input: batch.input, target: batch.target, output }))
      tensors.set(name, withoutBatch(tensor));
    tensors.set("mask", fullMask(output, task, batch));
    const shapes = Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]));
    const options = this.#watched.config as unknown as Readonly<Record<string, unknown>>;
    const header: TraceHeader = { iteration: this.#iteration, model: model.type, options, task: task.name, tensors: shapes, cells: null };
    return { header, tensors, score: task.score(output, batch) };
  }

  /** The bytes that `engram train` would write. */
  checkpoint(): Uint8Array {
    const run: RunState = {
      task: this.settings.task,
      iteration: this.#iteration,
      curriculum: this.#curriculum.state(),
      random: this.#random.state(),
      sinceSummary: this.#sums,
      sinceCheckpoint: nothing,
      best: null,
    };
    return saveCheckpoint(this.trainer, run);
  }
}

function trainerOptions({ learningRate, threads }: Settings, { loss, readout }: Task, createWorker: (() => unknown) | undefined) {
  return {
    ...optimizer,
    betas: [...optimizer.betas] as [number, number],
    learningRate,
    loss,
    readout,
    threads,
    ...(createWorker && { createWorker }),
  };
}

/** A checkpoint of another optimizer goes on with Adam from its weights. */
function resumed(model: Model, settings: Settings, task: Task, state: TrainerState, createWorker: (() => unknown) | undefined): Trainer {
  const options = trainerOptions(settings, task, createWorker);
  return state.optimizer.name === optimizer.optimizer ? Trainer.resume(model, options, state) : new Trainer(model, options);
}

function checkRun(run: unknown, name: string): RunState {
  const state = run as Partial<RunState> | undefined;
  const isOurs = typeof state?.iteration === "number" && typeof state.curriculum?.maxLength === "number" && state.random !== undefined;
  if (!isOurs) throw new CheckpointError(`${name}: a checkpoint, but not one of engram train or of this page`);
  if (!taskNames.includes(state.task as TaskName))
    throw new CheckpointError(`${name}: its task is '${state.task}'; here are ${taskNames.join(", ")}`);
  return state as RunState;
}

/** What a model of the same kind is made with. */
function ownOptions({ type, config }: Model) {
  const { sparseReads, index, temporalReads, temporalLinks, ...dense } = config;
  if (type === "dnc") return dense;
  const sparse = { ...dense, sparseReads, index };
  return type === "sam" ? sparse : { ...sparse, temporalReads, temporalLinks };
}

/** Lengths from the shortest to the longest, at most so many, evenly spread. */
export function trainedLengths(task: Task, maxLength: number, most: number): number[] {
  const shortest = Math.min(task.minLength ?? 1, maxLength);
  const span = maxLength - shortest;
  const number = Math.min(most, span + 1);
  return Array.from({ length: number }, (_, i) => (number === 1 ? maxLength : shortest + Math.round((i * span) / (number - 1))));
}

function withoutBatch({ data, shape }: Tensor): Tensor {
  return { data, shape: shape.length > 1 ? shape.slice(1) : shape };
}

/** Which outputs count, [T, O]: where the task has no mask, all that its readout reads. */
function fullMask({ shape }: Tensor, { readout }: Task, { mask }: Batch): Tensor {
  const [, time = 0, size = 0] = shape;
  const data = new Float32Array(time * size);
  for (let t = 0; t < time; t++) {
    const counts = mask === undefined ? readout !== "last" || t === time - 1 : mask.data[t] !== 0;
    data.fill(counts ? 1 : 0, t * size, (t + 1) * size);
  }
  return { data, shape: [time, size] };
}
