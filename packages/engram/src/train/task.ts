// What the trainer, the command line and the dashboard need of a task: batches to learn from, and a score for what came out.
// The three tasks of `engram/tasks` are written against this interface, and so can yours be (examples/own-task.js).
import type { Random } from "../random.js";
import type { Tensor } from "../tensor.js";
import type { LossName, Readout } from "./losses.js";

/** Examples to learn from: what `Trainer.step` takes. */
export interface Batch {
  /** [B, T, X] */
  readonly input: Tensor;
  /** [B, T, O], or [B] where the readout is 'sum' or 'last'. */
  readonly target: Tensor;
  /** What counts in loss and score, 0 or 1: [B, T], or [B, T, O]. Left out: everything within `lengths`. */
  readonly mask?: Tensor;
  /** Valid steps of each element, [B]. Left out: all T. */
  readonly lengths?: ArrayLike<number>;
}

/** Numbers that say how good some outputs are, by name. */
export interface Score {
  /** Fraction of answers (bits, numbers, whatever the task asks for) that are right: 0 … 1. */
  readonly accuracy: number;
  readonly [name: string]: number;
}

/** Something to learn, in batches without end. */
export interface Task {
  readonly name: string;
  /** X, values of an input step. */
  readonly inputSize: number;
  /** O, values of an output step. */
  readonly outputSize: number;
  readonly loss: LossName;
  /** What of the outputs [B, T, O] is the answer: each step, their sum over time and channels, or the sum of the last step's channels. */
  readonly readout: Readout;
  /** The shortest length that makes sense [1]; training draws each batch's length from here to its maximum. */
  readonly minLength?: number;
  /** The longest length to train on where nothing else is said [8]. */
  readonly maxLength?: number;
  /**
   * Makes a batch. The same generator state gives the same batch; all randomness comes from `rng`.
   * @param length how long the sequences are, in the task's own measure (the steps T may be more)
   */
  batch(rng: Random, batchSize: number, length: number): Batch;
  /**
   * Says how good the model's outputs are.
   * @param output what the model gave for `batch.input`, [B, T, O]
   */
  score(output: Tensor, batch: Batch): Score;
}
