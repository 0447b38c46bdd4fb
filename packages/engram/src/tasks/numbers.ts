// What adding and argmax share: sequences of one-hot numbers with an end marker, and answers that are one number a sequence.
import { ShapeError } from "../errors.js";
import type { Random } from "../random.js";
import type { Tensor } from "../tensor.js";
import type { Readout } from "../train/losses.js";
import type { Batch, Score } from "../train/task.js";

/** How near the answers of adding and argmax came. */
export interface NumberScore extends Score {
  /** Fraction of the answers that are right when rounded to the nearest whole number. */
  readonly accuracy: number;
  /** Mean of |answer - target|. */
  readonly meanAbsoluteError: number;
  /** Σ |answer - target| / Σ |target|; where every target is 0, the mean absolute error. */
  readonly relativeError: number;
}

/**
 * Sequences of `length` random numbers 0 … inputSize-2 and an end marker on the last channel, one-hot: input [B, length+1, X].
 * @param answer the target for one sequence's numbers
 */
export function numberBatch(
  rng: Random,
  batchSize: number,
  length: number,
  inputSize: number,
  answer: (numbers: readonly number[]) => number,
): Batch {
  const time = length + 1;
  const input = new Float32Array(batchSize * time * inputSize);
  const target = new Float32Array(batchSize);
  for (let b = 0; b < batchSize; b++) {
    const numbers = Array.from({ length }, () => rng.integer(0, inputSize - 1));
    for (const [t, channel] of [...numbers, inputSize - 1].entries()) input[(b * time + t) * inputSize + channel] = 1;
    target[b] = answer(numbers);
  }
  return { input: { data: input, shape: [batchSize, time, inputSize] }, target: { data: target, shape: [batchSize] } };
}

/** One answer for each sequence from the outputs [B, T, O]: summed over time and channels, or over the channels of its last step. */
export function readAnswers(output: Tensor, readout: Exclude<Readout, "each">, lengths?: ArrayLike<number>): number[] {
  const [batchSize = 0, time = 0, size = 0] = output.shape;
  return Array.from({ length: batchSize }, (_, b) => {
    const steps = lengths?.[b] ?? time;
    const from = (b * time + (readout === "sum" ? 0 : steps - 1)) * size;
    let sum = 0;
    for (let i = from; i < (b * time + steps) * size; i++) sum += output.data[i] as number;
    return sum;
  });
}

/** Compares answers with targets. NaN is never right. */
export function scoreNumbers(output: Tensor, { target, lengths }: Batch, readout: Exclude<Readout, "each">): NumberScore {
  const batchSize = target.data.length;
  if (output.shape.length !== 3 || output.shape[0] !== batchSize) {
    throw new ShapeError(`score: output must be [B, T, O] with B = ${batchSize} as the target has, got [${output.shape}]`);
  }
  let error = 0;
  let size = 0;
  let right = 0;
  for (const [b, answer] of readAnswers(output, readout, lengths).entries()) {
    const wanted = target.data[b] as number;
    const off = Math.abs(answer - wanted);
    error += off;
    size += Math.abs(wanted);
    if (off < 0.5) right++;
  }
  return { accuracy: right / batchSize, meanAbsoluteError: error / batchSize, relativeError: error / (size > 0 ? size : batchSize) };
}
