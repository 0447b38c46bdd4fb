// A whole batch over a sequence: its shards, one after the other, in passes of a plan. This is what a tape is made of, and what
// evaluation and streaming run on.
import type { Engine } from "../engine/engine.js";
import type { FieldValues, MemoryTape } from "../memory/memory.js";
import type { Tensor } from "../tensor.js";
import { controllerTensors, decodeController, encodeController } from "./controllerState.js";
import type { DropoutKey, Pass } from "./frame.js";
import type { Network } from "./network.js";
import { ShardSequence } from "./shardSequence.js";
import { type CallShape, type ScheduleCache, type ShardRange } from "./shards.js";
import { fieldOfRange, joinFields, rangesOf, type Residence, type ShardSnapshot, type State, type StateTensor } from "./state.js";

/** Steps of a pass that keeps nothing for going back: enough for full products, few enough to stay small for any T. */
const UNRECORDED_STEPS = 32;

const stepPass: Pass = { record: false, passThroughMemory: true, dropout: undefined, firstStep: 0, afterAccess: undefined };

export interface Call extends CallShape {
  readonly record: boolean;
  /** Keep saved points only, and run forward again between them when going back. */
  readonly recompute: boolean;
  readonly passThroughMemory: boolean;
  readonly dropout: DropoutKey | undefined;
}

/** The state at the start of every pass of a shard, and at its end. */
interface SavedPoints {
  readonly starts: ShardSnapshot[];
  end: ShardSnapshot | undefined;
}

/** Watches the memory of the batch's first element after each access. */
export interface AccessWatcher {
  afterAccess(sequence: ShardSequence, layer: number): void;
}

/** First steps of the passes of a call, and T. */
function passBounds(call: Call): number[] {
  const { steps } = call;
  const span = !call.record ? UNRECORDED_STEPS : call.recompute ? Math.max(1, Math.ceil(Math.sqrt(steps))) : steps;
  const bounds: number[] = [];
  for (let t = 0; t < steps; t += span) bounds.push(t);
  return [...bounds, steps];
}

export class Sequences implements Residence {
  ranges: ShardRange[] = [];
  shards: ShardSequence[] = [];
  batch = 0;
  /** The state whose content is the shards' present state. */
  holds: State | undefined;
  private call: Call | undefined;
  private saved: SavedPoints[] = [];

  constructor(
    private readonly engine: Engine,
    private readonly network: Network,
    private readonly schedules: ScheduleCache,
  ) {}

  get bytes(): number {
    return this.shards.reduce((sum, shard) => sum + shard.bytes, 0);
  }

  /** One shard sequence for each shard of a batch; the state becomes empty when the batch changes. */
  open(batch: number): void {
    if (batch === this.batch) return;
    this.leave();
    this.ranges = rangesOf(this.network, batch);
    for (const shard of this.shards.splice(this.ranges.length)) shard.dispose();
    while (this.shards.length < this.ranges.length) this.shards.push(new ShardSequence(this.engine, this.network));
    for (const [i, shard] of this.shards.entries()) shard.reserveState((this.ranges[i] as ShardRange).count);
    this.batch = batch;
  }

  dispose(): void {
    this.leave();
    for (const shard of this.shards) shard.dispose();
    this.shards = [];
    this.batch = 0;
  }

  /** Copies the state that lies here out to its State, before something else is written. */
  leave(): void {
    this.holds?.leave();
    this.holds = undefined;
  }

  /** Makes `state` (undefined: empty) the state the next call goes on from. The state that lay here is copied out. */
  enter(state: State | undefined): void {
    const isHere = state !== undefined && this.holds === state;
    this.leave();
    if (isHere) return;
    const snapshots = state?.shards();
    for (const [i, shard] of this.shards.entries()) {
      const snapshot = snapshots?.[i];
      if (snapshot === undefined) shard.clear();
      else this.restore(shard, snapshot);
    }
  }

  resetMemories(): void {
    for (const shard of this.shards) shard.clearMemories();
  }

  snapshots(): ShardSnapshot[] {
    return this.shards.map((shard, i) => this.snapshot(shard, this.ranges[i] as ShardRange));
  }

  private snapshot(shard: ShardSequence, { count }: ShardRange): ShardSnapshot {
    return {
      controller: this.engine.f32(shard.state, this.network.stateFloats(count)).slice(),
      memories: shard.memories.map((memory) => memory.snapshot()),
    };
  }

  private restore(shard: ShardSequence, snapshot: ShardSnapshot): void {
    this.engine.f32(shard.state, snapshot.controller.length).set(snapshot.controller);
    for (const [m, memory] of shard.memories.entries()) memory.restore(snapshot.memories[m] as (typeof snapshot.memories)[number]);
  }

  /**
   * Runs all shards over the input staged at `input` in natural order, writing the output, natural order, to `output` (zeroed before:
   * rows past an element's length are not written).
   */
  forward(call: Call, input: number, output: number, watcher: AccessWatcher | undefined): void {
    this.call = call;
    this.saved = [];
    const bounds = passBounds(call);
    for (const [i, shard] of this.shards.entries()) {
      const points: SavedPoints = { starts: [], end: undefined };
      for (let p = 0; p + 1 < bounds.length; p++) {
        if (call.record && call.recompute) points.starts.push(this.snapshot(shard, this.ranges[i] as ShardRange));
        this.pass(shard, i, p, bounds, call.record && !call.recompute, input, i === 0 ? watcher : undefined);
        this.scatter(shard, output);
      }
      this.saved.push(points);
    }
  }

  /** One time step of all shards in evaluation mode, from natural order to natural order. */
  step(call: Call, input: number, output: number): void {
    this.call = call;
    for (let i = 0; i < this.shards.length; i++) {
      const shard = this.shards[i] as ShardSequence;
      shard.reserve(this.schedules.get(call, this.ranges[i] as ShardRange, 0, 1), stepPass);
      shard.forward(input);
      this.scatter(shard, output);
    }
  }

  private pass(
    shard: ShardSequence,
    index: number,
    p: number,
    bounds: readonly number[],
    record: boolean,
    input: number,
    watcher: AccessWatcher | undefined,
  ): void {
    const call = this.call as Call;
    const [first, last] = [bounds[p] as number, bounds[p + 1] as number];
    const schedule = this.schedules.get(call, this.ranges[index] as ShardRange, first, last);
    const pass: Pass = {
      record,
      passThroughMemory: call.passThroughMemory,
      dropout: call.dropout,
      firstStep: first,
      afterAccess: watcher === undefined ? undefined : (layer) => watcher.afterAccess(shard, layer),
    };
    shard.reserve(schedule, pass);
    shard.forward(input);
  }

  private scatter(shard: ShardSequence, output: number): void {
    const { widths, config } = this.network;
    const { frame } = shard;
    const size = config.outputSize;
    this.engine.kernels.scatterRows(output, 4 * size, shard.output, 4 * widths.output, frame.source, frame.totalRows, size);
  }

  /**
   * Goes back through the latest recorded call.
   * @param addTo where shard i adds its weight gradients
   * @param dOutput staged gradient of the output, natural order
   * @param dInput where the gradient of the input goes, natural order, zeroed before; 0 for none
   * @param input the call's input, staged as it was (needed with `recompute`)
   */
  backward(
    addTo: (shard: number) => number,
    dOutput: number,
    dInput: number,
    input: number,
    stateGradients: ReadonlyMap<string, StateTensor> | undefined,
  ): void {
    const call = this.call as Call;
    const bounds = passBounds(call);
    for (const [i, shard] of this.shards.entries()) {
      const range = this.ranges[i] as ShardRange;
      const points = this.saved[i] as SavedPoints;
      const end = call.recompute ? this.snapshot(shard, range) : undefined;
      let gradients = stateGradients;
      let within = { batch: this.batch, range };
      for (let p = bounds.length - 2; p >= 0; p--) {
        if (call.recompute) {
          this.restore(shard, points.starts[p] as ShardSnapshot);
          this.pass(shard, i, p, bounds, true, input, undefined);
        }
        this.backwardPass(shard, within, addTo(i), dOutput, dInput, gradients);
        if (p === 0) continue;
        within = { batch: range.count, range: { from: 0, count: range.count } };
        gradients = this.gatherStateGradients([shard], [within.range], range.count);
      }
      if (end !== undefined) this.restore(shard, end);
    }
  }

  /** @param within the batch that `gradients` are of, and where the shard lies in it */
  private backwardPass(
    shard: ShardSequence,
    within: { batch: number; range: ShardRange },
    addTo: number,
    dOutput: number,
    dInput: number,
    gradients: ReadonlyMap<string, StateTensor> | undefined,
  ): void {
    const { widths, config } = this.network;
    const { kernels } = this.engine;
    const { frame } = shard;
    const [X, O] = [config.inputSize, config.outputSize];
    kernels.gatherRows(shard.dOutput, 4 * widths.output, dOutput, 4 * O, frame.source, frame.totalRows, O);
    if (gradients === undefined) shard.clearCarried();
    else this.loadControllerGradients(shard, within, gradients);
    if (frame.pass.passThroughMemory) {
      for (const [m, memory] of shard.memories.entries()) memory.beginBackward(this.memoryGradients(m, within.range, gradients));
    }
    shard.backward(addTo, dInput !== 0);
    if (frame.pass.passThroughMemory) for (const memory of shard.memories) memory.endBackward();
    if (dInput !== 0) kernels.scatterRows(dInput, 4 * X, shard.dX, 4 * widths.x, frame.source, frame.totalRows, X);
  }

  private loadControllerGradients(
    shard: ShardSequence,
    { batch, range }: { batch: number; range: ShardRange },
    gradients: ReadonlyMap<string, StateTensor>,
  ): void {
    const dense = new Map<string, Tensor>();
    for (const [name, tensor] of gradients) if ("data" in tensor) dense.set(name, tensor);
    const values = encodeController(this.network, batch, range, dense);
    const at = this.engine.allocate(4 * values.length);
    this.engine.f32(at, values.length).set(values);
    shard.loadCarried(at);
    this.engine.free(at);
  }

  private memoryGradients(m: number, range: ShardRange, gradients: ReadonlyMap<string, StateTensor> | undefined): Map<string, FieldValues> | undefined {
    if (gradients === undefined) return undefined;
    const fields = new Map<string, FieldValues>();
    for (const name of this.network.memory.gradientFields) {
      const tensor = gradients.get(`memory.${m}.${name}`);
      if (tensor !== undefined) fields.set(name, fieldOfRange(tensor, range));
    }
    return fields;
  }

  /** The gradients of the state at the start of the passes that some shards have just gone back through, as of a batch of these alone. */
  private gatherStateGradients(shards: readonly ShardSequence[], ranges: readonly ShardRange[], batch: number): Map<string, StateTensor> {
    const { network, engine } = this;
    const controller = controllerTensors(network, batch);
    for (const [i, shard] of shards.entries()) {
      const range = ranges[i] as ShardRange;
      const floats = network.stateFloats(range.count);
      const at = engine.allocate(4 * floats);
      shard.saveCarried(at);
      decodeController(network, batch, range, engine.f32(at, floats), controller);
      engine.free(at);
    }
    const gradients = new Map<string, StateTensor>(controller);
    for (let m = 0; m < network.numMemories; m++) {
      for (const name of network.memory.gradientFields) {
        const parts = shards.map((shard) => (shard.memories[m] as MemoryTape).stateGradient(name));
        gradients.set(`memory.${m}.${name}`, joinFields([batch, ...this.fieldShape(name)], parts));
      }
    }
    return gradients;
  }

  private fieldShape(name: string): readonly number[] {
    return this.network.memory.stateFields.find((field) => field.name === name)?.shape ?? [];
  }

  /**
   * The gradients of the state the latest call began with, after `backward`.
   * @param given those that `backward` was given: a memory that was passed by hands its own on unchanged
   */
  stateGradients(given: ReadonlyMap<string, StateTensor> | undefined): Map<string, StateTensor> {
    const joined = this.gatherStateGradients(this.shards, this.ranges, this.batch);
    if ((this.call as Call).passThroughMemory) return joined;
    for (const name of joined.keys()) {
      if (!name.startsWith("memory.")) continue;
      const kept = given?.get(name);
      if (kept === undefined) joined.delete(name);
      else joined.set(name, kept);
    }
    return joined;
  }
}
