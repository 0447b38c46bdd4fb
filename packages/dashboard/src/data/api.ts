// What server and page say to each other. Everything is JSON but tensors, which are the file's own float32 numbers (traceMessage.ts).

/** config.json of a run, as far as it is shown. Written by the command line; nothing in it is relied on to be there. */
export interface RunConfig {
  readonly task?: { readonly name?: string; readonly maxLength?: number; readonly inputSize?: number; readonly outputSize?: number };
  readonly model?: { readonly type?: string; readonly options?: Readonly<Record<string, unknown>> };
  readonly training?: Readonly<Record<string, unknown>>;
  readonly startedAt?: string;
}

/** One way of running a model that `engram evaluate --ablate` tried, at one length. */
export interface AblationScore {
  /** "as is", "reads zeroed", "half the cells", … */
  readonly name: string;
  /** The longest sequences, and the shortest where there were several lengths. */
  readonly length: number;
  readonly shortest?: number;
  readonly accuracy: number;
  readonly [score: string]: number | string | undefined;
}

/** ablation.json of a run. Scores of the lengths that the run was trained on come first. */
export interface Ablation {
  readonly iteration?: number;
  /** Whether the answers need what is read, as far as whoever measured could tell. */
  readonly needed?: boolean;
  readonly scores: readonly AblationScore[];
}

/** What pages are told when a run changed. They ask for the rest when they are ready to show it. */
export interface RunChange {
  readonly index: number;
  readonly live: boolean;
}

/** A run at a glance: all that changes while it goes on. */
export interface RunSummary {
  /** Its place among the runs that the server was started with; the first is the run itself. */
  readonly index: number;
  readonly name: string;
  /** Its folder as one would type it where the server was started. */
  readonly path: string;
  readonly config: RunConfig;
  /** Whether a process trains in it now. */
  readonly live: boolean;
  /** Lines of metrics so far, and the names of their numbers. */
  readonly lines: number;
  readonly fields: readonly string[];
  readonly last: Readonly<Record<string, number>> | null;
  /** Iterations of which there is a memory file. */
  readonly memories: readonly number[];
  readonly ablation: Ablation | null;
  /** What could not be read, in words. */
  readonly problem: string | null;
}

/** What is asked of a run's metrics. */
export interface MetricsQuery {
  readonly fields: readonly string[];
  /** First and last iteration [all]. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** At most so many points come back. */
  readonly points: number;
  /** 0: none, towards 1: more. */
  readonly smoothing: number;
}

/** One number over the iterations, cut down to a number of points. A null stands where a line did not have it. */
export interface SampledSeries {
  readonly mean: readonly (number | null)[];
  readonly min: readonly (number | null)[];
  readonly max: readonly (number | null)[];
  /** The smoothed value at the end of each point. */
  readonly smooth: readonly (number | null)[];
}

export interface SampledMetrics {
  readonly iteration: readonly number[];
  /** Lines that a point stands for, at most; 1: every line is there as it was written. */
  readonly linesPerPoint: number;
  readonly series: Readonly<Record<string, SampledSeries>>;
}

/** What a memory file holds. */
export interface TraceHeader {
  readonly iteration: number;
  readonly model: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly task: string;
  /** Name and shape of every tensor. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  /** The cells worth showing, in order, where there are too many to show all. */
  readonly cells: readonly number[] | null;
}
