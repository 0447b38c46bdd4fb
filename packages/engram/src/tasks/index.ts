// engram/tasks: copy, adding and argmax, and what a task of your own looks like.
import { ConfigError } from "../errors.js";
import { didYouMean } from "../suggest.js";
import type { Task } from "../train/task.js";
import { AddingTask } from "./adding.js";
import { ArgmaxTask } from "./argmax.js";
import { CopyTask } from "./copy.js";

export { Random } from "../random.js";
export type { LossName, Readout } from "../train/losses.js";
export type { Batch, Score, Task } from "../train/task.js";
export { AddingTask } from "./adding.js";
export { ArgmaxTask } from "./argmax.js";
export { type CopyScore, CopyTask } from "./copy.js";
export type { NumberScore } from "./numbers.js";

export interface TaskOptions {
  /** X, values of an input step, 2 or more [copy 6, adding 3, argmax 10]. */
  inputSize?: number;
}

const tasks = {
  copy: (inputSize?: number) => new CopyTask(inputSize),
  adding: (inputSize?: number) => new AddingTask(inputSize),
  argmax: (inputSize?: number) => new ArgmaxTask(inputSize),
} as const;

export type TaskName = keyof typeof tasks;

/** The names that `createTask` knows. */
export const taskNames = Object.keys(tasks) as readonly TaskName[];

/**
 * One of the built-in tasks.
 * @throws {ConfigError} for an unknown name or option, naming the nearest right one, or an input size below 2
 */
export function createTask(name: TaskName, options: TaskOptions = {}): Task {
  if (!Object.hasOwn(tasks, name))
    throw new ConfigError(`unknown task '${name}'${didYouMean(name, taskNames)} (known: ${taskNames.join(", ")})`);
  if (typeof options !== "object" || options === null)
    throw new ConfigError(`task '${name}': options must be an object such as { inputSize: 6 }, got ${String(options)}`);
  const unknown = Object.keys(options).find((option) => option !== "inputSize");
  if (unknown !== undefined)
    throw new ConfigError(`unknown option '${unknown}' of task '${name}'${didYouMean(unknown, ["inputSize"])} (known: inputSize)`);
  return tasks[name](options.inputSize);
}
