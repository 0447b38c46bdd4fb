// What a run's model loses without parts of its memory: for the screen, and for the dashboard's "Is the memory used?".
import type { Model } from "engram";
import type { Task } from "engram/tasks";
import { type Ablation, ablate, needsMemory } from "engram/train";
import { count, percent, table } from "./format.js";
import { type AtLength, atLengths, countedBy, type LengthScore, lengthName } from "./report.js";

const FORMAT = 1;

/** An ablation at every length that a run is tested at. */
export type AblationResult = AtLength<Ablation>;

/** Ablates on the sequences that `generalization` tests on. */
export function ablations(model: Model, task: Task, maxLength: number, seed: number): Promise<AblationResult[]> {
  return atLengths(task, maxLength, seed, (options) => ablate(model, task, options));
}

/** Those of the model as it is: what `generalization` gives. */
export function scoresAsIs(results: readonly AblationResult[]): LengthScore[] {
  return results.map(({ measured, ...where }) => ({ ...where, score: measured.asIs }));
}

/** What the dashboard reads (ablation.json): a score for each way and length, and whether the memory is needed at the trained ones. */
export function ablationFile(results: readonly AblationResult[], iteration: number, seed: number): object {
  const scores = results.flatMap(({ times, lengths: [shortest, length], measured: { asIs, readsZeroed, halfTheCells } }) => {
    const ways = { "as is": asIs, "reads zeroed": readsZeroed, "half the cells": halfTheCells };
    return Object.entries(ways).flatMap(([name, score]) => (score === undefined ? [] : [{ name, times, shortest, length, ...score }]));
  });
  return { format: FORMAT, iteration, seed, needed: isNeeded(results), scores };
}

/** The same sequences in three ways, and what that says. */
export function ablationTable(task: Task, model: Model, results: readonly AblationResult[]): string {
  const half = Math.floor(model.config.nrCells / 2);
  const headings = [`${countedBy(task)} right`, "as is", "reads zeroed", `half the cells (${count(half)})`];
  const rows = results.map(({ times, lengths, measured: { asIs, readsZeroed, halfTheCells } }) => [
    lengthName(times, lengths),
    ...[asIs, readsZeroed, halfTheCells].map((score) => (score === undefined ? "–" : percent(score.accuracy))),
  ]);
  return `${table([headings, ...rows])}\n${verdict(task, results)}`;
}

function verdict(task: Task, results: readonly AblationResult[]): string {
  const { asIs, readsZeroed } = trained(results);
  const change = `${percent(asIs.accuracy)} of ${countedBy(task)} right, ${percent(readsZeroed.accuracy)} with reads zeroed`;
  return `${isNeeded(results) ? "It needs its memory" : "It does without its memory"}: ${change}.`;
}

function isNeeded(results: readonly AblationResult[]): boolean {
  return needsMemory(trained(results));
}

function trained(results: readonly AblationResult[]): Ablation {
  const [first] = results;
  if (first === undefined) throw new Error("internal: an ablation without lengths");
  return first.measured;
}
