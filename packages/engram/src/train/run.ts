// Training on a task, batch after batch: what `Trainer.run` walks through.
import { mayWait } from "../engine/workerThreads.js";
import { ConfigError } from "../errors.js";
import type { ModelConfig } from "../models/options.js";
import { Random } from "../random.js";
import { didYouMean } from "../suggest.js";
import type { Curriculum } from "./curriculum.js";
import type { Task } from "./task.js";
import type { ResolvedTrainerOptions } from "./trainerOptions.js";
import type { StepResult, TrainingBatch } from "./trainingBatch.js";

export interface RunOptions {
  /** What to learn: its loss and readout must be the trainer's. */
  task: Task;
  /** Batches to train on. */
  iterations: number;
  /** B [32] */
  batchSize?: number;
  /** Longest sequences, in the task's own measure; each batch has a length drawn from the task's shortest to this one [the task's `maxLength`, or 8]. */
  maxLength?: number;
  /** Lets the longest length grow, in place of `maxLength`. */
  curriculum?: Curriculum;
  /** Where batches come from [one of the model's seed]. Hand in the same one again to go on with its numbers. */
  rng?: Random;
  /** Ends the run after the batch at hand. */
  signal?: AbortSignal;
  /** Milliseconds of training between two yields, after each of which others get their turn [50]. */
  yieldMs?: number;
}

export interface Progress {
  /** Batches of this run so far. */
  readonly iteration: number;
  /** Means over the batches since the last yield. */
  readonly loss: number;
  readonly gradNorm: number;
  /** Batches since the last yield. */
  readonly batches: number;
  /** What each of them gave, in order. */
  readonly steps: readonly StepResult[];
  /** Longest length in use. */
  readonly maxLength: number;
  readonly iterationsPerSecond: number;
}

/** What a run needs of a trainer. */
export interface Steps {
  readonly model: { readonly config: ModelConfig };
  readonly options: Pick<ResolvedTrainerOptions, "loss" | "readout">;
  ready(): Promise<void>;
  step(batch: TrainingBatch): StepResult;
  stepAsync(batch: TrainingBatch): Promise<StepResult>;
}

/** Stream of the model's seed that batches are drawn from, unless the caller has a generator. */
const BATCH_STREAM = 1;

/** @throws {ConfigError} when task, trainer and model do not fit each other, before anything is trained */
export async function* run(trainer: Steps, options: RunOptions): AsyncGenerator<Progress, void, undefined> {
  checkRun(trainer, options);
  const { task, iterations, batchSize = 32, curriculum, signal, yieldMs = 50 } = options;
  const rng = options.rng ?? new Random(trainer.model.config.seed, BATCH_STREAM);
  const { batchFirst } = trainer.model.config;
  if (!batchFirst) throw new ConfigError("Trainer.run: tasks make batches [B, T, …]; make the model with batchFirst: true");
  await trainer.ready();
  const summary = new Summary();
  for (let iteration = 1; iteration <= iterations && !signal?.aborted; iteration++) {
    const maxLength = curriculum?.maxLength ?? options.maxLength ?? task.maxLength ?? 8;
    const minLength = Math.min(task.minLength ?? 1, maxLength);
    const batch = task.batch(rng, batchSize, rng.integer(minLength, maxLength + 1));
    const result = mayWait() ? trainer.step(batch) : await trainer.stepAsync(batch);
    curriculum?.update(result.loss);
    summary.add(result);
    if (summary.milliseconds < yieldMs && iteration < iterations && !signal?.aborted) continue;
    yield summary.take(iteration, maxLength);
    await nextTurn();
    summary.restart();
  }
}

/** Lets key presses, signals and redraws in; a timer would wait a millisecond at least. */
function nextTurn(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => void };
  return new Promise((resolve) => (setImmediate === undefined ? setTimeout(resolve) : setImmediate(resolve)));
}

class Summary {
  private since = performance.now();
  private steps: StepResult[] = [];

  get milliseconds(): number {
    return performance.now() - this.since;
  }

  add(step: StepResult): void {
    this.steps.push(step);
  }

  take(iteration: number, maxLength: number): Progress {
    const { steps } = this;
    const batches = steps.length;
    const iterationsPerSecond = (1000 * batches) / Math.max(this.milliseconds, 1e-3);
    const mean = (value: (step: StepResult) => number) => steps.reduce((sum, step) => sum + value(step), 0) / batches;
    return {
      iteration,
      loss: mean((step) => step.loss),
      gradNorm: mean((step) => step.gradNorm),
      batches,
      steps,
      maxLength,
      iterationsPerSecond,
    };
  }

  restart(): void {
    this.since = performance.now();
    this.steps = [];
  }
}

const known = ["task", "iterations", "batchSize", "maxLength", "curriculum", "rng", "signal", "yieldMs"] satisfies (keyof RunOptions)[];

function checkRun({ model, options: own }: Steps, options: RunOptions): void {
  const unknown = Object.keys(options ?? {}).find((name) => !(known as string[]).includes(name));
  if (unknown !== undefined) {
    throw new ConfigError(`Trainer.run: unknown option '${unknown}'${didYouMean(unknown, known)} (known: ${known.join(", ")})`);
  }
  const { task, iterations, batchSize = 32, maxLength = 1, yieldMs = 0 } = options ?? {};
  if (!(typeof yieldMs === "number" && yieldMs >= 0))
    throw new ConfigError(`Trainer.run: yieldMs must be a number of 0 or more, got ${yieldMs}`);
  for (const [name, value] of Object.entries({ iterations, batchSize, maxLength })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new ConfigError(`Trainer.run: ${name} must be a whole number of 1 or more, got ${value}`);
  }
  if (task?.batch === undefined) throw new ConfigError("Trainer.run: task is required, such as createTask('copy') of engram/tasks");
  const { inputSize, outputSize } = model.config;
  if (task.inputSize !== inputSize || task.outputSize !== outputSize) {
    throw new ConfigError(
      `Trainer.run: the task '${task.name}' has inputSize ${task.inputSize} and outputSize ${task.outputSize}, the model ${inputSize} and ${outputSize}`,
    );
  }
  if (task.loss !== own.loss || task.readout !== own.readout) {
    throw new ConfigError(
      `Trainer.run: the task '${task.name}' needs loss '${task.loss}' and readout '${task.readout}', the trainer has '${own.loss}' and '${own.readout}'`,
    );
  }
}
