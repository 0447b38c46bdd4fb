// Tensors as users see them: flat float32 data with a shape, row-major and unpadded.
import { Engine } from "./engine/engine.js";
import { ConfigError, ShapeError } from "./errors.js";
import { keyOfSeed } from "./random.js";

export interface Tensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** Numbers in nested arrays, each level of one length: `[[1, 2], [3, 4]]`. */
export type NestedNumbers = readonly (number | NestedNumbers)[];

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * A tensor with a copy of `data`.
 * @param data nested arrays, or the elements in row-major order as any array of numbers
 * @param shape as many elements as `data` has; without it the shape of the nested arrays
 * @throws {ShapeError} when the shape is not one, or does not fit the data, or arrays of one level differ in length
 */
export function tensor(data: NestedNumbers | ArrayLike<number>, shape?: readonly number[]): Tensor {
  if (!isList(data))
    throw new ShapeError(`tensor: data must be nested arrays or an array of numbers, got ${data === null ? "null" : typeof data}`);
  const isNested = Array.isArray(data) && Array.isArray(data[0]);
  const found = isNested ? nestedShape(data) : [data.length];
  const wanted = shape === undefined ? found : checkedShape("tensor", shape);
  const fits = isNested ? sameShape(found, wanted) : sizeOf(wanted) === data.length;
  if (!fits) {
    const got = isNested ? `nested arrays of [${found.join(", ")}]` : `${data.length}`;
    throw new ShapeError(`tensor: shape [${wanted.join(", ")}] needs ${sizeOf(wanted)} numbers, got ${got}`);
  }
  if (!isNested) return { data: copyOfNumbers(data as ArrayLike<number>), shape: wanted };
  const values = newValues("tensor", wanted);
  flattenInto(values, 0, data, wanted, 0);
  return { data: values, shape: wanted };
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[]): Tensor {
  const checked = checkedShape("zeros", shape);
  return { data: newValues("zeros", checked), shape: checked };
}

let normalSource: Engine | undefined;
const NORMALS_AT_A_TIME = 65536;
/** A stream of its own, so that `randn` of a model's seed has nothing in common with that model's weights. */
const NORMAL_STREAM = 0x6e6f726d;

/**
 * A tensor of standard normal numbers, the same for the same seed on every machine.
 * @param seed any safe integer
 */
export function randn(shape: readonly number[], seed: number): Tensor {
  const checked = checkedShape("randn", shape);
  if (!Number.isSafeInteger(seed)) throw new ConfigError(`randn: seed must be a safe integer, got ${seed}`);
  const data = newValues("randn", checked);
  normalSource ??= Engine.create();
  const engine = normalSource;
  const buffer = engine.allocate(4 * Math.min(data.length, NORMALS_AT_A_TIME));
  for (let from = 0; from < data.length; from += NORMALS_AT_A_TIME) {
    const count = Math.min(NORMALS_AT_A_TIME, data.length - from);
    engine.kernels.philoxNormal(buffer, count, ...keyOfSeed(seed), NORMAL_STREAM, from);
    data.set(engine.f32(buffer, count), from);
  }
  engine.free(buffer);
  return { data, shape: checked };
}

function checkedShape(caller: string, shape: readonly number[]): readonly number[] {
  if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0) || !Number.isSafeInteger(sizeOf(shape))) {
    throw new ShapeError(
      `${caller}: shape must be an array of non-negative integers, got ${Array.isArray(shape) ? `[${shape.join(", ")}]` : shape}`,
    );
  }
  return [...shape];
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** The lengths along the first elements; `flattenInto` finds out whether the others agree. */
function nestedShape(data: unknown): number[] {
  return Array.isArray(data) ? [data.length, ...nestedShape(data[0])] : [];
}

/** Writes the elements of nested arrays from `at` on and returns where they end. */
function flattenInto(out: Float32Array, at: number, data: unknown, shape: readonly number[], axis: number): number {
  if (axis === shape.length) {
    if (typeof data !== "number")
      throw new ShapeError(`tensor: nested arrays must be of shape [${shape.join(", ")}] and hold numbers, got ${typeof data}`);
    out[at] = data;
    return at + 1;
  }
  if (!Array.isArray(data) || data.length !== shape[axis]) {
    const got = Array.isArray(data) ? `${data.length} elements` : typeof data;
    throw new ShapeError(`tensor: nested arrays must be of shape [${shape.join(", ")}], got ${got} along axis ${axis}`);
  }
  let end = at;
  for (const element of data) end = flattenInto(out, end, element, shape, axis + 1);
  return end;
}

function isList(data: unknown): data is ArrayLike<unknown> {
  return typeof data === "object" && data !== null && "length" in data && typeof data.length === "number";
}

function copyOfNumbers(data: ArrayLike<number>): Float32Array {
  const values = newValues("tensor", [data.length]);
  if (data instanceof Float32Array) values.set(data);
  else {
    for (let i = 0; i < data.length; i++) {
      const value: unknown = data[i];
      if (typeof value !== "number") throw new ShapeError(`tensor: elements must be numbers, got ${typeof value} at [${i}]`);
      values[i] = value;
    }
  }
  return values;
}

function newValues(caller: string, shape: readonly number[]): Float32Array {
  try {
    return new Float32Array(sizeOf(shape));
  } catch (cause) {
    const bytes = 4 * sizeOf(shape);
    throw new ShapeError(`${caller}: shape [${shape.join(", ")}] needs ${bytes} bytes, more than one array can have here`, { cause });
  }
}
