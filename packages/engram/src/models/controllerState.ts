// Controller state and read vectors between the engine's layout and tensors.
//
// In the engine, for the B elements of a shard: for every cell, layer by layer, h [B, Hp] and (LSTM) c [B, Hp]; then r [B, RWp]; and without
// readFeedback once more r [B, RWp], as it was when the call began: a call of several passes feeds it to every step of all of them.
// As tensors, for a whole batch: controller_hidden.{layer}.h and .c [numHiddenLayers, B, H], read_vectors [B, R·W].
import type { Block } from "../memory/memory.js";
import type { Tensor } from "../tensor.js";
import type { ShardRange } from "./shards.js";
import type { StateLayout } from "./stateLayout.js";

interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  /** Floats of the tensor for an element, hidden units or read values, and which of an element's rows in it. */
  readonly size: number;
  readonly cell: number;
  /** Floats a row in the engine, and which of the element's floats lie where in it. */
  readonly width: number;
  readonly blocks: readonly Block[];
}

/** Names and shapes of the tensors. */
export function controllerShapes(layout: StateLayout, batch: number): Map<string, readonly number[]> {
  return new Map(places(layout, batch).map(({ name, shape }) => [name, shape]));
}

/** In the order of the engine's layout; a cell's place repeats the tensor of its layer. */
function places(layout: StateLayout, batch: number): Place[] {
  const { config, memory, hasCellState, hiddenWidth, readWidth } = layout;
  const { hiddenSize, numHiddenLayers, numLayers, readHeads, cellSize } = config;
  const blocks = [{ from: 0, to: 0, count: hiddenSize }];
  const hidden = { shape: [numHiddenLayers, batch, hiddenSize], size: hiddenSize, width: hiddenWidth, blocks };
  const list: Place[] = [];
  for (let l = 0; l < numLayers; l++) {
    for (let cell = 0; cell < numHiddenLayers; cell++) {
      list.push({ ...hidden, name: `controller_hidden.${l}.h`, cell });
      if (hasCellState) list.push({ ...hidden, name: `controller_hidden.${l}.c`, cell });
    }
  }
  const size = readHeads * cellSize;
  list.push({ name: "read_vectors", shape: [batch, size], size, cell: 0, width: readWidth, blocks: memory.readBlocks });
  return list;
}

/** Calls `move(name, tensor index, engine index, count)` for every run of values of a shard that lie together in both. */
function eachRun(
  layout: StateLayout,
  batch: number,
  range: ShardRange,
  move: (name: string, tensor: number, engine: number, count: number) => void,
): void {
  let start = 0;
  for (const { name, size, cell, width, blocks } of places(layout, batch)) {
    for (let b = 0; b < range.count; b++) {
      const row = (cell * batch + range.from + b) * size;
      for (const { from, to, count } of blocks) move(name, row + from, start + b * width + to, count);
    }
    start += range.count * width;
  }
}

/** The engine's floats for one shard; tensors that are not there are zero. */
export function encodeController(
  layout: StateLayout,
  batch: number,
  range: ShardRange,
  tensors: ReadonlyMap<string, Tensor>,
): Float32Array {
  const values = new Float32Array(layout.floats(range.count));
  eachRun(layout, batch, range, (name, tensor, engine, count) => {
    const data = tensors.get(name)?.data;
    if (data !== undefined) values.set(data.subarray(tensor, tensor + count), engine);
  });
  return values;
}

/** Copies one shard's floats into the tensors of the whole batch. */
export function decodeController(
  layout: StateLayout,
  batch: number,
  range: ShardRange,
  values: Float32Array,
  tensors: ReadonlyMap<string, Tensor>,
): void {
  eachRun(layout, batch, range, (name, tensor, engine, count) => {
    (tensors.get(name) as Tensor).data.set(values.subarray(engine, engine + count), tensor);
  });
}

/** Zeroed tensors for the whole batch. */
export function controllerTensors(layout: StateLayout, batch: number): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [name, shape] of controllerShapes(layout, batch)) {
    tensors.set(name, { data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape });
  }
  return tensors;
}
