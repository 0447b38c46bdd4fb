// One thread's part of a training step: forward, loss and backward, shard by shard, so that what is kept for going back is one
// shard's and not the batch's. Every thread runs this same code on the lanes it picks up.
import type { Engine } from "../engine/engine.js";
import type { DropoutKey, Pass } from "../models/frame.js";
import type { Network } from "../models/network.js";
import { type ShardGradients, ShardSequence, type ShardSnapshot } from "../models/shardSequence.js";
import { type CallShape, lanes, ScheduleCache, type ShardRange } from "../models/shards.js";
import { rangesOf } from "../models/state.js";
import { type LossPlan, lossScratchBytes, runLoss } from "./losses.js";

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
  /** Where lane i adds its gradients: sums + i · laneBytes. `startSums`: each lane first makes its sum 0. */
  readonly sums: number;
  readonly laneBytes: number;
  readonly startSums: boolean;
  /** f64 for each shard: its Σ m·l. */
  readonly losses: number;
  /** 1 / Σ m over everything that one update averages. */
  readonly scale: number;
}

/** A job as text, to hand it to a worker over shared memory. */
export function writeJob(job: StepJob): string {
  return JSON.stringify(job, (_key, value) => (value instanceof Int32Array ? { int32: Array.from(value) } : value));
}

export function readJob(text: string): StepJob {
  return JSON.parse(text, (_key, value) => (value?.int32 === undefined ? value : Int32Array.from(value.int32)));
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

  /** Runs the shards of one lane, in order. */
  run(job: StepJob, lane: number): void {
    const ranges = rangesOf(this.network.layout, job.shape.batch);
    const { from, count } = lanes(ranges.length)[lane] as ShardRange;
    const gradients = job.sums + lane * job.laneBytes;
    if (job.startSums) this.engine.kernels.fillZero(gradients, job.laneBytes);
    for (let shard = from; shard < from + count; shard++) {
      const loss = this.runShard(job, shard, ranges[shard] as ShardRange, gradients);
      this.engine.f64(job.losses + 8 * shard, 1)[0] = loss;
    }
  }

  private runShard(job: StepJob, shard: number, range: ShardRange, gradients: number): number {
    const sequence = this.sequence(job.carryState ? shard : 0);
    sequence.reserveState(range.count);
    if (!job.carryState || job.restart) sequence.clear();
    this.reserveScratch(range.count);
    let loss = 0;
    for (let t = 0; t < job.shape.steps; t += job.chunk) {
      const last = Math.min(job.shape.steps, t + job.chunk);
      sequence.startCall();
      loss +=
        job.recompute > 0
          ? this.runAgain(job, sequence, range, t, last, gradients)
          : this.runOnce(job, sequence, range, t, last, gradients);
    }
    return loss;
  }

  /** Forward, loss and backward over some steps, all of which are kept for going back. */
  private runOnce(job: StepJob, sequence: ShardSequence, range: ShardRange, first: number, last: number, gradients: number): number {
    this.forward(job, sequence, range, first, last, true);
    sequence.beginBackward(undefined, false);
    return this.lossAndBackward(job, sequence, gradients);
  }

  /** The same, keeping the state at every so many steps only and running forward again from there. */
  private runAgain(job: StepJob, sequence: ShardSequence, range: ShardRange, first: number, last: number, gradients: number): number {
    const points: { t: number; state: ShardSnapshot }[] = [];
    for (let t = first; t < last; t += job.recompute) {
      points.push({ t, state: sequence.snapshot() });
      this.forward(job, sequence, range, t, Math.min(last, t + job.recompute), false);
    }
    const end = sequence.snapshot();
    let later: ShardGradients | undefined;
    let loss = 0;
    for (const { t, state } of points.reverse()) {
      sequence.restore(state);
      this.forward(job, sequence, range, t, Math.min(last, t + job.recompute), true);
      sequence.beginBackward(later, true);
      loss += this.lossAndBackward(job, sequence, gradients);
      later = sequence.stateGradients();
    }
    sequence.restore(end);
    return loss;
  }

  private forward(job: StepJob, sequence: ShardSequence, range: ShardRange, first: number, last: number, record: boolean): void {
    const pass: Pass = { record, passThroughMemory: true, dropout: job.dropout, firstStep: first, afterAccess: undefined };
    sequence.reserve(this.schedules.get(job.shape, range, first, last), pass);
    sequence.forward(job.input);
  }

  private lossAndBackward(job: StepJob, sequence: ShardSequence, gradients: number): number {
    const { frame, output, dOutput } = sequence;
    const rows = { output, dOutput, source: frame.source, elements: frame.elements, rows: frame.totalRows, batch: frame.batch };
    const loss = runLoss(this.engine.kernels, job.plan, rows, job.target, job.mask, this.scratch, job.scale);
    sequence.backward(gradients, false);
    return loss;
  }

  private sequence(index: number): ShardSequence {
    while (this.sequences.length <= index) this.sequences.push(new ShardSequence(this.engine, this.network, this.pulse));
    return this.sequences[index] as ShardSequence;
  }

  private reserveScratch(batch: number): void {
    const bytes = lossScratchBytes(batch);
    if (bytes <= this.scratchBytes) return;
    if (this.scratch !== 0) this.engine.free(this.scratch);
    this.scratch = this.scratchBytes = 0;
    this.scratch = this.engine.allocate(bytes);
    this.scratchBytes = bytes;
  }
}
