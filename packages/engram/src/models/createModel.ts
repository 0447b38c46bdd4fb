import { ConfigError } from "../errors.js";
import { didYouMean } from "../suggest.js";
import { DNC } from "./dnc.js";
import type { Model } from "./model.js";
import type { ModelType, SDNCOptions } from "./options.js";
import { SAM } from "./sam.js";
import { SDNC } from "./sdnc.js";

const models: Readonly<Record<ModelType, new (options: SDNCOptions) => Model>> = { dnc: DNC, sam: SAM, sdnc: SDNC };

/** The kinds of model by name. */
export const modelTypes = Object.keys(models) as readonly ModelType[];

/** A model of a kind by name. @throws {ConfigError} for an unknown kind, or an option that is not this kind's */
export function createModel(type: ModelType, options: SDNCOptions): Model {
  if (!modelTypes.includes(type)) {
    throw new ConfigError(`a model is one of ${modelTypes.join(", ")}, got '${type}'${didYouMean(type, modelTypes)}`);
  }
  return new models[type](options);
}
