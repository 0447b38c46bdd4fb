// The options of a trainer, checked once, at construction.
import { ConfigError } from "../errors.js";
import { didYouMean } from "../suggest.js";
import { type LossName, lossNames, type Readout, readoutNames } from "./losses.js";
import { type OptimizerName, type OptimizerOptions, optimizerNames, optimizerOptionNames } from "./optimizers.js";
import type { Schedule } from "./schedules.js";

/** What a Trainer's constructor takes; the optimizer's own options (betas, weightDecay, parameterGroups, …) stand beside these. */
export interface TrainerOptions extends OptimizerOptions {
  /** ['adam'] */
  optimizer?: OptimizerName;
  /** ['binaryCrossEntropyWithLogits'] */
  loss?: LossName;
  /** Which outputs the target is compared with ['each']. */
  readout?: Readout;
  /** Largest norm of all gradients together; larger ones are scaled down to it [none]. */
  clipGradNorm?: number;
  /** Largest magnitude of a gradient [none]. */
  clipGradValue?: number;
  /** The learning rate over the updates [constant]. */
  schedule?: Schedule;
  /** Batches whose gradients are averaged for one update [1]. */
  accumulate?: number;
  /** Threads that share a step [1]; the results are the same bits for any number. */
  threads?: number;
  /** Whether a step goes on from the state that the last one left [false]. */
  carryState?: boolean;
  /** Steps gone back through at a time: gradients are cut at the border, what is kept for going back is bounded [all of T]. */
  chunk?: number;
  /** Makes a worker thread, where the usual way does not find the worker's file. */
  createWorker?: () => unknown;
}

export type ResolvedTrainerOptions = Readonly<
  Required<Pick<TrainerOptions, "optimizer" | "loss" | "readout" | "accumulate" | "threads" | "carryState">> &
    Pick<TrainerOptions, "clipGradNorm" | "clipGradValue" | "schedule" | "chunk" | "createWorker">
>;

const own = [
  "optimizer",
  "loss",
  "readout",
  "clipGradNorm",
  "clipGradValue",
  "schedule",
  "accumulate",
  "threads",
  "carryState",
  "chunk",
  "createWorker",
] as const;

function checkChoice(name: string, value: unknown, allowed: readonly string[]): void {
  if (allowed.some((choice) => choice === value)) return;
  const got = typeof value === "string" ? `'${value}'` : String(value);
  throw new ConfigError(`${name} must be one of ${allowed.map((a) => `'${a}'`).join(", ")}, got ${got}${didYouMean(value, allowed)}`);
}

function checkCount(name: string, value: unknown): void {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return;
  throw new ConfigError(`${name} must be a whole number of 1 or more, got ${String(value)}`);
}

function checkBound(name: string, value: unknown): void {
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return;
  throw new ConfigError(`${name} must be a finite number above 0 (leave it out for no bound), got ${String(value)}`);
}

/** @returns the trainer's own options resolved, and the optimizer's. @throws {ConfigError} naming the option, what it must be and what came */
export function resolveTrainerOptions(options: TrainerOptions): { own: ResolvedTrainerOptions; optimizer: OptimizerOptions } {
  if (typeof options !== "object" || options === null)
    throw new ConfigError(`Trainer: the options must be an object, got ${String(options)}`);
  const known = [...own, ...optimizerOptionNames];
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const meant = name === "lr" ? "learningRate" : name; // PyTorch's short name
    throw new ConfigError(`unknown trainer option '${name}'${didYouMean(meant, known)} (known: ${known.join(", ")})`);
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as TrainerOptions;
  const resolved = {
    optimizer: "adam",
    loss: "binaryCrossEntropyWithLogits",
    readout: "each",
    accumulate: 1,
    threads: 1,
    carryState: false,
    ...Object.fromEntries(Object.entries(given).filter(([name]) => (own as readonly string[]).includes(name))),
  } as ResolvedTrainerOptions;
  checkChoice("optimizer", resolved.optimizer, optimizerNames);
  checkChoice("loss", resolved.loss, lossNames);
  checkChoice("readout", resolved.readout, readoutNames);
  for (const name of ["accumulate", "threads"] as const) checkCount(name, resolved[name]);
  if (resolved.chunk !== undefined) checkCount("chunk", resolved.chunk);
  for (const name of ["clipGradNorm", "clipGradValue"] as const) if (resolved[name] !== undefined) checkBound(name, resolved[name]);
  if (typeof resolved.carryState !== "boolean")
    throw new ConfigError(`carryState must be true or false, got ${String(resolved.carryState)}`);
  if (resolved.chunk !== undefined && resolved.readout !== "each") {
    throw new ConfigError(
      `chunk needs readout 'each': a readout over the whole sequence ('${resolved.readout}') has no loss within a chunk`,
    );
  }
  const optimizer = Object.fromEntries(Object.entries(given).filter(([name]) => !(own as readonly string[]).includes(name)));
  return { own: resolved, optimizer: optimizer as OptimizerOptions };
}
