// How a batch is cut into shards, and the rows each shard runs over. Both are functions of the call and the model alone, never of
// the number of threads: so are the bits of the results.
import { pad4 } from "../engine/linear.js";
import type { Schedule } from "./frame.js";
import type { ModelConfig } from "./options.js";

/** Elements of a shard at most: enough rows to keep the products at full rate, few enough that a step's memories stay in cache. */
const MAX_ROWS = 16;
/** Bytes of link matrices a shard may have in a step before it is made smaller: a step reads what the one before wrote, at best from the cache. */
const MAX_LINK_BYTES = 2 ** 20;
/** The same for a batch of many shards: what twenty steps keep for going back stays in the second-level cache, beside the weights. */
const MAX_LINK_BYTES_OF_MANY = 2 ** 14;
/** Bytes of a link matrix from which on two rows, whose matrices are not all gone from that cache a step later, are worth slower products. */
const LARGE_LINK_BYTES = 2 ** 16;
/** Bytes of recurrent weights that do. More are fetched from farther at every step, which is worth it for many rows only. */
const MAX_NEAR_WEIGHTS = 2 ** 19;
/** Gradient sums at most: shards beyond share them, each sum adding its shards in order. */
const MAX_LANES = 16;

export interface ShardRange {
  readonly from: number;
  readonly count: number;
}

/** Balanced shards: 10 → 5 + 5. At least two from 8 elements on, so that a second thread has something to do. */
export function shardRanges(batch: number, config: ModelConfig, isDense: boolean): ShardRange[] {
  const { hiddenSize, readHeads, cellSize, nrCells } = config;
  const isMany = batch >= 2 * MAX_ROWS;
  const weightBytes = 16 * hiddenSize * (hiddenSize + readHeads * cellSize);
  const linkBytes = isDense ? 4 * nrCells * pad4(nrCells) : 0;
  const isNear = isMany && weightBytes <= MAX_NEAR_WEIGHTS;
  const mostBytes = isNear ? MAX_LINK_BYTES_OF_MANY : MAX_LINK_BYTES;
  const least = isNear && linkBytes >= LARGE_LINK_BYTES ? 2 : 4;
  let most = MAX_ROWS;
  while (most > least && most * linkBytes > mostBytes) most /= 2;
  const shards = Math.max(Math.ceil(batch / most), Math.min(2, Math.floor(batch / 4)), 1);
  if (!isMany) return split(batch, shards);
  // Of many shards all but the last are a multiple of four rows, the height of the product kernel's tiles, or of two.
  const parts = split(Math.ceil(batch / least), shards);
  return parts.map(({ from, count }) => ({ from: least * from, count: Math.min(least * count, batch - least * from) }));
}

/** Which shards add into which gradient sum: consecutive ones. */
export function lanes(numShards: number): ShardRange[] {
  return split(numShards, Math.min(numShards, MAX_LANES));
}

/** Parts of equal size, the first ones larger by one where it does not come out even: equal sizes stand together. */
function split(total: number, parts: number): ShardRange[] {
  const ranges: ShardRange[] = [];
  let from = 0;
  for (let i = 0; i < parts; i++) {
    const count = Math.floor(total / parts) + (i < total % parts ? 1 : 0);
    ranges.push({ from, count });
    from += count;
  }
  return ranges;
}

/** Passes of a sparse memory that is run forward again: each hands over its state and its gradients, which grow with the cells touched. */
const MAX_SPARSE_PASSES = 16;

/** Time steps to run forward again at a time, going back through `steps`: about as many are kept as there are saved points. */
export function recomputedSteps(steps: number, isDense: boolean): number {
  const passes = Math.ceil(Math.sqrt(steps));
  return Math.ceil(steps / (isDense ? passes : Math.min(passes, MAX_SPARSE_PASSES)));
}

/** What of a call decides its rows. */
export interface CallShape {
  readonly batch: number;
  readonly steps: number;
  readonly batchFirst: boolean;
  readonly lengths: Int32Array | undefined;
}

/** The rows of one shard for time steps firstStep … lastStep − 1 of a call. */
export function scheduleShard(call: CallShape, { from, count }: ShardRange, firstStep: number, lastStep: number): Schedule {
  const { batch, steps, batchFirst, lengths } = call;
  const lengthOf = (element: number) => (lengths === undefined ? steps : (lengths[from + element] as number));
  // Array.prototype.sort is stable: elements of one length stay in order.
  const order = Int32Array.from(Array.from({ length: count }, (_, i) => i).sort((a, b) => lengthOf(b) - lengthOf(a)));
  const span = lastStep - firstStep;
  const active = new Int32Array(span);
  const starts = new Int32Array(span + 1);
  for (let t = 0; t < span; t++) {
    let running = count;
    while (running > 0 && lengthOf(order[running - 1] as number) <= firstStep + t) running--;
    active[t] = running;
    starts[t + 1] = (starts[t] as number) + running;
  }
  const source = new Int32Array(starts[span] as number);
  const elements = new Int32Array(starts[span] as number);
  for (let t = 0; t < span; t++) {
    for (let row = 0; row < (active[t] as number); row++) {
      const element = from + (order[row] as number);
      const at = (starts[t] as number) + row;
      elements[at] = element;
      source[at] = batchFirst ? element * steps + firstStep + t : (firstStep + t) * batch + element;
    }
  }
  return { steps: span, active, starts, order, source, elements, uniform: span === 0 || active[span - 1] === count };
}

/** Rows of the schedules kept, eight bytes each: a run over ever new lengths must not grow without bound. */
const MAX_KEPT_ROWS = 2 ** 20;

/** Keeps the schedules of calls without lengths, which come again and again, so that a step plans nothing anew. */
export class ScheduleCache {
  private readonly kept = new Map<string, Schedule>();
  private rows = 0;

  get(call: CallShape, range: ShardRange, firstStep: number, lastStep: number): Schedule {
    if (call.lengths !== undefined) return scheduleShard(call, range, firstStep, lastStep);
    const key = `${call.batch}/${call.steps}/${range.from}/${firstStep}/${lastStep}`;
    let schedule = this.kept.get(key);
    if (schedule === undefined) {
      schedule = scheduleShard(call, range, firstStep, lastStep);
      this.keep(key, schedule);
    }
    return schedule;
  }

  private keep(key: string, schedule: Schedule): void {
    if (this.rows > MAX_KEPT_ROWS) {
      this.kept.clear();
      this.rows = 0;
    }
    this.kept.set(key, schedule);
    this.rows += schedule.source.length + schedule.active.length;
  }
}
