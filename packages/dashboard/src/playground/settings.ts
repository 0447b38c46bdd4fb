// What can be set in the playground, and what of it makes a model and a trainer.
import type { ModelType, SDNCOptions } from "engram";
import type { TaskName } from "engram/tasks";

export interface Settings {
  readonly model: ModelType;
  readonly task: TaskName;
  readonly inputSize: number;
  readonly maxLength: number;
  readonly hiddenSize: number;
  readonly nrCells: number;
  readonly cellSize: number;
  readonly readHeads: number;
  /** SAM and SDNC. */
  readonly sparseReads: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
  readonly threads: number;
}

const common = { hiddenSize: 64, batchSize: 32, seed: 1, threads: 1, sparseReads: 4 } as const;
const tasks: Readonly<Record<TaskName, { readonly inputSize: number; readonly maxLength: number }>> = {
  copy: { inputSize: 6, maxLength: 8 },
  adding: { inputSize: 3, maxLength: 10 },
  argmax: { inputSize: 10, maxLength: 8 },
};
const memories = {
  dnc: { nrCells: 16, cellSize: 16, readHeads: 1, learningRate: 3e-3 },
  sam: { nrCells: 32, cellSize: 20, readHeads: 4, learningRate: 1e-3 },
  sdnc: { nrCells: 24, cellSize: 16, readHeads: 2, learningRate: 2e-3 },
} as const;

/** Settings that are known to train in a page: small, and quick to solve copy. */
export function standardSettings(model: ModelType, task: TaskName): Settings {
  return { model, task, ...common, ...tasks[task], ...memories[model] };
}

/** The range of each number, so that no choice makes a page unusable. */
export const limits = {
  inputSize: [2, 16],
  maxLength: [1, 64],
  hiddenSize: [1, 512],
  nrCells: [1, 2048],
  cellSize: [1, 64],
  readHeads: [1, 8],
  sparseReads: [1, 32],
  batchSize: [1, 256],
  learningRate: [1e-6, 1],
  seed: [0, 2 ** 31],
  threads: [1, 64],
} as const satisfies Partial<Record<keyof Settings, readonly [number, number]>>;

/** What the model's constructor takes. */
export function modelOptions(settings: Settings, outputSize: number): SDNCOptions {
  const { model, inputSize, hiddenSize, nrCells, cellSize, readHeads, sparseReads, seed } = settings;
  const options = { inputSize, outputSize, hiddenSize, numHiddenLayers: 1, nrCells, cellSize, readHeads, seed };
  return model === "dnc" ? options : { ...options, sparseReads: Math.min(sparseReads, nrCells) };
}

/** The trainer's part: Adam with the command line's constants, so that its checkpoints go on here and ours there. */
export const optimizer = { optimizer: "adam", betas: [0.9, 0.98], eps: 1e-9, clipGradNorm: 10 } as const;
