// config.json of a run: what is trained, and how.
import { CheckpointError, type Model } from "engram";
import { type Task, type TaskName, taskNames } from "engram/tasks";
import { type FlagName, flagNames, type Settings } from "./flags.js";
import { resolveSettings } from "./settings.js";
import { UsageError } from "./usage.js";
import { version } from "./version.js";

const FORMAT = 1;

export interface RunConfig {
  readonly format: typeof FORMAT;
  /** Version of the command that began it. */
  readonly engram: string;
  readonly task: { readonly name: TaskName; readonly maxLength: number; readonly inputSize: number; readonly outputSize: number };
  readonly model: { readonly type: string; readonly options: object };
  /** Every flag. */
  readonly training: Settings;
  /** ISO time. */
  readonly startedAt: string;
}

export function runConfig(settings: Settings, task: Task, model: Model): RunConfig {
  return {
    format: FORMAT,
    engram: version(),
    task: { name: task.name as TaskName, maxLength: settings.sequence_max_length, inputSize: task.inputSize, outputSize: task.outputSize },
    model: { type: model.type, options: model.config },
    training: settings,
    startedAt: new Date().toISOString(),
  };
}

/** @throws {CheckpointError} when it is not a run's configuration that this version reads */
export function checkRunConfig(value: unknown, source: string): RunConfig {
  const config = value as Partial<RunConfig> | null;
  if (typeof config !== "object" || config === null || typeof config.training !== "object" || config.training === null) {
    throw new CheckpointError(`${source}: not the configuration of a run`);
  }
  if (config.format !== FORMAT)
    throw new CheckpointError(`${source}: format ${config.format}, this version reads ${FORMAT}; upgrade engram`);
  const name = config.task?.name;
  if (name === undefined || !taskNames.includes(name)) throw new CheckpointError(`${source}: unknown task '${name}'`);
  return config as RunConfig;
}

/** Flags that may be given another value when a run goes on: they change when it ends and what is seen of it, not what it learns. */
const CHANGEABLE: readonly FlagName[] = [
  "iterations",
  "stop_when_solved",
  "threads",
  "summarize_freq",
  "check_freq",
  "cuda",
  "dashboard",
  "visdom",
  "quiet",
  "json",
  "out",
  "resume",
];

/**
 * The flags of a run that goes on: those it began with, and what was typed now.
 * @throws {UsageError} for a typed flag that contradicts what the run is
 */
export function resumedSettings({ task, training }: RunConfig, given: Partial<Settings>): Settings {
  const shown = { dashboard: false, visdom: false, quiet: false, json: false }; // of this call, not of the run
  for (const name of flagNames) {
    const typed = given[name];
    if (typed === undefined || typed === training[name] || CHANGEABLE.includes(name)) continue;
    throw new UsageError(`--${name} ${typed}: this run has ${training[name]}, which can't change; start a new run, or leave the flag out`);
  }
  return resolveSettings(task.name, { ...training, ...shown, ...given });
}
