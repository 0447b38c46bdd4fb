// A training run as a safetensors file: the model as in model.ts, the trainer's tensors under `optimizer.`, and in the metadata what
// the trainer and its user need to go on exactly where they were.
import { CheckpointError } from "../errors.js";
import type { Model } from "../models/model.js";
import type { Tensor } from "../tensor.js";
import type { Trainer } from "../train/trainer.js";
import type { TrainerState } from "../train/trainerState.js";
import { CHECKPOINT_FORMAT, CHECKPOINT_VERSION, checkFormat, modelFrom, modelMetadata, OPTIMIZER, parseJson } from "./model.js";
import { readSafetensors, writeSafetensors } from "./safetensors.js";

/** What a checkpoint holds. */
export interface Checkpoint {
  /** Made from the file, in training mode. */
  readonly model: Model;
  /** For `Trainer.resume(model, options, trainer)`, with the options the trainer had. */
  readonly trainer: TrainerState;
  /** What the caller of `saveCheckpoint` added; undefined when nothing. */
  readonly run: unknown;
}

/**
 * A trainer and its model as the bytes of a safetensors file. The same training gives the same bytes.
 * @param run what else is needed to go on (a task's generator, a curriculum, …), as plain JSON
 * @throws {CheckpointError} when a weight, a moment or a number in `run` is not finite
 */
export function saveCheckpoint(trainer: Trainer, run?: unknown): Uint8Array {
  const { tensors: moments, ...rest } = trainer.state();
  const tensors = trainer.model.stateDict();
  for (const [name, tensor] of moments) tensors.set(`${OPTIMIZER}${name}`, tensor);
  return writeSafetensors(tensors, {
    format: CHECKPOINT_FORMAT,
    version: String(CHECKPOINT_VERSION),
    ...modelMetadata(trainer.model),
    trainer: finiteJson(rest, "trainer"),
    ...(run !== undefined && { run: finiteJson(run, "run") }),
  });
}

/**
 * What a file from `saveCheckpoint` holds.
 * @param source what to call the file in error messages
 * @throws {CheckpointError} when the file is truncated, corrupt, foreign or does not fit together
 */
export function readCheckpoint(bytes: Uint8Array, source = "checkpoint"): Checkpoint {
  const file = readSafetensors(bytes, source);
  const { metadata, tensors } = file;
  checkFormat(metadata, { [CHECKPOINT_FORMAT]: CHECKPOINT_VERSION }, source);
  const moments = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    if (name.startsWith(OPTIMIZER)) moments.set(name.slice(OPTIMIZER.length), tensor);
  }
  const rest = checkTrainer(parseJson(metadata.trainer, "trainer", source), moments, source);
  const run = metadata.run === undefined ? undefined : parseJson(metadata.run, "run", source);
  return { model: modelFrom(file, {}, source), trainer: { ...rest, tensors: moments }, run };
}

function checkTrainer(value: unknown, moments: ReadonlyMap<string, Tensor>, source: string): Omit<TrainerState, "tensors"> {
  const state = value as Partial<TrainerState> | null;
  for (const name of ["step", "learningRate", "forwards", "accumulated"] as const) {
    if (typeof state?.[name] !== "number") throw new CheckpointError(`${source}: corrupt: the trainer's ${name} is missing`);
  }
  const { carriedBatch } = state as TrainerState;
  if (carriedBatch !== undefined && !(Number.isSafeInteger(carriedBatch) && carriedBatch > 0)) {
    throw new CheckpointError(`${source}: corrupt: the states carried on are of batch size ${String(carriedBatch)}`);
  }
  for (const [name, { data }] of moments) {
    const bad = data.findIndex((number) => !Number.isFinite(number));
    if (bad >= 0) throw new CheckpointError(`${source}: ${OPTIMIZER}${name} is not finite at value ${bad}`);
  }
  return state as TrainerState;
}

/** JSON, which would silently turn NaN and infinity into null. */
function finiteJson(value: unknown, what: string): string {
  try {
    return JSON.stringify(value, (key, inner: unknown) => {
      if (typeof inner !== "number" || Number.isFinite(inner)) return inner;
      throw new CheckpointError(`saveCheckpoint: ${what}: ${key} is ${inner}; only finite numbers are written`);
    });
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(`saveCheckpoint: ${what} must be plain JSON: ${(cause as Error).message}`, { cause });
  }
}
