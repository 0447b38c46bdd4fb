// What a trainer needs to go on exactly where it was, as a value: its numbers, and tensors under names.
import { CheckpointError } from "../errors.js";
import type { Core } from "../models/core.js";
import { State } from "../models/state.js";
import type { StateLayout } from "../models/stateLayout.js";
import type { SparseStateTensor, StateTensor } from "../models/stateTensor.js";
import type { Tensor } from "../tensor.js";
import type { OptimizerState } from "./optimizers.js";

/** Everything a trainer needs to go on exactly where it was, besides the model's weights and its own options. */
export interface TrainerState {
  readonly optimizer: OptimizerState;
  /** Batches seen. */
  readonly step: number;
  readonly learningRate: number;
  /** Training forwards of the model so far: where dropout's masks are in their sequence. */
  readonly forwards: number;
  /** Batches accumulated towards the next update. */
  readonly accumulated: number;
  /** Batch size of the states that the next step goes on from (`carryState`); left out where it starts from the empty state. */
  readonly carriedBatch?: number;
  /**
   * Moments by `{moment}.{parameter}`; with accumulated batches the gradients by `gradient.{parameter}`; states carried on by
   * `carried.{name}`, what belongs to a sparse memory as `carried.{name}.positions` [count, rank] and `carried.{name}.values` [count].
   * All exact, but for a sparse memory's clock and last accesses after 2²⁴ accesses, which are float32 as in every state.
   */
  readonly tensors: Map<string, Tensor>;
}

/**
 * Whether it is a trainer's state at all.
 * @param accumulate batches that the trainer takes for one update
 * @throws {CheckpointError} naming what is not as it must be
 */
export function checkTrainerState(state: TrainerState, accumulate: number): void {
  if (typeof state !== "object" || state === null || !(state.tensors instanceof Map)) {
    throw new CheckpointError("the trainer's state must be what trainer.state() or readCheckpoint gives, with a Map of tensors");
  }
  for (const name of ["step", "forwards", "accumulated"] as const) {
    if (Number.isSafeInteger(state[name]) && state[name] >= 0) continue;
    throw new CheckpointError(`the trainer's state: ${name} must be a whole number of 0 or more, got ${String(state[name])}`);
  }
  if (state.accumulated >= accumulate && state.accumulated > 0) {
    throw new CheckpointError(
      `the trainer's state has ${state.accumulated} batches accumulated, this trainer updates every ${accumulate}: resume with the options it had`,
    );
  }
  if (typeof state.learningRate === "number" && state.learningRate >= 0 && Number.isFinite(state.learningRate)) return;
  throw new CheckpointError(`the trainer's state: learningRate must be a finite number of 0 or more, got ${String(state.learningRate)}`);
}

/** Copies of the values at `base`, laid out as the weights, as `{prefix}.{parameter}`. */
export function addParameterTensors(tensors: Map<string, Tensor>, { engine, network }: Core, prefix: string, base: number): void {
  for (const { name, shape, offset, count } of network.parameters) {
    tensors.set(`${prefix}.${name}`, { data: engine.f32(base + 4 * offset, count).slice(), shape });
  }
}

/** @throws {CheckpointError} when a parameter has no tensor of its size under one of the prefixes */
export function checkParameterTensors({ tensors }: TrainerState, { network }: Core, prefixes: Iterable<string>): void {
  for (const prefix of prefixes) {
    for (const { name, count } of network.parameters) {
      const tensor = tensors.get(`${prefix}.${name}`);
      if (tensor?.data.length !== count) throw new CheckpointError(`the trainer's state lacks ${prefix}.${name} of ${count} values`);
    }
  }
}

/** What `addParameterTensors` copied, put back. */
export function putParameterTensors({ tensors }: TrainerState, { engine, network }: Core, prefix: string, base: number): void {
  for (const { name, offset, count } of network.parameters) {
    engine.f32(base + 4 * offset, count).set((tensors.get(`${prefix}.${name}`) as Tensor).data);
  }
}

const CARRIED = "carried.";
const POSITIONS = ".positions";
const VALUES = ".values";

/** The tensors of a state carried on. Positions are below 2²⁴, so float32 holds them exactly. */
export function addCarriedTensors(tensors: Map<string, Tensor>, state: State, layout: StateLayout): void {
  const all: ReadonlyMap<string, StateTensor> = layout.memory.hasClock ? state.sparseTensors() : state.tensors();
  for (const [name, tensor] of all) {
    if ("data" in tensor) {
      tensors.set(CARRIED + name, tensor);
      continue;
    }
    const { shape, positions, values } = tensor;
    tensors.set(CARRIED + name + POSITIONS, { data: Float32Array.from(positions), shape: [values.length, shape.length] });
    tensors.set(CARRIED + name + VALUES, { data: values, shape: [values.length] });
  }
}

/** @throws {CheckpointError} when the tensors are not those of a state of such a model */
export function carriedState({ tensors, carriedBatch }: TrainerState, layout: StateLayout): State | undefined {
  if (carriedBatch === undefined) return undefined;
  try {
    const state = State.from({ stateLayout: layout }, stateTensors(tensors, carriedBatch, layout));
    if (state.batchSize === carriedBatch) return state;
    throw new CheckpointError(`they are of batch size ${state.batchSize}, not ${carriedBatch}`);
  } catch (error) {
    throw new CheckpointError(`the trainer's state: the states carried on do not fit: ${(error as Error).message}`, { cause: error });
  }
}

function stateTensors(tensors: ReadonlyMap<string, Tensor>, batch: number, layout: StateLayout): Map<string, StateTensor> {
  const found = new Map<string, StateTensor>();
  for (const [name, tensor] of tensors) {
    if (!name.startsWith(CARRIED) || name.endsWith(VALUES)) continue;
    const own = name.slice(CARRIED.length);
    if (own.endsWith(POSITIONS)) found.set(...sparseTensor(own.slice(0, -POSITIONS.length), tensors, batch, layout));
    else found.set(own, tensor);
  }
  return found;
}

function sparseTensor(
  name: string,
  tensors: ReadonlyMap<string, Tensor>,
  batch: number,
  { memory }: StateLayout,
): [string, SparseStateTensor] {
  const field = memory.stateFields.find((each) => name.endsWith(`.${each.name}`));
  const positions = (tensors.get(CARRIED + name + POSITIONS) as Tensor).data;
  const values = tensors.get(CARRIED + name + VALUES)?.data ?? new Float32Array(0);
  return [name, { shape: [batch, ...(field?.shape ?? [])], positions: Int32Array.from(positions), values }];
}
