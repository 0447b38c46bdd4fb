// engram/files: models and training runs as bytes.
export type { SafetensorsFile, SafetensorsHeader, TensorEntry } from "./safetensors.js";
export { readSafetensors, readSafetensorsHeader, writeSafetensors } from "./safetensors.js";
