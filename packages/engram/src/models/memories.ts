// The memory of each kind of model.
import { DenseMemory } from "../memory/dense.js";
import type { Memory } from "../memory/memory.js";
import { LinkedSparseMemory, SparseMemory } from "../memory/sparse.js";
import type { ModelConfig, ModelType } from "./options.js";

export function createMemory(type: ModelType, config: ModelConfig): Memory {
  if (type === "dnc") return new DenseMemory(config);
  return type === "sam" ? new SparseMemory(config) : new LinkedSparseMemory(config);
}
