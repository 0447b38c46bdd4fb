// Adding: see a sequence of one-hot numbers, and give their sum. The answer is the sum of all outputs over time and channels, so
// that a network which has understood may add up as it goes; what it learns on short sequences holds on long ones.
import type { Random } from "../random.js";
import type { Tensor } from "../tensor.js";
import type { Batch, Task } from "../train/task.js";
import { checkBatch, checkInputSize } from "./checks.js";
import { type NumberScore, numberBatch, scoreNumbers } from "./numbers.js";

export class AddingTask implements Task {
  readonly name = "adding";
  readonly inputSize: number;
  /** As many as the input, as in the Python package; they are summed. */
  readonly outputSize: number;
  readonly loss = "meanSquaredError";
  readonly readout = "sum";
  readonly minLength = 2;
  readonly maxLength = 100;

  /** @param inputSize X, so that the numbers are 0 … X-2; 2 or more [3] */
  constructor(inputSize = 3) {
    this.inputSize = checkInputSize(this.name, inputSize);
    this.outputSize = inputSize;
  }

  /** Sequences of `length` numbers and their sums: input [B, length+1, X], target [B]. */
  batch(rng: Random, batchSize: number, length: number): Batch {
    checkBatch(this.name, rng, batchSize, length);
    return numberBatch(rng, batchSize, length, this.inputSize, (numbers) => numbers.reduce((sum, number) => sum + number, 0));
  }

  score(output: Tensor, batch: Batch): NumberScore {
    return scoreNumbers(output, batch, this.readout);
  }
}
