// Every flag of `engram train`: one table, from which come the help, the checks and the types. Names and most defaults are the
// Python package's (pytorch-dnc, tasks/*.py), which also wrote them with one dash.
import { didYouMean } from "engram";
import { createTask, type Task, type TaskName, taskNames } from "engram/tasks";

/** What a flag's value may be. */
interface Kind<T> {
  /** How the help shows the value, "<n>"; empty for a switch. */
  readonly placeholder: string;
  /** @throws {BadValue} */
  parse(text: string): T;
}

export interface Flag<T = unknown> {
  readonly group: string;
  readonly kind: Kind<T>;
  /** One default, or one for each task. */
  readonly default: T | Readonly<Record<TaskName, T>>;
  readonly help: string;
}

/** A flag's value that can't be. The message says what it must be. */
export class BadValue extends Error {}

function whole(least: number, most = Number.MAX_SAFE_INTEGER): Kind<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
  return {
    placeholder: "<n>",
    parse(text) {
      const value = parseNumber(text);
      if (Number.isInteger(value) && value >= least && value <= most) return value;
      const near = Number.isNaN(value) ? "" : `; the nearest is ${Math.min(Math.max(Math.round(value), least), most)}`;
      throw new BadValue(`It must be a whole number ${range}${near}.`);
    },
  };
}

/** @param what which numbers are allowed, in words */
function real(allowed: (value: number) => boolean, what: string): Kind<number> {
  return {
    placeholder: "<x>",
    parse(text) {
      const value = parseNumber(text);
      if (Number.isFinite(value) && allowed(value)) return value;
      throw new BadValue(`It must be ${what}.`);
    },
  };
}

/** A decimal number, "1e-3" included; NaN for anything else. */
function parseNumber(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
}

function oneOf<const T extends string>(...choices: readonly T[]): Kind<T> {
  return {
    placeholder: "<kind>",
    parse(text) {
      const found = choices.find((choice) => choice === text.toLowerCase());
      if (found !== undefined) return found;
      throw new BadValue(`It must be one of ${choices.join(", ")}${didYouMean(text, choices) || "."}`);
    },
  };
}

const path: Kind<string> = {
  placeholder: "<folder>",
  parse(text) {
    if (text !== "") return text;
    throw new BadValue("It must be a folder's path.");
  },
};

/** On when it is there. */
const onOff: Kind<boolean> = { placeholder: "", parse: (text) => text === "true" };

const aboveZero = real((value) => value > 0, "a number above 0");
const zeroOrMore = real((value) => value >= 0, "a number of 0 or more");

function flag<T>(group: string, kind: Kind<T>, standard: Flag<T>["default"], help: string): Flag<T> {
  return { group, kind, default: standard, help };
}

/** A default that each task has of its own. */
function ofTask(value: (task: Task) => number): Readonly<Record<TaskName, number>> {
  return Object.fromEntries(taskNames.map((name) => [name, value(createTask(name))])) as Record<TaskName, number>;
}

const TASK = "The task:";
const NETWORK = "The network:";
const MEMORY = "Its memory:";
const LEARNING = "Learning:";
const RUN = "The run:";

export const trainFlags = {
  input_size: flag(
    TASK,
    whole(2),
    ofTask((task) => task.inputSize),
    "values of an input step, the end marker's among them",
  ),
  sequence_max_length: flag(
    TASK,
    whole(1),
    ofTask((task) => task.maxLength ?? 1),
    "longest sequence to train on",
  ),
  curriculum_increment: flag(TASK, whole(0), 0, "the longest sequence grows by so much …"),
  curriculum_freq: flag(TASK, whole(1), 1000, "… every so many iterations"),
  curriculum_loss: flag(TASK, zeroOrMore, 0, "it doubles when the mean loss of 100 iterations is below this; 0: never"),
  curriculum_limit: flag(TASK, whole(0), 0, "it grows no longer than this; 0: no limit"),

  nhid: flag(NETWORK, whole(1), 64, "hidden units of a recurrent cell"),
  rnn_type: flag(NETWORK, oneOf("lstm", "gru", "rnn"), "lstm", "recurrent cells: lstm, gru or rnn"),
  nlayer: flag(NETWORK, whole(1), 1, "layers, each a controller with memory access"),
  nhlayer: flag(NETWORK, whole(1), 2, "recurrent cells one above the other in a layer"),
  dropout: flag(
    NETWORK,
    real((value) => value >= 0 && value < 1, "a probability of 0 or more and below 1"),
    0,
    "dropout between the cells of a layer",
  ),
  controller_clip: flag(NETWORK, zeroOrMore, 20, "bound on the controller's output; 0: none"),

  memory_type: flag(MEMORY, oneOf("dnc", "sam", "sdnc"), "dnc", "dnc (dense), sam (sparse) or sdnc (sparse, with links)"),
  mem_slot: flag(MEMORY, whole(1, 2 ** 24), 16, "memory cells"),
  mem_size: flag(MEMORY, whole(1), 20, "values of a cell"),
  read_heads: flag(MEMORY, whole(1), 4, "read heads"),
  sparse_reads: flag(MEMORY, whole(1), 10, "cells a head reads by content (sam, sdnc)"),
  temporal_reads: flag(MEMORY, whole(1), 2, "cells a head reads along links, each way (sdnc)"),
  temporal_links: flag(MEMORY, whole(1), 8, "links kept from and to a cell (sdnc)"),

  optim: flag(
    LEARNING,
    oneOf("adam", "adamw", "adamax", "rmsprop", "sgd", "adagrad", "adadelta"),
    "adam",
    "adam, adamw, adamax, rmsprop, sgd, adagrad, adadelta",
  ),
  lr: flag(LEARNING, aboveZero, 1e-3, "learning rate"),
  lr_cosine: flag(LEARNING, whole(0), 0, "it falls along half a cosine to 0 over so many iterations; 0: it stays"),
  clip: flag(LEARNING, zeroOrMore, 50, "bound on the norm of the gradient; 0: none"),
  batch_size: flag(LEARNING, whole(1), 100, "sequences of an iteration"),
  iterations: flag(LEARNING, whole(1), { copy: 100_000, adding: 2000, argmax: 2000 }, "iterations at most"),
  stop_when_solved: flag(LEARNING, onOff, false, "end once every answer of a fresh thousand is right"),

  seed: flag(RUN, whole(0, 2 ** 32 - 1), 1, "seed of the weights and the data"),
  threads: flag(RUN, whole(1, 256), 0, "threads that share a step; the result is the same [cores]"),
  cuda: flag(RUN, whole(-1), -1, "accepted for the Python package's sake; there is no GPU engine"),
  summarize_freq: flag(RUN, whole(1), 100, "iterations between summaries"),
  check_freq: flag(RUN, whole(1), 100, "iterations between checkpoints"),
  out: flag(RUN, path, "", "folder of the run [runs/TASK-TIME]"),
  resume: flag(RUN, path, "", "go on with the run in this folder"),
  dashboard: flag(RUN, onOff, false, "open the dashboard"),
  visdom: flag(RUN, onOff, false, "the same, by its Python name"),
  quiet: flag(RUN, onOff, false, "print the result only"),
  json: flag(RUN, onOff, false, "print a line of JSON for each summary, and the result"),
} satisfies Record<string, Flag<number> | Flag<string> | Flag<boolean>>;

export type FlagName = keyof typeof trainFlags;

type ValueOf<F> = F extends { readonly kind: Kind<infer T> } ? T : never;

/** A value for every flag. */
export type Settings = { readonly [Name in FlagName]: ValueOf<(typeof trainFlags)[Name]> };

export const flagNames = Object.keys(trainFlags) as FlagName[];

/** Whether a flag stands alone, without a value. */
export function isSwitch(name: FlagName): boolean {
  return trainFlags[name].kind.placeholder === "";
}

/** The value a flag has where it is not given. */
export function defaultOf(name: FlagName, task: TaskName): unknown {
  const { default: standard } = trainFlags[name];
  return typeof standard === "object" ? standard[task] : standard;
}

/** How the help states a default: "16", "6; adding 3, argmax 10". Empty where there is nothing to say. */
export function describeDefault(name: FlagName): string {
  const { default: standard } = trainFlags[name] as Flag;
  if (typeof standard !== "object" || standard === null)
    return standard === "" || typeof standard === "boolean" || name === "threads" ? "" : String(standard);
  const [[, first], ...others] = Object.entries(standard) as [[string, unknown], ...[string, unknown][]];
  return `${first}; ${others.map(([task, value]) => `${task} ${value}`).join(", ")}`;
}
