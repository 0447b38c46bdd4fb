// One thread's part of a training step: forward, loss and backward, shard by shard, so that what is kept for going back is one
// shard's and not the batch's. Every thread runs this same code on the lanes it picks up.
import type { Engine } from "../engine/engine.js";
import { clearUnset, type GradientSum } from "../engine/gradientSum.js";
import type { Relay } from "../engine/relay.js";
import type { DropoutKey, Pass } from "../models/frame.js";
import type { Network } from "../models/network.js";
import { type ShardGradients, ShardSequence, type ShardSnapshot } from "../models/shardSequence.js";
import { type CallShape, lanes, ScheduleCache, type ShardRange } from "../models/shards.js";
import { rangesOf } from "../models/state.js";
import { type ArenaJob, runArenaJob } from "./arenaJobs.js";
import { type CarryJob, pack, unpack } from "./carriedStates.js";
import { type LossPlan, readoutLoss, runLoss } from "./losses.js";
import { RunningReadout, readoutBytes } from "./runningReadout.js";

/** A training step as plain data. Addresses are of the whole batch's staged tensors, in natural order. */
export interface StepJob {
  readonly lanes: number;
  readonly shape: CallShape;
  readonly plan: LossPlan;
  readonly dropout: DropoutKey | undefined;
  /** Time steps gone back through at a time: T, or fewer to cut gradients at the border (`chunk`). */
  readonly chunk: number;
  /** Time steps run forward again at a time, 0 for none (`recompute`). */
  readonly recompute: number;
  /** Each shard goes on from the state its last step left; `restart` forgets these states first. */
  readonly carryState: boolean;
  readonly restart: boolean;
  readonly input: number;
  readonly target: number;
  readonly mask: number;
  /** The shape's lengths (i32) again, where every thread can read them. */
  readonly lengths: number;
  /** Where lane i adds its gradients: sums + i · laneBytes. `startSums`: each lane starts its sum anew. */
  readonly sums: number;
  readonly laneBytes: number;
  readonly startSums: boolean;
  /** f64 for each shard: its Σ m·l. */
  readonly losses: number;
  /** 1 / Σ m over everything that one update averages. */
  readonly scale: number;
}

/** What threads share: the shards of a training step, a pass over all weights before or after them, or the states carried from one step to the next. */
export type Job = StepJob | ArenaJob | CarryJob;

/** A job as text, to hand it to a worker over shared memory. Lengths, which may be many, stay where they are staged. */
export function writeJob(job: Job): string {
  return JSON.stringify(job, (_key, value: unknown) => {
    return value instanceof Int32Array ? { staged: (job as StepJob).lengths, count: value.length } : value;
  });
}

export function readJob(engine: Engine, text: string): Job {
  return JSON.parse(text, (_key, value) => (value?.staged === undefined ? value : engine.i32(value.staged, value.count).slice()));
}

/** Where a walk that is run forward again has kept its state. */
interface SavedPoint {
  readonly t: number;
  readonly state: ShardSnapshot;
  /** Elements that run in step t. */
  readonly active: number;
}

function passRows({ frame, output, dOutput }: ShardSequence) {
  return { output, dOutput, elements: frame.elements, rows: frame.totalRows };
}

/** The lanes that thread `index` runs: those it claims, or with states carried from step to step always the same ones. */
export function* claimed(relay: Relay, job: Job, number: number, index: number, threads: number): Generator<number> {
  if (job.carryState) {
    for (let lane = index; lane < job.lanes; lane += threads) yield lane;
    return;
  }
  for (let lane = relay.claim(number, job.lanes); lane >= 0; lane = relay.claim(number, job.lanes)) yield lane;
}

export class LaneRunner {
  private readonly schedules = new ScheduleCache();
  /** The one that runs every shard in turn, or with carryState one for each shard. */
  private readonly sequences: ShardSequence[] = [];
  private scratch = 0;
  private scratchBytes = 0;

  constructor(
    private readonly engine: Engine,
    private readonly network: Network,
    /** Called at every time step, for threads that must show they are alive. */
    private readonly pulse?: () => void,
  ) {}

  get bytes(): number {
    return this.sequences.reduce((sum, sequence) => sum + sequence.bytes, this.scratchBytes);
  }

  /** Does one lane of a job. */
  run(job: Job, lane: number): void {
    if ("arena" in job) runArenaJob(this.engine, this.network, job, lane);
    else if ("carry" in job) this.shardsOf(lane, job.batch, (shard, range) => this.carry(job, shard, range));
    else this.runLane(job, lane);
  }

  /** Does the shards of one lane of a training step. */
  private runLane(job: StepJob, lane: number): void {
    const sum: GradientSum = { at: job.sums + lane * job.laneBytes, bytes: job.laneBytes, isUnset: job.startSums };
    this.shardsOf(lane, job.shape.batch, (shard, range) => {
      const loss = this.runShard(job, shard, range, sum);
      this.engine.f64(job.losses + 8 * shard, 1)[0] = loss; // a view from before may be detached
    });
    clearUnset(this.engine, sum);
  }

  /** Calls `run` with each shard of a lane, in order. */
  private shardsOf(lane: number, batch: number, run: (shard: number, range: ShardRange) => void): void {
    const ranges = rangesOf(this.network.layout, batch);
    const { from, count } = lanes(ranges.length)[lane] as ShardRange;
    for (let shard = from; shard < from + count; shard++) run(shard, ranges[shard] as ShardRange);
  }

  /** Hands over the state that a shard goes on from, or takes it. */
  private carry(job: CarryJob, shard: number, { count }: ShardRange): void {
    const { engine } = this;
    const place = job.places + 8 * shard;
    const at = engine.f64(place, 1)[0] as number;
    if (job.carry === "release") {
      engine.free(at);
      return;
    }
    const sequence = this.sequence(shard);
    sequence.reserveState(count);
    if (job.carry === "hand out") sequence.restore(unpack(engine, at, count));
    else {
      const packed = pack(engine, sequence.snapshot());
      engine.f64(place, 1)[0] = packed; // a view from before may be detached
    }
  }

  private runShard(job: StepJob, shard: number, range: ShardRange, sum: GradientSum): number {
    const sequence = this.sequence(job.carryState ? shard : 0);
    sequence.reserveState(range.count);
    if (!job.carryState || job.restart) sequence.clear();
    this.reserveScratch(range.count);
    let loss = 0;
    for (let t = 0; t < job.shape.steps; t += job.chunk) {
      const last = Math.min(job.shape.steps, t + job.chunk);
      sequence.startCall();
      loss += job.recompute > 0 ? this.runAgain(job, sequence, range, t, last, sum) : this.runOnce(job, sequence, range, t, last, sum);
    }
    return loss;
  }

  /** Forward, loss and backward over some steps, all of which are kept for going back. */
  private runOnce(job: StepJob, sequence: ShardSequence, range: ShardRange, first: number, last: number, sum: GradientSum): number {
    this.forward(job, sequence, range, first, last, true);
    sequence.beginBackward(undefined, false);
    return this.lossAndBackward(job, sequence, sum);
  }

  /** The same, keeping the state at every so many steps only and running forward again from there. */
  private runAgain(job: StepJob, sequence: ShardSequence, range: ShardRange, first: number, last: number, sum: GradientSum): number {
    const { readout } = job.plan;
    const { kernels } = this.engine;
    const running = readout === "each" ? undefined : new RunningReadout(kernels, readout, job.plan.outputSize, range.count, this.scratch);
    const points: SavedPoint[] = [];
    for (let t = first; t < last; t += job.recompute) {
      const state = sequence.snapshot();
      this.forward(job, sequence, range, t, Math.min(last, t + job.recompute), false);
      const active = sequence.frame.schedule.active[0] as number;
      points.push({ t, state, active });
      running?.add(passRows(sequence), active);
    }
    const end = sequence.snapshot();
    let loss = running === undefined ? 0 : readoutLoss(kernels, job.plan, running, job.target, job.mask, job.scale);
    let later: ShardGradients | undefined;
    let laterActive = 0;
    for (const { t, state, active } of points.reverse()) {
      sequence.restore(state);
      this.forward(job, sequence, range, t, Math.min(last, t + job.recompute), true);
      sequence.beginBackward(later, true);
      if (running === undefined) loss += this.lossAndBackward(job, sequence, sum);
      else {
        running.spread(passRows(sequence), active, laterActive);
        sequence.backward(sum, false);
      }
      later = sequence.stateGradients();
      laterActive = active;
    }
    sequence.restore(end);
    return loss;
  }

  private forward(job: StepJob, sequence: ShardSequence, range: ShardRange, first: number, last: number, record: boolean): void {
    const pass: Pass = { record, passThroughMemory: true, dropout: job.dropout, firstStep: first, afterAccess: undefined };
    sequence.reserve(this.schedules.get(job.shape, range, first, last), pass);
    sequence.forward(job.input);
  }

  private lossAndBackward(job: StepJob, sequence: ShardSequence, sum: GradientSum): number {
    const { frame } = sequence;
    const rows = { ...passRows(sequence), source: frame.source, batch: frame.batch };
    const loss = runLoss(this.engine.kernels, job.plan, rows, job.target, job.mask, this.scratch, job.scale);
    sequence.backward(sum, false);
    return loss;
  }

  private sequence(index: number): ShardSequence {
    while (this.sequences.length <= index) this.sequences.push(new ShardSequence(this.engine, this.network, this.pulse));
    return this.sequences[index] as ShardSequence;
  }

  private reserveScratch(batch: number): void {
    const bytes = readoutBytes(batch);
    if (bytes <= this.scratchBytes) return;
    if (this.scratch !== 0) this.engine.free(this.scratch);
    this.scratch = this.scratchBytes = 0;
    this.scratch = this.engine.allocate(bytes);
    this.scratchBytes = bytes;
  }
}
