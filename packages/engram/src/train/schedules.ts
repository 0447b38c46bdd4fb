// Learning rates that change as training goes on. A schedule is a function of the number of updates made alone, so a resumed
// run has the same rates, bit for bit. Formulas are those of PyTorch's schedulers, in closed form.
import { ConfigError } from "../errors.js";
import { didYouMean } from "../suggest.js";

/** Multiplies the rate by `gamma` every `stepSize` updates (PyTorch's StepLR). */
export interface StepSchedule {
  readonly type: "step";
  readonly stepSize: number;
  /** [0.1] */
  readonly gamma?: number;
}

/** Lowers the rate along half a cosine from its full value to `minimum` over `steps` updates, and leaves it there (CosineAnnealingLR's first half period). */
export interface CosineSchedule {
  readonly type: "cosine";
  readonly steps: number;
  /** The learning rate at the end [0]. */
  readonly minimum?: number;
}

/** Raises the rate in a straight line from `startFactor` times its value over `steps` updates (LinearLR), then follows `followedBy`, which counts from there. */
export interface WarmUpSchedule {
  readonly type: "warmUp";
  readonly steps: number;
  /** [1/3] */
  readonly startFactor?: number;
  /** [constant] */
  readonly followedBy?: Schedule;
}

/** A description of a schedule as plain data: `{ type: "warmUp", steps: 500, followedBy: { type: "cosine", steps: 20000 } }`. */
export type Schedule = StepSchedule | CosineSchedule | WarmUpSchedule;

/** The learning rate of the update that follows `updates` updates. */
export type LearningRateAt = (baseLearningRate: number, updates: number) => number;

const knownOptions = {
  step: ["stepSize", "gamma"],
  cosine: ["steps", "minimum"],
  warmUp: ["steps", "startFactor", "followedBy"],
} as const;

/**
 * Checks a schedule and makes it callable.
 * @throws {ConfigError} for an unknown type or option, or a value out of range
 */
export function createSchedule(schedule: Schedule, where = "schedule"): LearningRateAt {
  checkOptions(schedule, where);
  switch (schedule.type) {
    case "step":
      return stepSchedule(schedule, where);
    case "cosine":
      return cosineSchedule(schedule, where);
    case "warmUp":
      return warmUpSchedule(schedule, where);
  }
}

function checkOptions(schedule: Schedule, where: string): void {
  const given: unknown = schedule;
  if (typeof given !== "object" || given === null) throw new ConfigError(`${where} must be an object with a type, got ${String(given)}`);
  const types = Object.keys(knownOptions);
  if (!types.includes(schedule.type)) {
    throw new ConfigError(
      `${where}.type must be one of ${types.join(", ")}, got ${String(schedule.type)}${didYouMean(schedule.type, types)}`,
    );
  }
  const known: readonly string[] = ["type", ...knownOptions[schedule.type]];
  for (const name of Object.keys(schedule)) {
    if (known.includes(name)) continue;
    const has = `(it has ${known.slice(1).join(", ")})`;
    throw new ConfigError(`${where}.${name} is not an option of a '${schedule.type}' schedule ${has}${didYouMean(name, known)}`);
  }
}

function checkCount(what: string, value: unknown): asserts value is number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return;
  throw new ConfigError(`${what} must be a whole number of updates, at least 1, got ${String(value)}`);
}

function checkAtLeastZero(what: string, value: unknown): asserts value is number {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return;
  throw new ConfigError(`${what} must be a finite number, at least 0, got ${String(value)}`);
}

function stepSchedule({ stepSize, gamma = 0.1 }: StepSchedule, where: string): LearningRateAt {
  checkCount(`${where}.stepSize`, stepSize);
  checkAtLeastZero(`${where}.gamma`, gamma);
  return (base, updates) => base * integerPower(gamma, Math.floor(updates / stepSize));
}

function cosineSchedule({ steps, minimum = 0 }: CosineSchedule, where: string): LearningRateAt {
  checkCount(`${where}.steps`, steps);
  checkAtLeastZero(`${where}.minimum`, minimum);
  return (base, updates) => (updates >= steps ? minimum : minimum + (base - minimum) * raisedCosine(updates / steps));
}

function warmUpSchedule({ steps, startFactor = 1 / 3, followedBy }: WarmUpSchedule, where: string): LearningRateAt {
  checkCount(`${where}.steps`, steps);
  checkAtLeastZero(`${where}.startFactor`, startFactor);
  const after: LearningRateAt = followedBy === undefined ? (base) => base : createSchedule(followedBy, `${where}.followedBy`);
  return (base, updates) => {
    if (updates >= steps) return after(base, updates - steps);
    return base * (startFactor + (1 - startFactor) * (updates / steps));
  };
}

/** xⁿ by repeated squaring: Math.pow differs between engines. */
function integerPower(x: number, n: number): number {
  let power = 1;
  for (let square = x, rest = n; rest > 0; rest = Math.floor(rest / 2), square *= square) {
    if (rest % 2 === 1) power *= square;
  }
  return power;
}

/** (1 + cos πx) / 2 for x in [0, 1], within 2⁻⁵²: 1 − sin²(πx/2) up to the middle, cos²(πx/2) = sin²(π(1 − x)/2) after. */
function raisedCosine(x: number): number {
  if (x <= 0.5) {
    const sine = sineUpToQuarterPi((Math.PI / 2) * x);
    return 1 - sine * sine;
  }
  const sine = sineUpToQuarterPi((Math.PI / 2) * (1 - x));
  return sine * sine;
}

/** sin z for z in [0, π/4]: the Taylor series to z¹⁷, whose next term is below 2⁻⁵⁸; Math.sin differs between engines. */
function sineUpToQuarterPi(z: number): number {
  const square = z * z;
  let sum = 1;
  for (let n = 16; n >= 2; n -= 2) sum = 1 - (sum * square) / (n * (n + 1));
  return z * sum;
}
