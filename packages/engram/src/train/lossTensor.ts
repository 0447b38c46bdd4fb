// Targets and masks as callers give them: tensors or nested arrays, of any rank; whether the shape fits, the loss says.
import { checkTensor, type TensorLike } from "../models/inputs.js";
import type { Tensor } from "../tensor.js";

/**
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
