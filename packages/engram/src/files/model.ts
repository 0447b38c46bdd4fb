// A model as a safetensors file: weights under their state-dict names, so that PyTorch can read them, and in the metadata what kind
// of model it is and its options, so that one call makes it again.
import { CheckpointError, ConfigError, EngramError } from "../errors.js";
import { createModel, modelTypes } from "../models/createModel.js";
import type { Model } from "../models/model.js";
import { type ModelType, ownOptions, type SDNCOptions } from "../models/options.js";
import type { Tensor } from "../tensor.js";
import { readSafetensors, type SafetensorsFile, writeSafetensors } from "./safetensors.js";

const FORMAT = "engram-model";
const VERSION = 1;
/** Of checkpoint.ts, whose files hold a model too. */
export const CHECKPOINT_FORMAT = "engram-checkpoint";
export const CHECKPOINT_VERSION = 1;
/** What the names of an optimizer's tensors begin with in a checkpoint. */
export const OPTIMIZER = "optimizer.";

/** A model's kind and options, as text for a file's metadata. */
export function modelMetadata(model: Model): { readonly model: string; readonly config: string } {
  return { model: model.type, config: JSON.stringify(ownOptions(model.type, model.config)) };
}

/**
 * A model as the bytes of a safetensors file: its weights and its options. A state is no part of it.
 * @throws {CheckpointError} when a weight is not finite
 */
export function saveModel(model: Model): Uint8Array {
  return writeSafetensors(model.stateDict(), { format: FORMAT, version: String(VERSION), ...modelMetadata(model) });
}

/**
 * The model that a file from `saveModel` or `saveCheckpoint` holds: of the right class, with its options and weights, in training mode.
 * @param changes options to have otherwise, such as `{ debug: true }`; those that shape the weights must stay
 * @param source what to call the file in error messages
 * @throws {CheckpointError} when the file is truncated, corrupt, foreign or does not fit together
 */
export function loadModel(bytes: Uint8Array, changes: Partial<SDNCOptions> = {}, source = "model file"): Model {
  const file = readSafetensors(bytes, source);
  checkFormat(file.metadata, { [FORMAT]: VERSION, [CHECKPOINT_FORMAT]: CHECKPOINT_VERSION }, source);
  return modelFrom(file, changes, source);
}

/** Checks what a file's metadata says it is. @throws {CheckpointError} for another kind of file, or a version of the future */
export function checkFormat(metadata: Readonly<Record<string, string>>, formats: Readonly<Record<string, number>>, source: string): void {
  const { format, version } = metadata;
  const known = Object.keys(formats);
  if (format === undefined || !known.includes(format)) {
    const what = format === undefined ? "a safetensors file of another program" : `a file of format ${format}`;
    throw new CheckpointError(`${source}: this is ${what}, expected ${known.join(" or ")}; loadPyTorchWeights reads weights from PyTorch`);
  }
  const newest = formats[format] as number;
  const number = Number(version);
  if (!Number.isSafeInteger(number) || number < 1) throw new CheckpointError(`${source}: corrupt: its version is ${version}`);
  if (number > newest)
    throw new CheckpointError(`${source}: version ${number} of ${format}, this one reads up to ${newest}; upgrade engram`);
}

/** Makes the model that a file speaks of, and loads those of its tensors that are weights. */
export function modelFrom({ tensors, metadata }: SafetensorsFile, changes: Partial<SDNCOptions>, source: string): Model {
  const weights = new Map<string, Tensor>([...tensors].filter(([name]) => !name.startsWith(OPTIMIZER)));
  const type = metadata.model as ModelType;
  if (!modelTypes.includes(type))
    throw new CheckpointError(`${source}: holds a model of kind '${type}'; known are ${modelTypes.join(", ")}`);
  const options = parseJson(metadata.config, "config", source) as SDNCOptions;
  let model: Model | undefined;
  try {
    model = createModel(type, { ...options, ...changes });
    model.loadStateDict(weights);
    return model;
  } catch (error) {
    model?.dispose();
    if (error instanceof ConfigError && Object.keys(changes).length > 0) throw error; // of the caller's own changes, most likely
    // Also sizes of a model that no memory holds.
    if (error instanceof EngramError) {
      throw new CheckpointError(`${source}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** A piece of JSON from a file's metadata. @throws {CheckpointError} when it is missing or no JSON */
export function parseJson(text: string | undefined, key: string, source: string): unknown {
  if (text === undefined) throw new CheckpointError(`${source}: corrupt: it has no ${key} in its metadata`);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CheckpointError(`${source}: corrupt: the ${key} in its metadata is not JSON`, { cause: error });
  }
}
