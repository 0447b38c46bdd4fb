// From the flags somebody typed to a value for every flag, and to what the library takes.
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Task, TaskName } from "engram/tasks";
import type { CurriculumOptions, TrainerOptions } from "engram/train";
import { defaultOf, type FlagName, flagNames, type Settings } from "./flags.js";

/** Fills in defaults. */
export function resolveSettings(task: TaskName, given: Partial<Settings>, now = new Date()): Settings {
  const settings = Object.fromEntries(flagNames.map((name) => [name, given[name] ?? defaultOf(name, task)])) as unknown as Settings;
  return {
    ...settings,
    threads: settings.threads || availableParallelism(),
    out: settings.out || join("runs", `${task}-${timeStamp(now)}`),
    dashboard: settings.dashboard || settings.visdom,
  };
}

/** Local time as in a file's name: 2025-11-23-15-04-05 */
function timeStamp(now: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return [now.getFullYear(), now.getMonth() + 1, now.getDate(), now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join("-");
}

/** The model options that flags set, by flag. */
export const modelOptionOf = {
  nhid: "hiddenSize",
  rnn_type: "rnnType",
  nlayer: "numLayers",
  nhlayer: "numHiddenLayers",
  dropout: "dropout",
  controller_clip: "clip",
  mem_slot: "nrCells",
  mem_size: "cellSize",
  read_heads: "readHeads",
  sparse_reads: "sparseReads",
  temporal_reads: "temporalReads",
  temporal_links: "temporalLinks",
  seed: "seed",
} as const satisfies Partial<Record<FlagName, string>>;

/** Flags that only some kinds of memory have. */
const onlyFor: Partial<Record<FlagName, readonly Settings["memory_type"][]>> = {
  sparse_reads: ["sam", "sdnc"],
  temporal_reads: ["sdnc"],
  temporal_links: ["sdnc"],
};

/** What the model's constructor takes. */
export function modelOptions(
  settings: Settings,
  task: Task,
): { inputSize: number; outputSize: number; hiddenSize: number; [name: string]: unknown } {
  const options: Record<string, unknown> = {};
  for (const [flag, option] of Object.entries(modelOptionOf) as [keyof typeof modelOptionOf, string][]) {
    if (onlyFor[flag]?.includes(settings.memory_type) ?? true) options[option] = settings[flag];
  }
  return { ...options, inputSize: task.inputSize, outputSize: task.outputSize, hiddenSize: settings.nhid };
}

/** An error's text with the library's option names as the flags they were set by. */
export function inFlagNames(message: string): string {
  const flagOf = new Map(Object.entries(modelOptionOf).map(([flag, option]) => [option as string, flag]));
  return message.replace(/\b[a-z]+[A-Z]\w*\b/g, (word) => flagOf.get(word) ?? word);
}

/** What the trainer takes. */
export function trainerOptions(settings: Settings, task: Task): TrainerOptions {
  const { loss, readout } = task;
  const clip = settings.clip > 0 ? { clipGradNorm: settings.clip } : {};
  const schedule: Pick<TrainerOptions, "schedule"> =
    settings.lr_cosine > 0 ? { schedule: { type: "cosine", steps: settings.lr_cosine } } : {};
  return { ...optimizerOptions(settings), ...clip, ...schedule, loss, readout, threads: settings.threads };
}

/** The rules of the curriculum. */
export function curriculumOptions(settings: Settings, task: Task): CurriculumOptions {
  const start = Math.max(settings.sequence_max_length, task.minLength ?? 1);
  const rules = {
    start,
    increment: settings.curriculum_increment,
    frequency: settings.curriculum_freq,
    doubleBelow: settings.curriculum_loss,
  };
  return settings.curriculum_limit > 0 ? { ...rules, limit: settings.curriculum_limit } : rules;
}

/** The Python package's settings of each optimizer (its tasks/*.py), where it has them. */
function optimizerOptions({ optim, lr }: Settings): TrainerOptions {
  const chosen = { optimizer: optim, learningRate: lr };
  if (optim === "adam" || optim === "adamw" || optim === "adamax") return { ...chosen, betas: [0.9, 0.98], eps: 1e-9 };
  if (optim === "rmsprop") return { ...chosen, momentum: 0.9, eps: 1e-10 };
  return chosen;
}
