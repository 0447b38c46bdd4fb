// What is asked of a built-in task, checked before anything is drawn.
import { ConfigError, ShapeError } from "../errors.js";
import { Random } from "../random.js";

/** @throws {ConfigError} for an input size that leaves no number or bit beside the end marker */
export function checkInputSize(task: string, inputSize: number): number {
  if (Number.isSafeInteger(inputSize) && inputSize >= 2) return inputSize;
  throw new ConfigError(
    `task '${task}': inputSize must be a whole number of 2 or more (the numbers or bits, and the end marker), got ${String(inputSize)}`,
  );
}

/** @throws {ConfigError} for no generator; {ShapeError} for a batch size or length below 1 */
export function checkBatch(task: string, rng: Random, batchSize: number, length: number): void {
  if (!(rng instanceof Random)) throw new ConfigError(`${task}.batch: rng must be a Random, got ${rng === null ? "null" : typeof rng}`);
  for (const [name, size] of [["batchSize", batchSize] as const, ["length", length] as const]) {
    if (Number.isSafeInteger(size) && size >= 1) continue;
    throw new ShapeError(`${task}.batch: ${name} must be a whole number of 1 or more, got ${String(size)}`);
  }
}
