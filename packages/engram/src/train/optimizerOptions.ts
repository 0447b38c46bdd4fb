// The optimizers' options: PyTorch's names in camel case, PyTorch's defaults, and what each may be.
import { ConfigError } from "../errors.js";
import { didYouMean } from "../suggest.js";

/** The options of all optimizers; which of them an optimizer has is in `optimizerDefaults`. */
export interface OptimizerSettings {
  /** Step size, at least 0. */
  readonly learningRate: number;
  /** Share of the past kept in the averages of gradient and squared gradient, each in [0, 1). */
  readonly betas: readonly [number, number];
  /** Added to what the step is divided by, at least 1e-15. */
  readonly eps: number;
  /** L2 penalty, added to the gradient; for adamw the share by which weights shrink, times the learning rate. */
  readonly weightDecay: number;
  /** Divide by the largest average squared gradient so far rather than the present one (Adam, AdamW). */
  readonly amsgrad: boolean;
  /** RMSprop: share of the past kept in the average squared gradient, in [0, 1]. */
  readonly alpha: number;
  /** RMSprop: divide by the deviation of the gradient rather than its root mean square. */
  readonly centered: boolean;
  /** SGD, RMSprop: share of the past kept in the direction, at least 0. */
  readonly momentum: number;
  /** SGD: share of the gradient kept out of the momentum. */
  readonly dampening: number;
  /** SGD: Nesterov's momentum; needs momentum and no dampening. */
  readonly nesterov: boolean;
  /** Adagrad: the learning rate is divided by 1 + lrDecay · (updates so far). */
  readonly lrDecay: number;
  /** Adagrad: what the sums of squared gradients start from. */
  readonly initialAccumulatorValue: number;
  /** Adadelta: share of the past kept in both averages, in [0, 1]. */
  readonly rho: number;
}

type Setting = keyof OptimizerSettings;

/** PyTorch's defaults (SGD's learning rate: that of PyTorch 2; before, it had none). */
export const optimizerDefaults = {
  adam: { learningRate: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, amsgrad: false },
  adamw: { learningRate: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-2, amsgrad: false },
  adamax: { learningRate: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 },
  rmsprop: { learningRate: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, centered: false },
  sgd: { learningRate: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false },
  adagrad: { learningRate: 1e-2, lrDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, eps: 1e-10 },
  adadelta: { learningRate: 1, rho: 0.9, eps: 1e-6, weightDecay: 0 },
} as const satisfies Record<string, Partial<OptimizerSettings>>;

export type OptimizerName = keyof typeof optimizerDefaults;

/** Every optimizer's name. */
export const optimizerNames = Object.keys(optimizerDefaults) as readonly OptimizerName[];

/** Every option that some optimizer has, so that a caller who takes them among others knows which are theirs. */
export const optimizerOptionNames: readonly string[] = [
  ...new Set(optimizerNames.flatMap((name) => Object.keys(optimizerDefaults[name]))),
  "parameterGroups",
];

// Second moments below 1e-30 are kept as 0, so a smaller eps would turn a tiny gradient into a huge step, and 0 into 0/0.
const SMALLEST_EPS = 1e-15;

interface Bounds {
  readonly least: number;
  readonly below?: number;
  readonly most?: number;
}

const bounds: Readonly<Partial<Record<Setting, Bounds>>> = {
  learningRate: { least: 0 },
  eps: { least: SMALLEST_EPS },
  weightDecay: { least: 0 },
  alpha: { least: 0, most: 1 },
  momentum: { least: 0 },
  dampening: { least: Number.NEGATIVE_INFINITY },
  lrDecay: { least: 0 },
  initialAccumulatorValue: { least: 0 },
  rho: { least: 0, most: 1 },
};

function describe({ least, below, most }: Bounds): string {
  const limits = [
    ...(least === Number.NEGATIVE_INFINITY ? [] : [`at least ${least}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
    ...(most === undefined ? [] : [`at most ${most}`]),
  ];
  return limits.length === 0 ? "a finite number" : `a finite number, ${limits.join(" and ")}`;
}

function checkNumber(what: string, value: unknown, limits: Bounds): void {
  const { least, below = Number.POSITIVE_INFINITY, most = Number.POSITIVE_INFINITY } = limits;
  if (typeof value === "number" && Number.isFinite(value) && value >= least && value < below && value <= most) return;
  throw new ConfigError(`${what} must be ${describe(limits)}, got ${show(value)}`);
}

/** A value as an error message shows it. */
export function show(value: unknown): string {
  if (typeof value === "string") return `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

function checkSetting(what: string, setting: Setting, value: unknown): void {
  if (setting === "amsgrad" || setting === "centered" || setting === "nesterov") {
    if (typeof value !== "boolean") throw new ConfigError(`${what} must be true or false, got ${show(value)}`);
  } else if (setting === "betas") {
    if (!Array.isArray(value) || value.length !== 2) throw new ConfigError(`${what} must be two numbers, got ${show(value)}`);
    for (const [i, beta] of value.entries()) checkNumber(`${what}[${i}]`, beta, { least: 0, below: 1 });
  } else {
    checkNumber(what, value, bounds[setting] as Bounds);
  }
}

/** @throws {ConfigError} unless `name` is one of `optimizerNames` */
export function checkOptimizerName(name: unknown): asserts name is OptimizerName {
  if (optimizerNames.some((known) => known === name)) return;
  throw new ConfigError(`optimizer must be one of ${optimizerNames.join(", ")}, got ${show(name)}${didYouMean(name, optimizerNames)}`);
}

/**
 * `given` over `base` (the defaults, or what groups inherit), checked. Options that are undefined count as not given.
 * @param where what the messages begin with, such as "parameterGroups[1]." or ""
 */
export function resolveSettings(
  name: OptimizerName,
  given: Readonly<Record<string, unknown>>,
  base: Readonly<Record<string, unknown>>,
  where: string,
): OptimizerSettings {
  const settings: Record<string, unknown> = { ...base };
  const known = Object.keys(optimizerDefaults[name]);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!known.includes(key)) {
      const hint = didYouMean(key === "lr" ? "learningRate" : key, known); // PyTorch's short name
      throw new ConfigError(`${where}${key} is not an option of optimizer '${name}' (it has ${known.join(", ")})${hint}`);
    }
    checkSetting(where + key, key as Setting, value);
    settings[key] = value;
  }
  if (settings.nesterov === true && (settings.momentum === 0 || settings.dampening !== 0)) {
    const now = `momentum ${show(settings.momentum)} and dampening ${show(settings.dampening)}`;
    throw new ConfigError(`${where}nesterov needs a momentum above 0 and a dampening of 0, got ${now}`);
  }
  return settings as unknown as OptimizerSettings;
}
