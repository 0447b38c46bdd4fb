// Sequences that somebody typed: bits for copy, "101 001 110", a word each step; numbers for adding and argmax, "3 1 4".
import type { Batch, Random, Task, TaskName } from "engram/tasks";

/** Values of each step: `outputSize` bits, or one number. */
export type Pattern = readonly (readonly number[])[];

export const MOST_STEPS = 32;

const isCopy = (task: TaskName) => task === "copy";

export function patternText(pattern: Pattern, task: TaskName): string {
  return pattern.map((values) => values.join(isCopy(task) ? "" : " ")).join(" ");
}

/** Reads what was typed; bits that are missing at the end are 0. @throws {Error} that says what is expected */
export function parsePattern(text: string, task: TaskName, inputSize: number): Pattern {
  const words = text
    .trim()
    .split(/[\s,;]+/)
    .filter((word) => word !== "");
  const pattern = isCopy(task)
    ? words.flatMap((word) => bitsOf(word, inputSize - 1))
    : words.map((word) => [numberOf(word, inputSize - 2)]);
  const least = isCopy(task) ? 1 : 2;
  if (pattern.length < least) throw new Error(`Type ${isCopy(task) ? "bits, such as 1011 0001" : "two numbers or more, such as 3 1 4"}.`);
  if (pattern.length > MOST_STEPS) throw new Error(`At most ${MOST_STEPS} steps; this has ${pattern.length}.`);
  return pattern;
}

function bitsOf(word: string, width: number): number[][] {
  if (!/^[01]+$/.test(word)) throw new Error(`Bits are 0 or 1; '${word}' is not.`);
  const steps = Array.from({ length: Math.ceil(word.length / width) }, (_, i) => word.slice(i * width, (i + 1) * width).padEnd(width, "0"));
  return steps.map((bits) => [...bits].map(Number));
}

function numberOf(word: string, most: number): number {
  const value = Number(word);
  if (!/^\d+$/.test(word) || value > most) throw new Error(`Numbers go from 0 to ${most}; '${word}' does not.`);
  return value;
}

export function randomPattern(task: TaskName, inputSize: number, length: number, random: Random): Pattern {
  const width = isCopy(task) ? inputSize - 1 : 1;
  const choices = isCopy(task) ? 2 : inputSize - 1;
  return Array.from({ length }, () => Array.from({ length: width }, () => random.integer(0, choices)));
}

/** A batch of this one sequence, laid out as the task's own batches. */
export function patternBatch(pattern: Pattern, task: Task): Batch {
  return task.name === "copy" ? copyBatch(pattern, task) : numbersBatch(pattern, task);
}

function copyBatch(pattern: Pattern, { inputSize, outputSize }: Task): Batch {
  const length = pattern.length;
  const time = 2 * length + 1;
  const input = new Float32Array(time * inputSize);
  const target = new Float32Array(time * outputSize);
  for (const [t, bits] of pattern.entries()) {
    input.set(bits, t * inputSize);
    target.set(bits, (length + 1 + t) * outputSize);
  }
  input[length * inputSize + outputSize] = 1; // the end marker
  const mask = new Float32Array(time).fill(1, length + 1);
  return {
    input: { data: input, shape: [1, time, inputSize] },
    target: { data: target, shape: [1, time, outputSize] },
    mask: { data: mask, shape: [1, time] },
  };
}

function numbersBatch(pattern: Pattern, { name, inputSize }: Task): Batch {
  const numbers = pattern.map(([value = 0]) => value);
  const time = numbers.length + 1;
  const input = new Float32Array(time * inputSize);
  for (const [t, channel] of [...numbers, inputSize - 1].entries()) input[t * inputSize + channel] = 1;
  const answer = name === "adding" ? numbers.reduce((sum, value) => sum + value, 0) : numbers.indexOf(Math.max(...numbers));
  return { input: { data: input, shape: [1, time, inputSize] }, target: { data: Float32Array.of(answer), shape: [1] } };
}
