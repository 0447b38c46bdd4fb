// engram/train: the trainer, its optimizers, losses, schedules, curriculum and evaluation.

export { loadModel, saveModel } from "../files/model.js";
export { type Ablation, ablate, needsMemory, withHalfTheCells, withoutReads } from "./ablation.js";
export { Curriculum, type CurriculumOptions, type CurriculumState } from "./curriculum.js";
export { type EvaluatedModel, type EvaluateOptions, evaluate, isSolved } from "./evaluate.js";
export { type LossName, lossNames, type Readout, readoutNames } from "./losses.js";
export { type OptimizerName, type OptimizerOptions, type OptimizerSettings, optimizerNames, type ParameterGroup } from "./optimizers.js";
export type { Progress, RunOptions } from "./run.js";
export type { Schedule } from "./schedules.js";
export type { Batch, Score, Task } from "./task.js";
export { Trainer } from "./trainer.js";
export type { TrainerOptions } from "./trainerOptions.js";
export type { TrainerState } from "./trainerState.js";
export type { StepResult, TrainingBatch } from "./trainingBatch.js";
