// The norm of all gradients together: found, seen to be finite, and bounded.
import { NumericError } from "../errors.js";
import type { Core } from "../models/core.js";

/**
 * Norm of all gradients.
 * @param squares Σ g² of each part of them
 * @param loss where the trainer computed it
 * @throws {NumericError} naming what is not finite: a weight, else the loss, else a gradient
 */
export function finiteNorm(core: Core, squares: Float64Array, step: number, loss: number | undefined): number {
  let sum = 0;
  for (const square of squares) sum += square;
  const norm = Math.sqrt(sum);
  if (Number.isFinite(norm) && (loss === undefined || Number.isFinite(loss))) return norm;
  throw notFinite(core, step, loss, norm);
}

/** What gradients of this norm are multiplied with, as by torch.nn.utils.clip_grad_norm_, the guard against division by zero included. */
export function clipShare(norm: number, clipGradNorm: number | undefined): number {
  return clipGradNorm === undefined ? 1 : Math.min(1, clipGradNorm / (norm + 1e-6));
}

function notFinite({ engine, weights, network }: Core, step: number, loss: number | undefined, norm: number): NumericError {
  const find = (base: number) =>
    network.parameters.find(({ offset, count }) => engine.kernels.firstNonFinite(base + 4 * offset, count) >= 0)?.name;
  const advice = "weights and optimizer are as before this step; lower the learning rate, clip gradients, or go back to a checkpoint";
  const weight = find(weights.values);
  if (weight !== undefined) return new NumericError(`step ${step}: the weight ${weight} is not finite; load good weights`, weight, step);
  if (loss !== undefined && !Number.isFinite(loss)) return new NumericError(`step ${step}: the loss is ${loss}; ${advice}`, "loss", step);
  const gradient = find(weights.gradients);
  const what = gradient === undefined ? `the gradient norm is ${norm}` : `the gradient of ${gradient} is not finite`;
  return new NumericError(`step ${step}: ${what}; ${advice}`, gradient ?? "gradients", step);
}
