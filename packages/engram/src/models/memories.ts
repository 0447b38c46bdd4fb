// The memory of each kind of model.
import { DenseMemory } from "../memory/dense.js";
import type { Memory } from "../memory/memory.js";
import type { ModelConfig, ModelType } from "./options.js";

export function createMemory(type: ModelType, config: ModelConfig): Memory {
  switch (type) {
    case "dnc":
      return new DenseMemory(config);
    default:
      throw new Error(type);
  }
}
