// A curriculum: short sequences first, longer ones as training goes on. Two rules, each of its own source:
// growing by a fixed amount every so many iterations (the Python package's curriculum_increment and curriculum_freq), and
// doubling when the training loss is below a threshold (Rae et al. 2016, "Curriculum learning").
import { ConfigError } from "../errors.js";

export interface CurriculumOptions {
  /** The maximum length at first. */
  start: number;
  /** The maximum length never grows beyond this [no bound]. */
  limit?: number;
  /** The maximum length grows by so much … [0] */
  increment?: number;
  /** … every so many iterations [1000]. */
  frequency?: number;
  /** The maximum length doubles whenever the mean loss of the last `window` iterations is below this [0: never]. */
  doubleBelow?: number;
  /** Iterations that mean is over [100]. */
  window?: number;
}

/** Where a curriculum is: plain data, for a checkpoint's JSON. */
export interface CurriculumState {
  readonly maxLength: number;
  readonly iteration: number;
  /** Sum and number of the losses of the present window. */
  readonly lossSum: number;
  readonly lossCount: number;
}

const defaults = { limit: Number.MAX_SAFE_INTEGER, increment: 0, frequency: 1000, doubleBelow: 0, window: 100 };

export class Curriculum {
  readonly options: Readonly<Required<CurriculumOptions>>;
  #state: CurriculumState;

  /**
   * @param state from `state()` of a curriculum with the same options, to go on from
   * @throws {ConfigError} for an option that is not a number of its range
   */
  constructor(options: CurriculumOptions, state?: CurriculumState) {
    this.options = { ...defaults, ...options };
    for (const name of ["start", "limit", "frequency", "window"] as const) checkWhole(name, this.options[name], 1);
    checkWhole("increment", this.options.increment, 0);
    if (!(this.options.doubleBelow >= 0))
      throw new ConfigError(`curriculum: doubleBelow must be 0 or more, got ${this.options.doubleBelow}`);
    this.#state = state ?? { maxLength: this.options.start, iteration: 0, lossSum: 0, lossCount: 0 };
  }

  /** The longest length to train on now. */
  get maxLength(): number {
    return this.#state.maxLength;
  }

  /** Counts an iteration and its loss. @returns whether the maximum length grew */
  update(loss: number): boolean {
    const { increment, frequency, doubleBelow, window, limit } = this.options;
    const before = this.#state.maxLength;
    const iteration = this.#state.iteration + 1;
    let lossSum = this.#state.lossSum + loss;
    let lossCount = this.#state.lossCount + 1;
    let maxLength = before;
    if (iteration % frequency === 0) maxLength += increment;
    if (lossCount === window) {
      if (lossSum / window < doubleBelow) maxLength *= 2;
      lossSum = 0;
      lossCount = 0;
    }
    maxLength = Math.max(before, Math.min(maxLength, limit));
    this.#state = { maxLength, iteration, lossSum, lossCount };
    return maxLength > before;
  }

  state(): CurriculumState {
    return this.#state;
  }
}

function checkWhole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new ConfigError(`curriculum: ${name} must be a whole number of ${least} or more, got ${value}`);
}
