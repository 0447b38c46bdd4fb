// A benchmark of something wrong is worth nothing: what must hold before a case is timed.
import { tensor } from "engram";
import { referenceForward } from "./reference.js";
import { randomBits } from "./subjectData.js";

const referenceSteps = 10;
/** float32 against float64 over a few steps; the golden cases ask for as much. */
const tolerance = 2e-5;

/** Rows of one element, the first `steps` time steps, of a [B, T, width] tensor. */
function rowsOf({ data, shape: [, T, width] }, element, steps) {
  return Array.from({ length: steps }, (_, t) => data.slice((element * T + t) * width, (element * T + t + 1) * width));
}

function largestDifference(got, want, where) {
  let worst = 0;
  for (const [t, row] of want.entries()) {
    for (const [o, value] of row.entries()) {
      const off = Math.abs(got[t][o] - value) / Math.max(1, Math.abs(value));
      if (!(off <= tolerance)) throw new Error(`${where}: output ${o} of step ${t} is ${got[t][o]}, not ${value}`);
      worst = Math.max(worst, off);
    }
  }
  return worst;
}

/**
 * The forward pass of the whole batch agrees with float64, and each element of it with itself alone, bit for bit.
 * @returns the largest relative difference from float64
 */
export function checkAgainstReference({ model: kind, batchSize: B, sequenceLength }, model) {
  const { inputSize: X } = model.config;
  const T = Math.min(sequenceLength, referenceSteps);
  const wasTraining = model.training;
  model.eval();
  const input = randomBits([B, T, X], 3);
  const { output } = model.forward(input, undefined, { resetExperience: true });
  const last = B - 1;
  const alone = tensor(input.data.slice(last * T * X), [1, T, X]);
  const { output: outputAlone } = model.forward(alone, undefined, { resetExperience: true });
  const width = output.shape[2];
  outputAlone.data.forEach((value, i) => {
    if (value !== output.data[last * T * width + i]) throw new Error("the last element of the batch differs from itself alone");
  });
  if (wasTraining) model.train();
  const reference = referenceForward(kind, model.config, model.parameters(), rowsOf(input, 0, T));
  return largestDifference(rowsOf(output, 0, T), reference, "against float64");
}

/** A few training steps on one batch: losses finite and falling. */
export function checkLearning(trainer, input, target) {
  const losses = [1, 2, 3, 4].map(() => trainer.step({ input, target }).loss);
  if (!losses.every(Number.isFinite)) throw new Error(`a loss is not finite: ${losses}`);
  if (!(losses.at(-1) < losses[0])) throw new Error(`the loss does not fall: ${losses}`);
  return losses;
}
