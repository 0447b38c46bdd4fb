// What callers give a training step, and what it gives back.
import { ShapeError } from "../errors.js";
import { checkTensor, type TensorLike } from "../models/inputs.js";
import type { ModelConfig } from "../models/options.js";
import type { Tensor } from "../tensor.js";

/** Examples to learn from. Inputs, targets and masks are tensors or nested arrays, batch first or not as the model is. */
export interface TrainingBatch {
  /** [B, T, X] */
  readonly input: TensorLike;
  /** [B, T, O] (softmaxCrossEntropy also [B, T] class numbers), or [B] with readout 'sum' or 'last'. */
  readonly target: TensorLike;
  /** [B, T] or [B, T, O], or [B] with readout 'sum' or 'last' [ones within `lengths`]. */
  readonly mask?: TensorLike | undefined;
  /** Valid steps of each element [B] [all T]. */
  readonly lengths?: ArrayLike<number> | undefined;
}

export interface StepResult {
  /** Σ m·l / Σ m over the batch, before the update. */
  readonly loss: number;
  /** Norm of all gradients together, before clipping. */
  readonly gradNorm: number;
}

/** A batch's input with B and T. @throws {ShapeError} for what is no batch, or an input that does not fit */
export function readInput(where: string, batch: TrainingBatch, { batchFirst, inputSize }: Pick<ModelConfig, "batchFirst" | "inputSize">) {
  if (typeof batch !== "object" || batch === null) throw new ShapeError(`${where}: expected { input, target }, got ${String(batch)}`);
  const letters = batchFirst ? ["B", "T"] : ["T", "B"];
  const axes = [...letters.map((letter) => ({ letter })), { letter: "X", size: inputSize, from: "inputSize" }];
  const x = checkTensor(`${where}: input`, batch.input, axes);
  const [first, second] = x.shape as [number, number];
  return { x, batchSize: batchFirst ? first : second, steps: batchFirst ? second : first };
}

/**
 * A target or a mask, of any rank: whether its shape fits, the loss says.
 * @param legend axes to name where it is no tensor at all, such as "B, T, O"
 * @throws {ShapeError} for what is no tensor and no nested array of numbers
 */
export function readLossTensor(what: string, value: TensorLike, legend: string): Tensor {
  const rank = nestedRank(value);
  const letters = rank === 0 ? legend.split(", ") : Array.from({ length: rank }, (_, i) => `axis ${i}`);
  return checkTensor(
    what,
    value,
    letters.map((letter) => ({ letter })),
  );
}

/** Axes of a tensor or of nested arrays; 0 for what is neither. */
function nestedRank(value: TensorLike): number {
  if (!Array.isArray(value)) return (value as Tensor)?.shape?.length ?? 0;
  let rank = 0;
  for (let level: unknown = value; Array.isArray(level); level = level[0]) rank++;
  return rank;
}
