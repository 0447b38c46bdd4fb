// The end of a run in figures: how well it does at the lengths it was trained on, and at longer ones.
import { type Model, Random } from "engram";
import type { Score, Task } from "engram/tasks";
import { evaluate } from "engram/train";
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

/** Tests a model at the trained lengths together, at the longest of them, and at 2, 4, 5 and 10 times that. */
export async function generalization(
  model: Model,
  task: Task,
  maxLength: number,
  seed: number,
  signal?: AbortSignal,
): Promise<LengthScore[]> {
  const rng = new Random(seed, EVALUATION_STREAM);
  const results: LengthScore[] = [];
  const longestTrained = async (): Promise<LengthScore> => {
    const score = await evaluate(model, task, { lengths: [maxLength], samples: LONGER_SEQUENCES, rng, signal });
    return { times: 1, lengths: [maxLength, maxLength], score };
  };
  for (const times of TIMES) {
    const lengths = times === 1 ? trainedLengths(task, maxLength) : [times * maxLength];
    const samples = times === 1 ? Math.ceil(TRAINED_SEQUENCES / lengths.length) : LONGER_SEQUENCES;
    const score = await evaluate(model, task, { lengths, samples, rng, signal });
    results.push({ times, lengths: [lengths[0] ?? 0, lengths.at(-1) ?? 0], score });
  }
  if (results[0]?.lengths[0] !== maxLength) results.splice(1, 0, await longestTrained());
  return results;
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

export function generalizationTable(task: Task, results: readonly LengthScore[]): string {
  const others = Object.keys(results[0]?.score ?? {}).filter((name) => name in scoreColumns);
  const headings = ["length", `${countedBy(task)} right`, ...others.map((name) => scoreColumns[name]?.heading ?? name)];
  const rows = results.map(({ times, lengths: [shortest, longest], score }) => [
    times > 1 ? `${longest}, ${times} times` : shortest === longest ? `${longest}, trained` : `${shortest} to ${longest}, trained`,
    percent(score.accuracy),
    ...others.map((name) => scoreColumns[name]?.show(score[name] ?? Number.NaN) ?? ""),
  ]);
  return table([headings, ...rows]);
}
