// The end of a run in figures: how well it does at the lengths it was trained on, and at longer ones.
import { type Model, Random } from "engram";
import type { Score, Task } from "engram/tasks";
import { type EvaluateOptions, evaluate } from "engram/train";
import { figure, percent, table } from "./format.js";

const EVALUATION_STREAM = 3;
/** How many times the trained length a run is tested at. */
const TIMES = [1, 2, 4, 5, 10] as const;
const TRAINED_SEQUENCES = 1000;
const LONGER_SEQUENCES = 100;
const MOST_LENGTHS = 20;

/** Scores at one multiple of the trained length. */
export interface LengthScore {
  readonly times: number;
  /** Shortest and longest. */
  readonly lengths: readonly [number, number];
  readonly score: Score;
}

/** Lengths from the task's shortest to `maxLength`, at most so many of them, evenly spread. */
export function trainedLengths(task: Task, maxLength: number, most = MOST_LENGTHS): number[] {
  const shortest = Math.min(task.minLength ?? 1, maxLength);
  const span = maxLength - shortest;
  const number = Math.min(most, span + 1);
  return Array.from({ length: number }, (_, i) => (number === 1 ? maxLength : shortest + Math.round((i * span) / (number - 1))));
}

/** Something measured at one multiple of the trained length. */
export interface AtLength<T> {
  readonly times: number;
  /** Shortest and longest. */
  readonly lengths: readonly [number, number];
  readonly measured: T;
}

/** Measures at the trained lengths together, at the longest of them, and at 2, 4, 5 and 10 times that, on sequences that the seed says. */
export async function atLengths<T>(
  task: Task,
  maxLength: number,
  seed: number,
  measure: (options: EvaluateOptions) => Promise<T>,
): Promise<AtLength<T>[]> {
  const rng = new Random(seed, EVALUATION_STREAM);
  const results: AtLength<T>[] = [];
  for (const times of TIMES) {
    const lengths = times === 1 ? trainedLengths(task, maxLength) : [times * maxLength];
    const samples = times === 1 ? Math.ceil(TRAINED_SEQUENCES / lengths.length) : LONGER_SEQUENCES;
    results.push({ times, lengths: [lengths[0] ?? 0, lengths.at(-1) ?? 0], measured: await measure({ lengths, samples, rng }) });
  }
  if (results[0]?.lengths[0] !== maxLength) {
    const measured = await measure({ lengths: [maxLength], samples: LONGER_SEQUENCES, rng });
    results.splice(1, 0, { times: 1, lengths: [maxLength, maxLength], measured });
  }
  return results;
}

/** Tests a model as `atLengths` says. */
export async function generalization(
  model: Model,
  task: Task,
  maxLength: number,
  seed: number,
  signal?: AbortSignal,
): Promise<LengthScore[]> {
  const results = await atLengths(task, maxLength, seed, (options) => evaluate(model, task, { ...options, signal }));
  return results.map(({ measured, ...where }) => ({ ...where, score: measured }));
}

/** What a task's scores beside `accuracy` are called on the screen. */
const scoreColumns: Readonly<Record<string, { readonly heading: string; readonly show: (value: number) => string }>> = {
  sequenceAccuracy: { heading: "sequences right", show: percent },
  meanAbsoluteError: { heading: "mean error", show: figure },
  relativeError: { heading: "relative error", show: (value) => `${figure(100 * value)} %` },
};

/** What `accuracy` is the fraction of. */
export function countedBy(task: Task): string {
  return task.readout === "each" ? "bits" : "answers";
}

/** "1 to 8, trained" or "16, 2 times". */
export function lengthName(times: number, [shortest, longest]: readonly [number, number]): string {
  if (times > 1) return `${longest}, ${times} times`;
  return shortest === longest ? `${longest}, trained` : `${shortest} to ${longest}, trained`;
}

export function generalizationTable(task: Task, results: readonly LengthScore[]): string {
  const others = Object.keys(results[0]?.score ?? {}).filter((name) => name in scoreColumns);
  const headings = ["length", `${countedBy(task)} right`, ...others.map((name) => scoreColumns[name]?.heading ?? name)];
  const rows = results.map(({ times, lengths, score }) => [
    lengthName(times, lengths),
    percent(score.accuracy),
    ...others.map((name) => scoreColumns[name]?.show(score[name] ?? Number.NaN) ?? ""),
  ]);
  return table([headings, ...rows]);
}
