// The rows of one shard in one pass over a sequence, and the step the walk is at. Elements are ordered longest first, so the
// active ones of a step are its first rows, and the rows of a step follow those of the step before with no holes.
import type { Engine } from "../engine/engine.js";

/** Which rows a shard runs over. */
export interface Schedule {
  /** T, time steps. */
  readonly steps: number;
  /** Active elements at each step, never rising. */
  readonly active: Int32Array;
  /** First row of each step, and last the number of all rows [T + 1]. */
  readonly starts: Int32Array;
  /** The shard's element of each row of a step [B]. */
  readonly order: Int32Array;
  /** The natural row (b·T + t, or t·B + b) of the call's input that each row holds. */
  readonly source: Int32Array;
  /** The call's batch element in each row: a dropout mask belongs to it. */
  readonly elements: Int32Array;
  /** True when all elements run to the end. */
  readonly uniform: boolean;
}

/** What masks are drawn from besides layer, element and time step. */
export interface DropoutKey {
  readonly seedLow: number;
  readonly seedHigh: number;
  readonly step: number;
}

/** What a call wants of a pass. */
export interface Pass {
  /** Keep what going back needs. */
  readonly record: boolean;
  readonly passThroughMemory: boolean;
  /** Undefined drops nothing out. */
  readonly dropout: DropoutKey | undefined;
  /** First time step of the pass within the call. */
  readonly firstStep: number;
  /** Called after every memory access, time-major, with its layer. */
  readonly afterAccess: ((layer: number) => void) | undefined;
}

/** Hands out consecutive addresses, each on a cache line of its own. */
export class Cursor {
  constructor(public at: number) {}

  take(floats: number): number {
    const at = this.at;
    this.at += Math.ceil((4 * floats) / 64) * 64;
    return at;
  }
}

const emptySchedule: Schedule = {
  steps: 0,
  active: new Int32Array(0),
  starts: new Int32Array(1),
  order: new Int32Array(0),
  source: new Int32Array(0),
  elements: new Int32Array(0),
  uniform: true,
};

export class Frame {
  schedule = emptySchedule;
  pass: Pass = { record: false, passThroughMemory: true, dropout: undefined, firstStep: 0, afterAccess: undefined };
  /** B, elements of the shard. */
  batch = 0;
  /** Rows of all steps. */
  totalRows = 0;
  /** The step the walk is at, its active rows and its first row. */
  t = 0;
  rows = 0;
  start = 0;
  /** In buffers that begin with the B rows of the state before the first step: this step's first row, and that of the step before. */
  now = 0;
  before = 0;
  /** Whether the pass starts from the empty state: then nothing is multiplied with what the step before left at the first step. */
  startsEmpty = true;
  /** Whether the gradient with respect to the state before the first step will be asked for. */
  wantsStateGradient = true;
  /** Addresses of i32 rows: `source` and `elements` [totalRows], `order` [B]. */
  source = 0;
  elements = 0;
  order = 0;

  constructor(private readonly engine: Engine) {}

  plan(schedule: Schedule, pass: Pass): void {
    this.schedule = schedule;
    this.pass = pass;
    this.batch = schedule.order.length;
    this.totalRows = schedule.starts[schedule.steps] as number;
  }

  layOut(cursor: Cursor): void {
    this.order = cursor.take(this.batch);
    this.source = cursor.take(this.totalRows);
    this.elements = cursor.take(this.totalRows);
  }

  writeIndices(): void {
    this.engine.i32(this.order, this.batch).set(this.schedule.order);
    this.engine.i32(this.source, this.totalRows).set(this.schedule.source);
    this.engine.i32(this.elements, this.totalRows).set(this.schedule.elements);
  }

  at(t: number): void {
    const { active, starts } = this.schedule;
    this.t = t;
    this.rows = active[t] as number;
    this.start = starts[t] as number;
    this.now = this.batch + this.start;
    this.before = t === 0 ? 0 : this.batch + (starts[t - 1] as number);
  }

  /** Whether what the step before left is zero. */
  get followsNothing(): boolean {
    return this.t === 0 && this.startsEmpty;
  }

  /** Whether gradients with respect to what the step before left are of use to anybody. */
  get reachesBack(): boolean {
    return this.t > 0 || this.wantsStateGradient;
  }

  /** Rows of the first step when they follow nothing, 0 when they follow a state. */
  get rowsThatFollowNothing(): number {
    return this.startsEmpty && this.schedule.steps > 0 ? (this.schedule.active[0] as number) : 0;
  }

  /** Rows that are still active at the step after this one. */
  get going(): number {
    return this.t + 1 < this.schedule.steps ? (this.schedule.active[this.t + 1] as number) : 0;
  }

  /**
   * The state of the step before, row for row beside each step's own, for buffers of `width` floats a row that begin with the state
   * before the first step: the buffer itself where all elements run to the end, else a copy in `scratch`. `constant` takes the state before
   * the first step for every step.
   */
  previousRows(buffer: number, width: number, scratch: number, constant: boolean): number {
    const { active, starts, steps, uniform } = this.schedule;
    if (uniform && !constant) return buffer;
    for (let t = 0; t < steps; t++) {
      const from = t === 0 || constant ? 0 : this.batch + (starts[t - 1] as number);
      const bytes = 4 * width * (active[t] as number);
      this.engine.kernels.copyBytes(scratch + 4 * width * (starts[t] as number), buffer + 4 * width * from, bytes);
    }
    return scratch;
  }

  /** Takes a state kept in element order into the B rows before the first step. */
  loadRows(rows: number, width: number, state: number): void {
    this.engine.kernels.gatherRows(rows, 4 * width, state, 4 * width, this.order, this.batch, width);
  }

  /** Writes back, in element order, each element's row after its last step. */
  saveRows(state: number, width: number, rows: number): void {
    const { steps, active, starts } = this.schedule;
    for (let t = 0; t < steps; t++) {
      const going = t + 1 < steps ? (active[t + 1] as number) : 0;
      const ending = (active[t] as number) - going;
      if (ending === 0) continue;
      const from = rows + 4 * width * (this.batch + (starts[t] as number) + going);
      this.engine.kernels.scatterRows(state, 4 * width, from, 4 * width, this.order + 4 * going, ending, width);
    }
  }
}
