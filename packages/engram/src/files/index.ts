// engram/files: models and training runs as bytes.
export { type Checkpoint, readCheckpoint, saveCheckpoint } from "./checkpoint.js";
export { loadModel, saveModel } from "./model.js";
export { loadPyTorchWeights } from "./pytorch.js";
export type { SafetensorsFile, SafetensorsHeader, TensorEntry } from "./safetensors.js";
export { readSafetensors, readSafetensorsHeader, readSafetensorsLayout, writeSafetensors } from "./safetensors.js";
