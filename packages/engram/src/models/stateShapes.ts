// The names and shapes of a state's tensors, and of their gradients, and the check of what a caller gives under these names.
import { ShapeError, StateError } from "../errors.js";
import { sizeOf } from "../tensor.js";
import { controllerShapes } from "./controllerState.js";
import { describeShape, positionOf } from "./inputs.js";
import type { StateLayout } from "./stateLayout.js";
import type { StateTensor } from "./stateTensor.js";

/** Every name and shape a state of the model may have. */
function stateShapes(layout: StateLayout, batch: number): Map<string, readonly number[]> {
  const shapes = controllerShapes(layout, batch);
  for (let m = 0; m < layout.numMemories; m++) {
    for (const { name, shape } of layout.memory.stateFields) shapes.set(`memory.${m}.${name}`, [batch, ...shape]);
    if (layout.memory.hasClock) shapes.set(`memory.${m}.clock`, [1]);
  }
  return shapes;
}

/**
 * Checks tensors of a state that may lack some.
 * @throws {StateError} for a name the model does not have; {ShapeError} for a wrong shape, or a value that is not finite
 */
export function checkStateTensors(what: string, layout: StateLayout, batch: number, tensors: ReadonlyMap<string, StateTensor>): void {
  checkMap(what, tensors);
  const shapes = stateShapes(layout, batch);
  for (const [name, tensor] of tensors) {
    const shape = shapes.get(name);
    if (shape === undefined) {
      throw new StateError(`${what}: ${name} is not a state tensor of this ${layout.type.toUpperCase()}: ${[...shapes.keys()].join(", ")}`);
    }
    checkStateTensor(`${what}: ${name}`, tensor, shape);
  }
}

/** Checks that a state's tensors are all there; only a clock may be missing. @returns the batch size that they tell */
export function checkWholeState(what: string, layout: StateLayout, tensors: ReadonlyMap<string, StateTensor>): number {
  checkMap(what, tensors);
  const batch = batchOf(what, tensors);
  checkStateTensors(what, layout, batch, tensors);
  const missing = [...stateShapes(layout, batch).keys()].filter((name) => !tensors.has(name) && !name.endsWith(".clock"));
  if (missing.length > 0)
    throw new StateError(`${what}: missing ${missing.join(", ")}; initialState(${batch}).tensors() gives all of them`);
  return batch;
}

function checkMap(what: string, tensors: ReadonlyMap<string, StateTensor>): void {
  if (tensors instanceof Map) return;
  throw new StateError(
    `${what} must be a Map of names to tensors, as state.tensors() gives; got ${tensors === null ? "null" : typeof tensors}`,
  );
}

/** B, from the first tensor that tells. */
function batchOf(what: string, tensors: ReadonlyMap<string, StateTensor>): number {
  for (const [name, tensor] of tensors) {
    if (name.endsWith(".clock") || !Array.isArray(tensor?.shape)) continue;
    const batch = name.startsWith("controller_hidden.") ? tensor.shape[1] : tensor.shape[0];
    if (batch !== undefined && Number.isSafeInteger(batch) && batch > 0) return batch;
  }
  throw new StateError(`${what} do not tell the batch size: give at least read_vectors [B, R·W]`);
}

function checkStateTensor(what: string, tensor: StateTensor, shape: readonly number[]): void {
  if (!Array.isArray(tensor?.shape) || describeShape(tensor.shape) !== describeShape(shape)) {
    const got = Array.isArray(tensor?.shape) ? describeShape(tensor.shape) : "no tensor";
    throw new ShapeError(`${what} must be ${describeShape(shape)}, got ${got}`);
  }
  const values = "data" in tensor ? tensor.data : tensor.values;
  if (!(values instanceof Float32Array)) throw new ShapeError(`${what} must have its values in a Float32Array`);
  if ("data" in tensor) {
    if (values.length !== sizeOf(shape)) throw new ShapeError(`${what} must hold ${sizeOf(shape)} values, got ${values.length}`);
  } else checkPositions(what, tensor.positions, values.length, shape);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  const at = "data" in tensor ? positionOf(bad, shape) : tensor.positions.subarray(bad * shape.length, (bad + 1) * shape.length);
  throw new ShapeError(`${what} must be finite, got ${values[bad]} at [${at.join(", ")}]`);
}

/** Every row of positions must lie within the shape, and be there once: what lies outside would be written where it does not belong. */
function checkPositions(what: string, positions: Int32Array, count: number, shape: readonly number[]): void {
  const rank = shape.length;
  if (!(positions instanceof Int32Array) || positions.length !== count * rank) {
    throw new ShapeError(`${what} must have positions [${count}, ${rank}] in an Int32Array, one row for each of its values`);
  }
  const rowAt = (i: number) => `[${positions.subarray(i * rank, (i + 1) * rank).join(", ")}]`;
  const bad = positions.findIndex((position, i) => position < 0 || position >= (shape[i % rank] as number));
  if (bad >= 0) throw new ShapeError(`${what} is ${describeShape(shape)} and has no position ${rowAt(Math.floor(bad / rank))}`);
  const twice = repeatedRow(positions, count, rank);
  if (twice >= 0) throw new ShapeError(`${what} must have each position once, has ${rowAt(twice)} twice: add the two values up`);
}

/** A row of positions that is there twice, or −1. Rows in order, as a state gives them, are not sorted for it. */
function repeatedRow(positions: Int32Array, count: number, rank: number): number {
  const compare = (a: number, b: number) => {
    let axis = 0;
    while (axis < rank - 1 && positions[a * rank + axis] === positions[b * rank + axis]) axis++;
    return (positions[a * rank + axis] as number) - (positions[b * rank + axis] as number);
  };
  let ordered = 1;
  while (ordered < count && compare(ordered - 1, ordered) < 0) ordered++;
  if (ordered >= count) return -1;
  const rows = Uint32Array.from({ length: count }, (_, i) => i).sort(compare);
  return rows.find((row, i) => i > 0 && compare(rows[i - 1] as number, row) === 0) ?? -1;
}
