// Training on a task, batch after batch: what `Trainer.run` walks through.
import { ConfigError } from "../errors.js";
import { Random } from "../random.js";
import type { Curriculum } from "./curriculum.js";
import type { Task } from "./task.js";
import type { StepResult, Trainer } from "./trainer.js";

export interface RunOptions {
  /** What to learn: its loss and readout must be the trainer's. */
  task: Task;
  /** Batches to train on. */
  iterations: number;
  /** B [32] */
  batchSize?: number;
  /** Longest sequences, in the task's own measure; each batch has a length drawn from the task's shortest to this one [8]. */
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
  /** Longest length in use. */
  readonly maxLength: number;
  readonly iterationsPerSecond: number;
}

/** Stream of the model's seed that batches are drawn from, unless the caller has a generator. */
const BATCH_STREAM = 1;

/** @throws {ConfigError} when task, trainer and model do not fit each other, before anything is trained */
export async function* run(trainer: Trainer, options: RunOptions): AsyncGenerator<Progress, void, undefined> {
  checkRun(trainer, options);
  const { task, iterations, batchSize = 32, curriculum, signal, yieldMs = 50 } = options;
  const rng = options.rng ?? new Random(trainer.model.config.seed, BATCH_STREAM);
  const { batchFirst } = trainer.model.config;
  if (!batchFirst) throw new ConfigError("Trainer.run: tasks make batches [B, T, …]; make the model with batchFirst: true");
  await trainer.ready();
  const summary = new Summary();
  for (let iteration = 1; iteration <= iterations && !signal?.aborted; iteration++) {
    const maxLength = curriculum?.maxLength ?? options.maxLength ?? 8;
    const minLength = Math.min(task.minLength ?? 1, maxLength);
    const result = trainer.step(task.batch(rng, batchSize, rng.integer(minLength, maxLength + 1)));
    curriculum?.update(result.loss);
    summary.add(result);
    if (summary.milliseconds < yieldMs && iteration < iterations && !signal?.aborted) continue;
    yield summary.take(iteration, maxLength);
    await new Promise((resolve) => setTimeout(resolve));
    summary.restart();
  }
}

class Summary {
  private since = performance.now();
  private loss = 0;
  private gradNorm = 0;
  private batches = 0;

  get milliseconds(): number {
    return performance.now() - this.since;
  }

  add({ loss, gradNorm }: StepResult): void {
    this.loss += loss;
    this.gradNorm += gradNorm;
    this.batches++;
  }

  take(iteration: number, maxLength: number): Progress {
    const { batches } = this;
    const iterationsPerSecond = (1000 * batches) / Math.max(this.milliseconds, 1e-3);
    return { iteration, loss: this.loss / batches, gradNorm: this.gradNorm / batches, batches, maxLength, iterationsPerSecond };
  }

  restart(): void {
    this.since = performance.now();
    this.loss = this.gradNorm = this.batches = 0;
  }
}

function checkRun({ model, options: own }: Trainer, { task, iterations, batchSize = 32, maxLength = 8 }: RunOptions): void {
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
