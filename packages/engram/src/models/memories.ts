// The memory of each kind of model.
import { DenseMemory } from "../memory/dense.js";
import type { Memory } from "../memory/memory.js";
import { SparseMemory } from "../memory/sparse.js";
import type { ModelConfig, ModelType } from "./options.js";

export function createMemory(type: ModelType, config: ModelConfig): Memory {
  return type === "dnc" ? new DenseMemory(config) : new SparseMemory(config);
}
