// Whether a model needs its memory: its scores as it is, with all it reads zeroed, and with half the cells, on the very same sequences.
import { createModel } from "../models/createModel.js";
import type { Model } from "../models/model.js";
import { ownOptions, type SDNCOptions } from "../models/options.js";
import { Random } from "../random.js";
import { type EvaluatedModel, type EvaluateOptions, evaluate } from "./evaluate.js";
import type { Score, Task } from "./task.js";

/** What a model scores with its memory, without it, and with less of it. */
export interface Ablation {
  readonly asIs: Score;
  readonly readsZeroed: Score;
  /** Undefined for a memory of one cell. */
  readonly halfTheCells: Score | undefined;
}

/** Accuracy that must be lost with the reads for the memory to count as needed: chance alone moves some hundred sequences by less. */
const NEEDED = 0.05;

/**
 * Scores a model with parts of its memory taken away. What is taken away is what the trained weights rely on: that a model
 * fails without its reads does not say that one trained without a memory would.
 * @param options as for `evaluate`, and every score is of the sequences that `evaluate` would try; `rng` ends up where it would then
 */
export async function ablate(model: Model, task: Task, options: EvaluateOptions): Promise<Ablation> {
  const start = options.rng.state();
  const again = () => ({ ...options, rng: Random.from(start) });
  const asIs = await evaluate(model, task, options);
  const readsZeroed = await evaluate(withoutReads(model), task, again());
  const half = withHalfTheCells(model);
  if (half === undefined) return { asIs, readsZeroed, halfTheCells: undefined };
  try {
    return { asIs, readsZeroed, halfTheCells: await evaluate(half, task, again()) };
  } finally {
    half.dispose();
  }
}

/** Whether the answers are worse without reads, by more than chance would have it. */
export function needsMemory({ asIs, readsZeroed }: Pick<Ablation, "asIs" | "readsZeroed">): boolean {
  return asIs.accuracy - readsZeroed.accuracy > NEEDED;
}

/**
 * The model as it would be if all it read were zero, at every step and in its output. The memory is left out altogether then: what
 * is written has no way to the outputs but by being read. A view of the model, with its weights and its mode.
 */
export function withoutReads(model: Model): EvaluatedModel {
  return {
    config: model.config,
    get training() {
      return model.training;
    },
    train: () => model.train(),
    eval: () => model.eval(),
    forward: (input, _, options) => model.forward(input, undefined, { ...options, passThroughMemory: false }),
  };
}

/**
 * A model of the same weights, none of which depends on the number of cells, and half of them (rounded down). A sparse one reads no
 * more cells than there are. Dispose of it when done.
 * @returns undefined for a memory of one cell
 */
export function withHalfTheCells(model: Model): Model | undefined {
  const { type, config } = model;
  const nrCells = Math.floor(config.nrCells / 2);
  if (nrCells === 0) return undefined;
  const options: Partial<SDNCOptions> = ownOptions(type, config);
  const sparse = type === "dnc" ? {} : { sparseReads: Math.min(config.sparseReads, nrCells) };
  const half = createModel(type, { ...(options as SDNCOptions), ...sparse, nrCells, debug: false });
  half.loadStateDict(model.stateDict());
  return half;
}
