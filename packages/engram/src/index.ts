// The models, their tensors, state and errors. Training, tasks and files have entries of their own.
export type { Nonlinearity, RnnType } from "./controllers/cells.js";
export { init } from "./engine/module.js";
export { CheckpointError, ConfigError, EngramError, type ErrorCode, NumericError, ShapeError, StateError } from "./errors.js";
export type { BackwardOptions, BackwardResult, ForwardOptions, ForwardResult } from "./models/calls.js";
export { createModel, modelTypes } from "./models/createModel.js";
export { DNC } from "./models/dnc.js";
export type { NestedNumbers, TensorLike } from "./models/inputs.js";
export { Model } from "./models/model.js";
export type { DNCOptions, MemoryIndex, ModelConfig, ModelType, SAMOptions, SDNCOptions } from "./models/options.js";
export { SAM } from "./models/sam.js";
export { SDNC } from "./models/sdnc.js";
export { State } from "./models/state.js";
export type { SparseStateTensor, StateTensor } from "./models/stateTensor.js";
export { Random, type RandomState } from "./random.js";
export { didYouMean } from "./suggest.js";
export { randn, type Tensor, tensor, zeros } from "./tensor.js";
