// Argmax: see a sequence of one-hot numbers, and say at which position the largest stood. The answer is the sum of the channels of
// the last step, the one with the end marker.
import type { Random } from "../random.js";
import type { Tensor } from "../tensor.js";
import type { Batch, Task } from "../train/task.js";
import { checkBatch, checkInputSize } from "./checks.js";
import { type NumberScore, numberBatch, scoreNumbers } from "./numbers.js";

export class ArgmaxTask implements Task {
  readonly name = "argmax";
  readonly inputSize: number;
  /** As many as the input, as in the Python package; they are summed. */
  readonly outputSize: number;
  readonly loss = "meanSquaredError";
  readonly readout = "last";
  readonly minLength = 2;
  readonly maxLength = 15;

  /** @param inputSize X, so that the numbers are 0 … X-2; 2 or more [10] */
  constructor(inputSize = 10) {
    this.inputSize = checkInputSize(this.name, inputSize);
    this.outputSize = inputSize;
  }

  /** Sequences of `length` numbers, and the position (from 0) of the largest, the first of equals: input [B, length+1, X], target [B]. */
  batch(rng: Random, batchSize: number, length: number): Batch {
    checkBatch(this.name, rng, batchSize, length);
    return numberBatch(rng, batchSize, length, this.inputSize, (numbers) =>
      numbers.reduce((best, number, t) => (number > (numbers[best] as number) ? t : best), 0),
    );
  }

  score(output: Tensor, batch: Batch): NumberScore {
    return scoreNumbers(output, batch, this.readout);
  }
}
