// How good a model is at a task: scores on fresh sequences, of the lengths it was trained on or longer ones.
import { ConfigError } from "../errors.js";
import type { Random } from "../random.js";
import type { Tensor } from "../tensor.js";
import type { Batch, Score, Task } from "./task.js";

/** What an evaluation needs of a model; DNC, SAM and SDNC have it. */
export interface EvaluatedModel {
  /** Sequences come as [B, T, …]. */
  readonly config?: { readonly batchFirst: boolean };
  readonly training: boolean;
  train(): unknown;
  eval(): unknown;
  forward(input: Tensor, state?: undefined, options?: { lengths?: ArrayLike<number> }): { readonly output: Tensor };
}

export interface EvaluateOptions {
  /** The lengths to try; each gets the same number of sequences. */
  readonly lengths: readonly number[];
  /** Sequences of each length [100]. */
  readonly samples?: number;
  /** Where the sequences come from. */
  readonly rng: Random;
  /** Gives up with the signal's reason when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Sequences at a time. Of long ones fewer, so that the engine's memory does not grow for an evaluation's sake. */
const BATCH = 100;
const STEPS_AT_A_TIME = 20_000;
/** Others get their turn (a key press, a page's redraw) this often. */
const TURN_MS = 30;

/**
 * Mean scores of a model over fresh sequences, in evaluation mode; the model's mode is afterwards what it was.
 * @throws {ConfigError} for a model with batchFirst: false, and for no lengths or samples
 * @returns the task's scores, each the mean over all sequences
 */
export async function evaluate(model: EvaluatedModel, task: Task, options: EvaluateOptions): Promise<Score> {
  const sums = new Map<string, number>();
  let sequences = 0;
  for await (const { score, batchSize } of scores(model, task, options)) {
    for (const [name, value] of Object.entries(score)) sums.set(name, (sums.get(name) ?? 0) + batchSize * value);
    sequences += batchSize;
  }
  return Object.fromEntries([...sums].map(([name, sum]) => [name, sum / sequences])) as unknown as Score;
}

/**
 * Whether every answer is right, on fresh sequences of all lengths. Stops at the first wrong one; starts with the longest.
 * @param options `samples` sequences of each length must be right
 */
export async function isSolved(model: EvaluatedModel, task: Task, options: EvaluateOptions): Promise<boolean> {
  const lengths = [...options.lengths].sort((a, b) => b - a);
  for await (const { score } of scores(model, task, { ...options, lengths })) {
    if (score.accuracy < 1) return false;
  }
  return true;
}

interface BatchScore {
  readonly score: Score;
  readonly batchSize: number;
}

async function* scores(model: EvaluatedModel, task: Task, options: EvaluateOptions): AsyncGenerator<BatchScore> {
  const { lengths, samples = BATCH, rng, signal } = options;
  if (model.config?.batchFirst === false) {
    throw new ConfigError("evaluate: tasks make batches [B, T, …]; make the model with batchFirst: true, its weights are the same");
  }
  if (lengths.length === 0 || !(samples >= 1))
    throw new ConfigError(`evaluate: needs a length and a sample or more, got [${lengths}] and ${samples}`);
  let turn = performance.now();
  for (const length of lengths) {
    const atATime = Math.max(1, Math.min(BATCH, Math.floor(STEPS_AT_A_TIME / (2 * length + 1))));
    for (let done = 0; done < samples; done += atATime) {
      const batchSize = Math.min(atATime, samples - done);
      yield { score: scoreOf(model, task, task.batch(rng, batchSize, length)), batchSize };
      if (performance.now() - turn > TURN_MS) {
        await new Promise((resolve) => setTimeout(resolve));
        turn = performance.now();
      }
      signal?.throwIfAborted();
    }
  }
}

function scoreOf(model: EvaluatedModel, task: Task, batch: Batch): Score {
  const wasTraining = model.training;
  model.eval();
  try {
    const { output } = model.forward(batch.input, undefined, batch.lengths === undefined ? {} : { lengths: batch.lengths });
    return task.score(output, batch);
  } finally {
    if (wasTraining) model.train();
  }
}
