// Copy (Graves et al. 2014, Neural Turing Machines): see a sequence of random bits, then repeat it from memory.
//
//   step     0 … L-1        L           L+1 … 2L
//   input    bits, 0        0 … 0, 1    zeros
//   target   (not asked)    (not asked) the bits of steps 0 … L-1
//   mask     0              0           1
import { ShapeError } from "../errors.js";
import type { Random } from "../random.js";
import type { Tensor } from "../tensor.js";
import type { Batch, Score, Task } from "../train/task.js";
import { checkBatch, checkInputSize } from "./checks.js";

/** How well sequences were copied. */
export interface CopyScore extends Score {
  /** Fraction of the asked bits that are right. */
  readonly accuracy: number;
  /** Fraction of the sequences with every asked bit right. */
  readonly sequenceAccuracy: number;
}

export class CopyTask implements Task {
  readonly name = "copy";
  readonly inputSize: number;
  /** One channel fewer than the input, which has the end marker besides the bits. */
  readonly outputSize: number;
  readonly loss = "binaryCrossEntropyWithLogits";
  readonly readout = "each";
  readonly minLength = 1;
  readonly maxLength = 4;

  /** @param inputSize X, the number of bits a step and the channel of the end marker; 2 or more [6] */
  constructor(inputSize = 6) {
    this.inputSize = checkInputSize(this.name, inputSize);
    this.outputSize = inputSize - 1;
  }

  /** Sequences of `length` random steps: input [B, 2L+1, X], target [B, 2L+1, X-1], mask [B, 2L+1]. */
  batch(rng: Random, batchSize: number, length: number): Batch {
    checkBatch(this.name, rng, batchSize, length);
    const { inputSize, outputSize } = this;
    const time = 2 * length + 1;
    const input = new Float32Array(batchSize * time * inputSize);
    const target = new Float32Array(batchSize * time * outputSize);
    const mask = new Float32Array(batchSize * time);
    for (let b = 0; b < batchSize; b++) {
      const first = b * time;
      for (let t = 0; t < length; t++) {
        for (let channel = 0; channel < outputSize; channel++) {
          const bit = rng.bit();
          input[(first + t) * inputSize + channel] = bit;
          target[(first + length + 1 + t) * outputSize + channel] = bit;
        }
      }
      input[(first + length) * inputSize + outputSize] = 1; // the end marker
      mask.fill(1, first + length + 1, first + time);
    }
    return {
      input: { data: input, shape: [batchSize, time, inputSize] },
      target: { data: target, shape: [batchSize, time, outputSize] },
      mask: { data: mask, shape: [batchSize, time] },
    };
  }

  /** A positive output means 1. Steps that the mask leaves out do not count. */
  score(output: Tensor, { target, mask }: Batch): CopyScore {
    const [batchSize = 0, time = 0, size = 0] = target.shape;
    if (output.shape.join() !== target.shape.join() || output.data.length !== target.data.length) {
      throw new ShapeError(`copy: output must be [B, T, O] as the target [${target.shape}], got [${output.shape}]`);
    }
    let asked = 0;
    let right = 0;
    let sequencesRight = 0;
    for (let b = 0; b < batchSize; b++) {
      const [askedHere, rightHere] = countBits(output.data, target.data, mask?.data, b * time, time, size);
      asked += askedHere;
      right += rightHere;
      if (rightHere === askedHere) sequencesRight++;
    }
    return { accuracy: asked === 0 ? 1 : right / asked, sequenceAccuracy: sequencesRight / batchSize };
  }
}

/** Asked and right bits of `steps` steps from `first`. NaN is never right. */
function countBits(
  output: Float32Array,
  target: Float32Array,
  mask: Float32Array | undefined,
  first: number,
  steps: number,
  size: number,
): [asked: number, right: number] {
  let asked = 0;
  let right = 0;
  for (let row = first; row < first + steps; row++) {
    if (mask?.[row] === 0) continue;
    asked += size;
    for (let i = row * size; i < (row + 1) * size; i++) {
      const value = output[i] as number;
      if (target[i] === 1 ? value > 0 : value <= 0) right++;
    }
  }
  return [asked, right];
}
