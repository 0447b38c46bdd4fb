// Tensors of a DNC memory's state, between the engine's layout (padded, the heads of a cell together) and plain row-major.
import { sizeOf, type Tensor } from "../tensor.js";
import type { Field, FieldValues, SparseTensor } from "./memory.js";

/** A tensor of the state: element (i, j) of its last two axes lies at `offset` + i·`rowStride` + j·`columnStride` floats. */
export interface StateField extends Field {
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** Copies one element's tensor out of its state (or a gradient laid out as one), which begins at `from`. */
export function readField(field: StateField, state: Float32Array, from: number, out: Float32Array, outFrom: number): void {
  forEachPosition(field, (flat, position) => {
    out[outFrom + flat] = state[from + position] as number;
  });
}

/** Copies one element's tensor into its state. */
function writeField(field: StateField, state: Float32Array, from: number, values: Float32Array, valuesFrom: number): void {
  forEachPosition(field, (flat, position) => {
    state[from + position] = values[valuesFrom + flat] as number;
  });
}

/** The place of element `flat` of a tensor. */
function positionOf(field: StateField, flat: number): number {
  const columns = field.shape[field.shape.length - 1] as number;
  const column = flat % columns;
  return field.offset + ((flat - column) / columns) * field.rowStride + column * field.columnStride;
}

function forEachPosition(field: StateField, visit: (flat: number, position: number) => void): void {
  const columns = field.shape[field.shape.length - 1] as number;
  const rows = sizeOf(field.shape) / columns;
  for (let i = 0; i < rows; i++) {
    const row = field.offset + i * field.rowStride;
    for (let j = 0; j < columns; j++) visit(i * columns + j, row + j * field.columnStride);
  }
}

/** One field of elements that lie `stride` floats apart, as [batch, …]; element i is row `rowOf[i]` (default i). */
export function readBatch(field: StateField, states: Float32Array, stride: number, batch: number, rowOf?: Int32Array): Tensor {
  const size = sizeOf(field.shape);
  const data = new Float32Array(batch * size);
  for (let i = 0; i < batch; i++) readField(field, states, (rowOf?.[i] ?? i) * stride, data, i * size);
  return { data, shape: [batch, ...field.shape] };
}

/** The reverse of `readBatch`; of sparse tensors the values given are written, the rest stays. */
export function writeBatch(
  field: StateField,
  states: Float32Array,
  stride: number,
  values: FieldValues,
  batch: number,
  rowOf?: Int32Array,
): void {
  for (let i = 0; i < batch; i++) {
    const from = (rowOf?.[i] ?? i) * stride;
    if ("data" in values) writeField(field, states, from, values.data, i * sizeOf(field.shape));
    else writeSparse(field, states, from, values[i] as SparseTensor);
  }
}

function writeSparse(field: StateField, states: Float32Array, from: number, { positions, values }: SparseTensor): void {
  for (const [i, flat] of positions.entries()) states[from + positionOf(field, flat)] = values[i] as number;
}
