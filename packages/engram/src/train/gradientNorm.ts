// The norm of all gradients together: found, seen to be finite, and bounded.
import { NumericError } from "../errors.js";
import type { Core } from "../models/core.js";
import type { ResolvedTrainerOptions } from "./trainerOptions.js";

/**
 * Norm of all gradients.
 * @param loss where the trainer computed it
 * @throws {NumericError} naming what is not finite: a weight, else the loss, else a gradient
 */
export function finiteNorm(core: Core, step: number, loss: number | undefined): number {
  const { engine, weights } = core;
  const norm = Math.sqrt(engine.kernels.sumOfSquares(weights.gradients, weights.count));
  if (Number.isFinite(norm) && (loss === undefined || Number.isFinite(loss))) return norm;
  throw notFinite(core, step, loss, norm);
}

/** As torch.nn.utils.clip_grad_norm_ and clip_grad_value_ do, the guard against division by zero included. */
export function clipGradients(
  core: Core,
  norm: number,
  { clipGradNorm, clipGradValue }: Pick<ResolvedTrainerOptions, "clipGradNorm" | "clipGradValue">,
): void {
  const { engine, weights } = core;
  const share = clipGradNorm === undefined ? 1 : clipGradNorm / (norm + 1e-6);
  if (share < 1) engine.kernels.scaleInPlace(weights.gradients, share, weights.count);
  if (clipGradValue !== undefined) engine.kernels.clampInPlace(weights.gradients, clipGradValue, weights.count);
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
