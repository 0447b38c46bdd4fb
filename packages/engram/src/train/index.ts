// engram/train: the trainer, its optimizers, losses, schedules and curriculum.
export { Curriculum, type CurriculumOptions, type CurriculumState } from "./curriculum.js";
export { type LossName, lossNames, type Readout, readoutNames } from "./losses.js";
export { type OptimizerName, type OptimizerOptions, type OptimizerSettings, optimizerNames, type ParameterGroup } from "./optimizers.js";
export type { Schedule } from "./schedules.js";
export { type StepResult, Trainer, type TrainerState, type TrainingBatch } from "./trainer.js";
export type { TrainerOptions } from "./trainerOptions.js";
