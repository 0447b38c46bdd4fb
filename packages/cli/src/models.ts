// Models from flags.
import { ConfigError, createModel, type Model, type ModelType, type SDNCOptions } from "engram";
import { inFlagNames } from "./settings.js";
import { UsageError } from "./usage.js";

/** @throws {UsageError} for options that do not go together, in terms of the flags they came from */
export function modelFromFlags(type: ModelType, options: SDNCOptions): Model {
  try {
    return createModel(type, options);
  } catch (error) {
    throw error instanceof ConfigError ? new UsageError(inFlagNames(error.message)) : error;
  }
}
