// Checks what callers hand in, at the public edge and before anything changes: shapes against a legend such as [B, T, X], values
// finite, lengths in range.
import type { Engine } from "../engine/engine.js";
import { ConfigError, ShapeError } from "../errors.js";
import { didYouMean } from "../suggest.js";
import { sizeOf, type Tensor } from "../tensor.js";

export type NestedNumbers = readonly number[] | readonly NestedNumbers[];
export type TensorLike = Tensor | NestedNumbers;

/** One axis of a legend: its letter, and its size where that is fixed. */
export interface Axis {
  readonly letter: string;
  readonly size?: number;
  /** What fixes the size, for the message, such as "inputSize". */
  readonly from?: string;
}

function isTensor(value: unknown): value is Tensor {
  return typeof value === "object" && value !== null && "data" in value && "shape" in value;
}

export function describeShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

function legend(axes: readonly Axis[]): string {
  const fixed = axes
    .filter((axis) => axis.size !== undefined)
    .map(({ letter, size, from }) => `${letter} = ${from ? `${from} = ` : ""}${size}`);
  return `[${axes.map((axis) => axis.letter).join(", ")}]${fixed.length > 0 ? ` with ${fixed.join(", ")}` : ""}`;
}

function nestedShape(value: NestedNumbers): number[] {
  const shape: number[] = [];
  for (let level: unknown = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  return shape;
}

function flatten(what: string, value: NestedNumbers, shape: readonly number[]): Float32Array {
  const data = new Float32Array(sizeOf(shape));
  let next = 0;
  /** `next` counts the elements so far: what it says of the outer axes is where we are. */
  const place = (axis: number) => `[${positionOf(next, shape).slice(0, axis).join(", ")}]`;
  const fill = (level: unknown, axis: number) => {
    if (axis === shape.length) {
      if (typeof level !== "number") throw new ShapeError(`${what} must hold numbers, got a ${typeof level} at ${place(axis)}`);
      data[next++] = level;
      return;
    }
    if (!Array.isArray(level) || level.length !== shape[axis]) {
      const got = Array.isArray(level) ? level.length : `a ${typeof level}`;
      throw new ShapeError(
        `${what} is ragged: the array at ${place(axis)} must have ${shape[axis]} entries as those before it, got ${got}`,
      );
    }
    for (const inner of level) fill(inner, axis + 1);
  };
  fill(value, 0);
  return data;
}

/**
 * The tensor a caller gave, checked against the axes it must have.
 * @param what names it in messages, such as "DNC.forward: input"
 * @throws {ShapeError} what was expected and what came
 */
export function checkTensor(what: string, value: TensorLike, axes: readonly Axis[]): Tensor {
  if (Array.isArray(value)) {
    const shape = nestedShape(value);
    checkShape(what, shape, axes);
    return { data: flatten(what, value, shape), shape };
  }
  if (!isTensor(value)) {
    throw new ShapeError(
      `${what} must be a tensor ${legend(axes)} or nested arrays of numbers, got ${value === null ? "null" : typeof value}`,
    );
  }
  const { data, shape } = value;
  if (!(data instanceof Float32Array))
    throw new ShapeError(`${what} must have its data in a Float32Array; make it with tensor(data, shape)`);
  if (!Array.isArray(shape)) throw new ShapeError(`${what} must have its shape in an array of sizes; make it with tensor(data, shape)`);
  checkShape(what, shape, axes);
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError(`${what} of shape ${describeShape(shape)} must hold ${sizeOf(shape)} values, its data has ${data.length}`);
  }
  return value;
}

function checkShape(what: string, shape: readonly number[], axes: readonly Axis[]): void {
  const fits = shape.length === axes.length && axes.every(({ size }, i) => size === undefined || shape[i] === size);
  if (!fits) throw new ShapeError(`${what} must be ${legend(axes)}, got ${describeShape(shape)}`);
  for (const [i, size] of shape.entries()) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new ShapeError(`${what}: ${axes[i]?.letter ?? "every axis"} must be at least 1, got shape ${describeShape(shape)}`);
    }
  }
}

/** @throws {ShapeError} naming the first value that is not finite, by its position */
export function checkFinite(engine: Engine, what: string, at: number, shape: readonly number[]): void {
  const index = engine.kernels.firstNonFinite(at, sizeOf(shape));
  if (index < 0) return;
  const value = engine.f32(at, sizeOf(shape))[index];
  throw new ShapeError(
    `${what} must be finite, got ${value} at [${positionOf(index, shape).join(", ")}]; clean the data before it goes in`,
  );
}

/** The indices along each axis of a flat index. */
export function positionOf(index: number, shape: readonly number[]): number[] {
  const position = new Array<number>(shape.length).fill(0);
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    position[axis] = rest % size;
    rest = Math.floor(rest / size);
  }
  return position;
}

/** The lengths of a batch, undefined when all run to the end. @throws {ShapeError} */
export function checkLengths(what: string, lengths: ArrayLike<number> | undefined, batch: number, steps: number): Int32Array | undefined {
  if (lengths === undefined) return undefined;
  if (lengths === null || typeof lengths !== "object" || lengths.length !== batch) {
    const got = lengths === null ? "null" : (lengths.length ?? `a ${typeof lengths}`);
    throw new ShapeError(`${what}: lengths must be an array of B = ${batch} numbers, got ${got}`);
  }
  for (let b = 0; b < batch; b++) {
    const length = lengths[b];
    if (typeof length !== "number" || !Number.isSafeInteger(length) || length < 1 || length > steps) {
      throw new ShapeError(`${what}: lengths must be whole numbers from 1 to T = ${steps}, got ${length} at [${b}]`);
    }
  }
  const checked = Int32Array.from(lengths);
  return checked.every((length) => length === steps) ? undefined : checked;
}

/**
 * Checks the names of a call's options, and that those of `flags` are booleans.
 * @throws {ConfigError} naming the option, and the nearest right one
 */
export function checkCallOptions(what: string, options: object, names: readonly string[], flags: readonly string[]): void {
  if (typeof options !== "object" || options === null) throw new ConfigError(`${what}: options must be an object, got ${String(options)}`);
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name))
      throw new ConfigError(`${what}: unknown option '${name}'${didYouMean(name, names)} (known: ${names.join(", ")})`);
    if (flags.includes(name) && value !== undefined && typeof value !== "boolean") {
      throw new ConfigError(`${what}: ${name} must be true or false, got ${String(value)}`);
    }
  }
}
