// A whole batch over a sequence: its shards, one after the other, in passes of a plan. This is what a tape is made of, and what
// evaluation and streaming run on.
import type { Engine } from "../engine/engine.js";
import type { GradientSum } from "../engine/gradientSum.js";
import { EngramError } from "../errors.js";
import type { FieldValues } from "../memory/memory.js";
import { controllerTensors, decodeController, encodeController } from "./controllerState.js";
import type { DropoutKey, Pass, Schedule } from "./frame.js";
import type { Network } from "./network.js";
import { type ShardGradients, ShardSequence, type ShardSnapshot } from "./shardSequence.js";
import type { CallShape, ScheduleCache, ShardRange } from "./shards.js";
import { fieldOfRange, joinFields, onlyDense, type Residence, rangesOf, type State, zeroField } from "./state.js";
import type { StateTensor } from "./stateTensor.js";

/** Steps of a pass that keeps nothing for going back: enough for full products, few enough to stay small for any T. */
const UNRECORDED_STEPS = 32;

const stepPass: Pass = { record: false, passThroughMemory: true, dropout: undefined, firstStep: 0, afterAccess: undefined };

export interface Call extends CallShape {
  readonly record: boolean;
  /** Keep saved points only, so many time steps apart, and run forward again between them going back; 0: keep everything. */
  readonly recompute: number;
  readonly passThroughMemory: boolean;
  readonly dropout: DropoutKey | undefined;
}

/** Watches the memory of the batch's first element after each access. */
export interface AccessWatcher {
  afterAccess(sequence: ShardSequence, layer: number): void;
}

/** First steps of the passes of a call, and T. */
function passBounds(call: Call): number[] {
  const { steps } = call;
  const span = !call.record ? UNRECORDED_STEPS : call.recompute || steps;
  const bounds: number[] = [];
  for (let t = 0; t < steps; t += span) bounds.push(t);
  return [...bounds, steps];
}

export class Sequences implements Residence {
  ranges: ShardRange[] = [];
  shards: ShardSequence[] = [];
  batch = 0;
  /** The state whose content the latest call left in the shards (`step` may have moved it on elsewhere since: see `isAt`). */
  holds: State | undefined;
  private call: Call | undefined;
  /** Whether the latest call emptied the memories it began with: no gradient reaches those. */
  private wasReset = false;
  /** Each shard's schedule of one step of streaming, found at the first. */
  private stepSchedules: Schedule[] = [];
  /** With `recompute`, the states each shard started its passes with. */
  private saved: ShardSnapshot[][] = [];
  /** With `recompute`, each shard's gradients of the state the call began with, read before its last state was put back. */
  private gradients: ShardGradients[] = [];

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
    this.batch = 0; // should there be too little memory, the next call comes here again
    this.ranges = rangesOf(this.network.layout, batch);
    this.stepSchedules = [];
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
    this.holds?.leave(this);
    this.holds = undefined;
  }

  /** Whether the shards' present state is that of `state`. */
  isAt(state: State | undefined): boolean {
    return state !== undefined && this.holds === state && state.liesIn(this);
  }

  /** Makes `state` (undefined: empty) the state the next call goes on from. The state that lay here is copied out. */
  enter(state: State | undefined): void {
    const isHere = this.isAt(state);
    this.wasReset = false;
    this.leave();
    if (isHere) return;
    const snapshots = state?.shards();
    for (const [i, shard] of this.shards.entries()) {
      const snapshot = snapshots?.[i];
      if (snapshot === undefined) shard.clear();
      else shard.restore(snapshot);
    }
  }

  resetMemories(): void {
    this.wasReset = true;
    for (const shard of this.shards) shard.clearMemories();
  }

  snapshots(): ShardSnapshot[] {
    return this.shards.map((shard) => shard.snapshot());
  }

  /**
   * Runs all shards over the input staged at `input` in natural order, writing the output, natural order, to `output` (zeroed before:
   * rows past an element's length are not written).
   * @throws {EngramError} when there is too little memory, before any shard runs
   */
  forward(call: Call, input: number, output: number, watcher: AccessWatcher | undefined): void {
    this.call = call;
    this.saved = [];
    this.gradients = [];
    const bounds = passBounds(call);
    const record = call.record && call.recompute === 0;
    const firstSchedules = this.reserveFirst(bounds, record);
    for (const [i, shard] of this.shards.entries()) {
      this.saved.push([]);
      shard.startCall();
      for (let p = 0; p + 1 < bounds.length; p++) {
        if (call.record && call.recompute > 0) this.saved[i]?.push(shard.snapshot());
        const schedule = p === 0 ? (firstSchedules[i] as Schedule) : this.schedule(i, p, bounds);
        this.pass(shard, schedule, bounds[p] as number, record, input, i === 0 ? watcher : undefined);
        this.scatter(shard, output);
      }
    }
  }

  /** Room for every shard's first pass, which is as long as any: what does not fit is let go of again, and nothing has run. */
  private reserveFirst(bounds: readonly number[], record: boolean): Schedule[] {
    const schedules: Schedule[] = [];
    try {
      for (const [i, shard] of this.shards.entries()) {
        const schedule = this.schedule(i, 0, bounds);
        schedules.push(schedule);
        shard.reserve(schedule, this.passOf(0, record, undefined));
      }
    } catch (cause) {
      const parts = this.shards.length;
      this.dispose();
      if (!(cause instanceof EngramError) || parts === 1) throw cause;
      throw new EngramError(`for ${schedules.length} of ${parts} equal parts of the batch, ${cause.message}`, cause.code, { cause });
    }
    return schedules;
  }

  /** One time step of all shards in evaluation mode, from natural order to natural order. */
  step(call: Call, input: number, output: number): void {
    this.call = call;
    for (let i = 0; i < this.shards.length; i++) {
      const shard = this.shards[i] as ShardSequence;
      this.stepSchedules[i] ??= this.schedules.get(call, this.ranges[i] as ShardRange, 0, 1);
      shard.reserve(this.stepSchedules[i] as Schedule, stepPass);
      shard.startCall();
      shard.forward(input);
      this.scatter(shard, output);
    }
  }

  private schedule(index: number, p: number, bounds: readonly number[]): Schedule {
    return this.schedules.get(this.call as Call, this.ranges[index] as ShardRange, bounds[p] as number, bounds[p + 1] as number);
  }

  private passOf(firstStep: number, record: boolean, afterAccess: Pass["afterAccess"]): Pass {
    const { passThroughMemory, dropout } = this.call as Call;
    return { record, passThroughMemory, dropout, firstStep, afterAccess };
  }

  private pass(
    shard: ShardSequence,
    schedule: Schedule,
    firstStep: number,
    record: boolean,
    input: number,
    watcher: AccessWatcher | undefined,
  ): void {
    const afterAccess = watcher === undefined ? undefined : (layer: number) => watcher.afterAccess(shard, layer);
    shard.reserve(schedule, this.passOf(firstStep, record, afterAccess));
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
   * @param sumOf where shard i adds its weight gradients
   * @param dOutput staged gradient of the output, natural order
   * @param dInput where the gradient of the input goes, natural order, zeroed before; 0 for none
   * @param input the call's input, staged as it was (needed with `recompute`)
   */
  backward(
    sumOf: (shard: number) => GradientSum,
    dOutput: number,
    dInput: number,
    input: number,
    stateGradients: ReadonlyMap<string, StateTensor> | undefined,
  ): void {
    const call = this.call as Call;
    const bounds = passBounds(call);
    for (const [i, shard] of this.shards.entries()) {
      const end = call.recompute > 0 ? shard.snapshot() : undefined;
      let later = stateGradients === undefined ? undefined : this.shardGradients(i, stateGradients);
      for (let p = bounds.length - 2; p >= 0; p--) {
        if (call.recompute > 0) {
          shard.restore(this.saved[i]?.[p] as ShardSnapshot);
          this.pass(shard, this.schedule(i, p, bounds), bounds[p] as number, true, input, undefined);
        }
        this.backwardPass(shard, sumOf(i), dOutput, dInput, later);
        if (p > 0) later = shard.stateGradients();
      }
      if (end === undefined) continue;
      this.gradients.push(shard.callGradients());
      shard.restore(end);
    }
  }

  private backwardPass(shard: ShardSequence, sum: GradientSum, dOutput: number, dInput: number, later: ShardGradients | undefined): void {
    const { widths, config } = this.network;
    const { kernels } = this.engine;
    const { frame } = shard;
    const [X, O] = [config.inputSize, config.outputSize];
    kernels.gatherRows(shard.dOutput, 4 * widths.output, dOutput, 4 * O, frame.source, frame.totalRows, O);
    shard.beginBackward(later, true);
    shard.backward(sum, dInput !== 0);
    if (dInput !== 0) kernels.scatterRows(dInput, 4 * X, shard.dX, 4 * widths.x, frame.source, frame.totalRows, X);
  }

  /** One shard's part of the gradients of a whole batch's state. */
  private shardGradients(i: number, gradients: ReadonlyMap<string, StateTensor>): ShardGradients {
    const { network } = this;
    const range = this.ranges[i] as ShardRange;
    const memories = Array.from({ length: network.layout.numMemories }, (_, m) => {
      const fields = new Map<string, FieldValues>();
      for (const name of network.memory.gradientFields) {
        const tensor = gradients.get(`memory.${m}.${name}`);
        if (tensor !== undefined) fields.set(name, fieldOfRange(tensor, range));
      }
      return fields;
    });
    return { controller: encodeController(network.layout, this.batch, range, onlyDense(gradients)), memories };
  }

  /**
   * The gradients of the state the latest call began with, after `backward`.
   * @param given those that `backward` was given: a memory that was passed by hands its own on unchanged, one that was emptied none
   */
  stateGradients(given: ReadonlyMap<string, StateTensor> | undefined): Map<string, StateTensor> {
    const { network, batch } = this;
    const parts = this.shards.map((shard, i) => this.gradients[i] ?? shard.callGradients());
    const controller = controllerTensors(network.layout, batch);
    for (const [i, part] of parts.entries())
      decodeController(network.layout, batch, this.ranges[i] as ShardRange, part.controller, controller);
    const joined = new Map<string, StateTensor>(controller);
    for (let m = 0; m < network.layout.numMemories; m++) {
      for (const { name, shape } of network.memory.stateFields) {
        if (!network.memory.gradientFields.includes(name)) continue;
        const key = `memory.${m}.${name}`;
        const fields = parts.map((part) => part.memories[m]?.get(name)).filter((field) => field !== undefined);
        if (this.wasReset) joined.set(key, zeroField([batch, ...shape], network.memory.hasClock));
        else if (fields.length > 0) joined.set(key, joinFields([batch, ...shape], fields));
        else joined.set(key, given?.get(key) ?? zeroField([batch, ...shape], network.memory.hasClock));
      }
    }
    return joined;
  }
}
