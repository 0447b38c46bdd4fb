// The state of a model between calls, as a value: what it says never changes after it was returned (`step` on that very state
// aside). Its content is either kept here, as ordinary garbage-collected data, or still lies in the engine that computed it, until
// something else is about to be written there.
import { StateError } from "../errors.js";
import type { FieldValues, MemorySnapshot, SparseTensor } from "../memory/memory.js";
import { sizeOf, type Tensor } from "../tensor.js";
import { controllerTensors, decodeController, encodeController } from "./controllerState.js";
import type { ShardSnapshot } from "./shardSequence.js";
import { type ShardRange, shardRanges } from "./shards.js";
import type { StateLayout } from "./stateLayout.js";
import { checkWholeState } from "./stateShapes.js";
import type { SparseStateTensor, StateTensor } from "./stateTensor.js";

/** Where the content of a state lies while it is resident in an engine. */
export interface Residence {
  snapshots(): ShardSnapshot[];
}

/** Anything that State.from can ask for the layout it must have: a model. */
export interface HasStates {
  /** @internal */
  readonly stateLayout: StateLayout;
}

export class State {
  private kept: readonly ShardSnapshot[] | undefined;
  private residence: Residence | undefined;

  /** @internal states come from `forward`, `initialState` and `State.from` */
  constructor(
    private readonly layout: StateLayout,
    readonly batchSize: number,
    content: readonly ShardSnapshot[] | Residence,
  ) {
    if ("snapshots" in content) this.residence = content;
    else this.kept = content;
  }

  /**
   * A state from tensors named as `tensors()` or `sparseTensors()` name them. Only a sparse memory's clock may be missing: it is then
   * the largest last access of the batch.
   * @throws {StateError} for a name this model does not have, one that is missing, or values that no state has; {ShapeError} for a wrong
   * shape or a value that is not finite
   */
  static from(model: HasStates, tensors: ReadonlyMap<string, StateTensor>): State {
    const layout = model?.stateLayout;
    if (layout === undefined)
      throw new StateError(`State.from: model must be a DNC, SAM or SDNC, got ${model === null ? "null" : typeof model}`);
    const batch = checkWholeState("State.from: tensors", layout, tensors);
    const ranges = rangesOf(layout, batch);
    const dense = onlyDense(tensors);
    return new State(
      layout,
      batch,
      ranges.map((range) => ({
        controller: encodeController(layout, batch, range, dense),
        memories: Array.from({ length: layout.numMemories }, (_, m) => memorySnapshot(layout, m, range, tensors)),
      })),
    );
  }

  /** Hidden state of each layer's cells: h [numHiddenLayers, B, H], and c for LSTM. */
  get controllerHidden(): { h: Tensor; c?: Tensor }[] {
    const tensors = this.controller();
    return Array.from({ length: this.layout.config.numLayers }, (_, l) => {
      const c = tensors.get(`controller_hidden.${l}.c`);
      return { h: tensors.get(`controller_hidden.${l}.h`) as Tensor, ...(c !== undefined && { c }) };
    });
  }

  /** What the last layer read [B, R·W]. */
  get readVectors(): Tensor {
    return this.controller().get("read_vectors") as Tensor;
  }

  /** The tensors of each memory by name: memory [B, N, W], read_weights [B, R, N] and so on. @throws {StateError} when too large to hold densely */
  get memory(): Record<string, Tensor>[] {
    return Array.from({ length: this.layout.numMemories }, (_, m) => Object.fromEntries(this.memoryTensors(m)));
  }

  /**
   * Everything, by the names of models.md: `controller_hidden.{layer}.h`, `memory.{m}.{name}`, `memory.{m}.clock` [1], `read_vectors`.
   * @throws {StateError} when a memory is too large to hold densely; `sparseTensors` always works
   */
  tensors(): Map<string, Tensor> {
    const tensors = this.controller();
    for (let m = 0; m < this.layout.numMemories; m++) {
      for (const [name, tensor] of this.memoryTensors(m)) tensors.set(`memory.${m}.${name}`, tensor);
    }
    return tensors;
  }

  /** As `tensors`, with what belongs to a memory as positions and values. */
  sparseTensors(): Map<string, StateTensor> {
    const tensors: Map<string, StateTensor> = this.controller();
    const { memory, numMemories } = this.layout;
    for (let m = 0; m < numMemories; m++) {
      for (const { name, shape } of memory.stateFields) {
        const elements = this.shards().flatMap((shard) => {
          const snapshot = shard.memories[m] as MemorySnapshot;
          return Array.from({ length: snapshot.batch }, (_, b) => memory.sparseFromSnapshot(snapshot, name, b));
        });
        tensors.set(`memory.${m}.${name}`, joinSparse([this.batchSize, ...shape], elements));
      }
      const clock = this.clock(m);
      if (clock !== undefined) tensors.set(`memory.${m}.clock`, clock);
    }
    return tensors;
  }

  /** @internal whether it is a state of models of a layout */
  belongsTo(layout: StateLayout): boolean {
    return layout.signature === this.layout.signature;
  }

  /** @internal the content of every shard, copied out of the engine when it still lies there */
  shards(): readonly ShardSnapshot[] {
    this.kept ??= (this.residence as Residence).snapshots();
    return this.kept;
  }

  /** @internal whether its content lies there now: `step` may have moved it on elsewhere */
  liesIn(residence: Residence): boolean {
    return this.residence === residence;
  }

  /** @internal copies the content out of `residence`, where something else is about to be written */
  leave(residence: Residence): void {
    if (!this.liesIn(residence)) return;
    this.shards();
    this.residence = undefined;
  }

  /** @internal the content moved on, and lies in `residence` now (`step`) */
  moveOn(residence: Residence): void {
    this.kept = undefined;
    this.residence = residence;
  }

  private controller(): Map<string, Tensor> {
    const tensors = controllerTensors(this.layout, this.batchSize);
    const shards = this.shards();
    for (const [i, range] of rangesOf(this.layout, this.batchSize).entries()) {
      decodeController(this.layout, this.batchSize, range, (shards[i] as ShardSnapshot).controller, tensors);
    }
    return tensors;
  }

  private memoryTensors(m: number): Map<string, Tensor> {
    const { memory } = this.layout;
    const tensors = new Map<string, Tensor>();
    for (const { name, shape } of memory.stateFields) {
      const parts = this.shards().map((shard) => memory.tensorFromSnapshot(shard.memories[m] as MemorySnapshot, name));
      tensors.set(name, joinDense([this.batchSize, ...shape], parts));
    }
    const clock = this.clock(m);
    if (clock !== undefined) tensors.set("clock", clock);
    return tensors;
  }

  private clock(m: number): Tensor | undefined {
    const clock = this.layout.memory.clockOfSnapshot(this.shards()[0]?.memories[m] as MemorySnapshot);
    return clock === undefined ? undefined : { data: Float32Array.of(clock), shape: [1] };
  }
}

/** The empty state. @throws {RangeError} when there is no room for it */
export function emptyState(layout: StateLayout, batch: number): State {
  // More than 4 GiB of controller state fits no engine: not even the list of its shards is to be made.
  if (4 * layout.floats(batch) > 2 ** 32) throw new RangeError(`${batch} elements`);
  const ranges = rangesOf(layout, batch);
  return new State(
    layout,
    batch,
    ranges.map(({ count }) => ({
      controller: new Float32Array(layout.floats(count)),
      memories: Array.from({ length: layout.numMemories }, () => layout.memory.emptySnapshot(count)),
    })),
  );
}

export function rangesOf(layout: StateLayout, batch: number): ShardRange[] {
  return shardRanges(batch, layout.config, !layout.memory.hasClock);
}

/** Parts of consecutive elements as one tensor. */
function joinDense(shape: readonly number[], parts: readonly Tensor[]): Tensor {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return { data: only.data, shape };
  const data = new Float32Array(sizeOf(shape));
  let next = 0;
  for (const part of parts) {
    data.set(part.data, next);
    next += part.data.length;
  }
  return { data, shape };
}

/** One sparse tensor for each element as one of the batch. */
function joinSparse(shape: readonly number[], elements: readonly SparseTensor[]): SparseStateTensor {
  const count = elements.reduce((sum, { values }) => sum + values.length, 0);
  const rank = shape.length;
  const positions = new Int32Array(count * rank);
  const values = new Float32Array(count);
  let next = 0;
  for (const [b, element] of elements.entries()) {
    values.set(element.values, next);
    writePositions(positions.subarray(next * rank), shape, b, element.positions);
    next += element.values.length;
  }
  return { shape, positions, values };
}

/** Flat positions within element `b` as an index for each axis. Most follow the one before along the last axis, and need no division. */
function writePositions(out: Int32Array, shape: readonly number[], b: number, flat: Float64Array): void {
  const rank = shape.length;
  const width = shape[rank - 1] as number;
  let left = 0; // positions on this row of the last axis after the latest
  for (let i = 0, at = 0; i < flat.length; i++, at += rank) {
    const position = flat[i] as number;
    if (left > 0 && position === (flat[i - 1] as number) + 1) {
      for (let axis = 0; axis < rank; axis++) out[at + axis] = out[at - rank + axis] as number;
      out[at + rank - 1] = (out[at - 1] as number) + 1;
      left--;
      continue;
    }
    let rest = position;
    for (let axis = rank - 1; axis > 0; axis--) {
      const size = shape[axis] as number;
      const outer = Math.floor(rest / size);
      out[at + axis] = rest - outer * size;
      rest = outer;
    }
    out[at] = b;
    left = width - 1 - (out[at + rank - 1] as number);
  }
}

/** A field's values of consecutive elements, part by part, as one tensor of them all. */
export function joinFields(shape: readonly number[], parts: readonly FieldValues[]): StateTensor {
  const dense = parts.filter((part): part is Tensor => "data" in part);
  if (dense.length === parts.length) return joinDense(shape, dense);
  return joinSparse(shape, (parts as readonly (readonly SparseTensor[])[]).flat());
}

/** A field that is zero everywhere, in the form that a dense or a sparse memory gives. */
export function zeroField(shape: readonly number[], sparse: boolean): StateTensor {
  return sparse ? joinSparse(shape, []) : joinDense(shape, []);
}

/** The part of a batch's tensor that belongs to the elements of a range. */
export function fieldOfRange(tensor: StateTensor, { from, count }: ShardRange): FieldValues {
  const inner = tensor.shape.slice(1);
  const size = sizeOf(inner);
  if ("data" in tensor) return { data: tensor.data.slice(from * size, (from + count) * size), shape: [count, ...inner] };
  const rank = tensor.shape.length;
  const positions: number[][] = Array.from({ length: count }, () => []);
  const values: number[][] = Array.from({ length: count }, () => []);
  for (const [i, value] of tensor.values.entries()) {
    const at = tensor.positions.subarray(i * rank, (i + 1) * rank);
    const element = (at[0] as number) - from;
    if (element < 0 || element >= count) continue;
    positions[element]?.push(inner.reduce((flat, width, axis) => flat * width + (at[axis + 1] as number), 0));
    values[element]?.push(value);
  }
  return positions.map((p, b) => ({ shape: inner, positions: Float64Array.from(p), values: Float32Array.from(values[b] as number[]) }));
}

/** Those of the tensors that are not sparse. */
export function onlyDense(tensors: ReadonlyMap<string, StateTensor>): Map<string, Tensor> {
  const dense = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) if ("data" in tensor) dense.set(name, tensor);
  return dense;
}

function memorySnapshot(layout: StateLayout, m: number, range: ShardRange, tensors: ReadonlyMap<string, StateTensor>): MemorySnapshot {
  const { memory } = layout;
  const fields = new Map<string, FieldValues>();
  for (const { name } of memory.stateFields) {
    const tensor = tensors.get(`memory.${m}.${name}`);
    if (tensor !== undefined) fields.set(name, fieldOfRange(tensor, range));
  }
  return memory.snapshotFromTensors(fields, range.count, memory.hasClock ? clockOf(m, tensors) : undefined);
}

/** The clock as given, else the largest last access of the whole batch. */
function clockOf(m: number, tensors: ReadonlyMap<string, StateTensor>): number {
  const clock = tensors.get(`memory.${m}.clock`);
  if (clock !== undefined && "data" in clock) return clock.data[0] as number;
  const lastAccess = tensors.get(`memory.${m}.last_access`);
  const values = lastAccess === undefined ? [] : "data" in lastAccess ? lastAccess.data : lastAccess.values;
  let largest = 0;
  for (const value of values) largest = Math.max(largest, value);
  return largest;
}
