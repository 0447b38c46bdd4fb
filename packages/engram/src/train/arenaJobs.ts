// What a training step does over the whole weight arena before and after its shards: packing, the sum of the lanes' gradients and
// their norm, clipping and the update. Each is cut into parts that threads share. Where it is cut depends on the number of weights
// alone, so the bits do not depend on the threads.
import type { Engine } from "../engine/engine.js";
import type { Network } from "../models/network.js";
import { runUpdate, type UpdateCall } from "./updateRules.js";

/** Weights of a slice: their gradients (256 KiB) stay in the cache from the sum to the norm, and from clipping to the update. */
const SLICE = 2 ** 16;
const MOST_SLICES = 128;

interface Parts {
  readonly lanes: number;
  /** Any thread may take any part. */
  readonly carryState: false;
}

/** Packs the weights for the products of a step, forward and back: a lane each part of the network. */
export interface PackJob extends Parts {
  readonly arena: "pack";
  readonly weights: number;
}

/** A lane each slice of `slice` of the arena's `count` weights. */
interface Slices extends Parts {
  readonly count: number;
  readonly slice: number;
}

/** Adds up the lanes' gradients, and the squares of what comes out. */
export interface SumJob extends Slices {
  readonly arena: "sum";
  readonly gradients: number;
  /** Sum i of `numSums` lies at sums + i · laneBytes; with none of them the gradients are there already. */
  readonly sums: number;
  readonly numSums: number;
  readonly laneBytes: number;
  /** Whether the gradients are added to. */
  readonly accumulates: boolean;
  /** f64 for each slice: its Σ g². */
  readonly squares: number;
}

/** Clips the gradients and updates the weights. */
export interface UpdateJob extends Slices {
  readonly arena: "update";
  readonly gradients: number;
  /** What gradients are multiplied with: 1, or less to bound their norm. */
  readonly share: number;
  /** Bound of each gradient; null for none. */
  readonly bound: number | null;
  readonly calls: readonly UpdateCall[];
}

/** Plain data: threads hand it on as text. */
export type ArenaJob = PackJob | SumJob | UpdateJob;

/** How an arena of `count` weights is cut. */
export function arenaSlices(count: number): Omit<Slices, "carryState"> {
  const slice = Math.max(SLICE, 8 * Math.ceil(count / (8 * MOST_SLICES)));
  return { count, slice, lanes: Math.ceil(count / slice) };
}

/** Does one lane of a job. */
export function runArenaJob(engine: Engine, network: Network, job: ArenaJob, lane: number): void {
  if (job.arena === "pack") {
    network.pack(lane, job.weights, true);
    return;
  }
  const from = lane * job.slice;
  const to = Math.min(job.count, from + job.slice);
  if (job.arena === "sum") sumSlice(engine, job, lane, from, to - from);
  else updateSlice(engine, job, from, to);
}

function sumSlice(engine: Engine, job: SumJob, lane: number, from: number, count: number): void {
  const { kernels } = engine;
  const gradients = job.gradients + 4 * from;
  if (job.numSums > 0) {
    kernels.sumGradients(gradients, job.sums + 4 * from, job.laneBytes, job.numSums, count, job.accumulates ? 1 : 0);
  }
  engine.f64(job.squares + 8 * lane, 1)[0] = kernels.sumOfSquares(gradients, count);
}

function updateSlice({ kernels }: Engine, { gradients, share, bound, calls }: UpdateJob, from: number, to: number): void {
  const at = gradients + 4 * from;
  if (share < 1) kernels.scaleInPlace(at, share, to - from);
  if (bound !== null) kernels.clampInPlace(at, bound, to - from);
  for (const call of calls) runUpdate(kernels, call, from, to);
}
