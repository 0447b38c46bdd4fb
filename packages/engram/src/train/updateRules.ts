// How each optimizer turns gradients into new weights: which values it keeps for every weight, the kernel that does it, and the
// scalars of one update (in float64, PyTorch's formulas). Powers βᵗ are running products, multiplied once an update and saved with
// the state: the same bits after a resume, and no power function, which differs between engines.
import type { Kernels } from "../engine/kernels.generated.js";
import type { OptimizerName, OptimizerSettings } from "./optimizerOptions.js";

/** Names (PyTorch's) of values kept for every weight. */
export type MomentName =
  | "exp_avg"
  | "exp_avg_sq"
  | "max_exp_avg_sq"
  | "exp_inf"
  | "square_avg"
  | "grad_avg"
  | "momentum_buffer"
  | "sum"
  | "acc_delta";

export type UpdateKernel = "adam" | "adamax" | "rmsprop" | "sgd" | "adagrad" | "adadelta";

export interface UpdateRule {
  /** Takes weights, gradients, the moments, how many there are of each, and the scalars. */
  readonly kernel: UpdateKernel;
  /** As the kernel takes them; undefined in place of one that is not kept. */
  readonly moments: readonly (MomentName | undefined)[];
  /** As the kernel takes them: those of the update that began last. */
  readonly scalars: number[];
  /** βᵗ of those averages that are corrected for their start at zero. */
  readonly products: number[];
  /** Computes the scalars of update number `step`, the first being 1. */
  begin(step: number, learningRate: number): void;
}

/** An update of some weights of the arena as plain data, which threads can share. */
export interface UpdateCall {
  readonly kernel: UpdateKernel;
  /** Addresses of the arenas of weights, gradients and moments; 0 for a moment that is not kept. */
  readonly arenas: readonly number[];
  /** Weights `first` to before `first + count` of the arena. */
  readonly first: number;
  readonly count: number;
  readonly scalars: readonly number[];
}

/** The part of an update that falls on weights `from` to before `to` of the arena. */
export function runUpdate(kernels: Kernels, { kernel, arenas, first, count, scalars }: UpdateCall, from: number, to: number): void {
  const begin = Math.max(from, first);
  const end = Math.min(to, first + count);
  if (begin >= end) return;
  const update = kernels[kernel] as (...values: number[]) => void;
  update(...arenas.map((arena) => (arena === 0 ? 0 : arena + 4 * begin)), end - begin, ...scalars);
}

class Adam implements UpdateRule {
  readonly kernel = "adam";
  readonly moments: UpdateRule["moments"];
  readonly products = [1, 1];
  readonly scalars: number[] = [];
  private readonly isDecoupled: boolean;

  constructor(
    private readonly settings: OptimizerSettings,
    name: OptimizerName,
  ) {
    this.isDecoupled = name === "adamw";
    this.moments = ["exp_avg", "exp_avg_sq", settings.amsgrad ? "max_exp_avg_sq" : undefined];
  }

  begin(_step: number, learningRate: number): void {
    const { betas, eps, weightDecay } = this.settings;
    const [beta1, beta2] = betas;
    const product1 = (this.products[0] as number) * beta1;
    const product2 = (this.products[1] as number) * beta2;
    this.products[0] = product1;
    this.products[1] = product2;
    const stepSize = learningRate / (1 - product1);
    const rootScale = 1 / Math.sqrt(1 - product2);
    const [added, keepWeight] = this.isDecoupled ? [0, 1 - learningRate * weightDecay] : [weightDecay, 1];
    set(this.scalars, stepSize, rootScale, beta1, 1 - beta1, beta2, 1 - beta2, eps, added, keepWeight);
  }
}

class Adamax implements UpdateRule {
  readonly kernel = "adamax";
  readonly moments = ["exp_avg", "exp_inf"] as const;
  readonly products = [1];
  readonly scalars: number[] = [];

  constructor(private readonly settings: OptimizerSettings) {}

  begin(_step: number, learningRate: number): void {
    const { betas, eps, weightDecay } = this.settings;
    const [beta1, beta2] = betas;
    const product = (this.products[0] as number) * beta1;
    this.products[0] = product;
    set(this.scalars, learningRate / (1 - product), beta1, 1 - beta1, beta2, eps, weightDecay);
  }
}

class RmsProp implements UpdateRule {
  readonly kernel = "rmsprop";
  readonly moments: UpdateRule["moments"];
  readonly products = [];
  readonly scalars: number[] = [];

  constructor(private readonly settings: OptimizerSettings) {
    const { centered, momentum } = settings;
    this.moments = ["square_avg", centered ? "grad_avg" : undefined, momentum > 0 ? "momentum_buffer" : undefined];
  }

  begin(_step: number, learningRate: number): void {
    const { alpha, eps, momentum, weightDecay } = this.settings;
    set(this.scalars, learningRate, alpha, 1 - alpha, eps, momentum, weightDecay);
  }
}

class Sgd implements UpdateRule {
  readonly kernel = "sgd";
  readonly moments: UpdateRule["moments"];
  readonly products = [];
  readonly scalars: number[] = [];

  constructor(private readonly settings: OptimizerSettings) {
    this.moments = [settings.momentum > 0 ? "momentum_buffer" : undefined];
  }

  begin(step: number, learningRate: number): void {
    const { momentum, dampening, nesterov, weightDecay } = this.settings;
    // As in PyTorch, momentum begins with the first gradient itself, undampened.
    const [keep, share] = step === 1 ? [0, 1] : [momentum, 1 - dampening];
    const [ownShare, bufferShare] = nesterov ? [1, momentum] : [0, 1];
    set(this.scalars, learningRate, keep, share, ownShare, bufferShare, weightDecay);
  }
}

class Adagrad implements UpdateRule {
  readonly kernel = "adagrad";
  readonly moments = ["sum"] as const;
  readonly products = [];
  readonly scalars: number[] = [];

  constructor(private readonly settings: OptimizerSettings) {}

  begin(step: number, learningRate: number): void {
    const { eps, lrDecay, weightDecay } = this.settings;
    set(this.scalars, learningRate / (1 + (step - 1) * lrDecay), eps, weightDecay);
  }
}

class Adadelta implements UpdateRule {
  readonly kernel = "adadelta";
  readonly moments = ["square_avg", "acc_delta"] as const;
  readonly products = [];
  readonly scalars: number[] = [];

  constructor(private readonly settings: OptimizerSettings) {}

  begin(_step: number, learningRate: number): void {
    const { rho, eps, weightDecay } = this.settings;
    set(this.scalars, learningRate, rho, 1 - rho, eps, weightDecay);
  }
}

function set(scalars: number[], ...values: readonly number[]): void {
  for (const [i, value] of values.entries()) scalars[i] = value;
}

/** The rule of a named optimizer with these settings, before its first update. */
export function createUpdateRule(name: OptimizerName, settings: OptimizerSettings): UpdateRule {
  switch (name) {
    case "adam":
    case "adamw":
      return new Adam(settings, name);
    case "adamax":
      return new Adamax(settings);
    case "rmsprop":
      return new RmsProp(settings);
    case "sgd":
      return new Sgd(settings);
    case "adagrad":
      return new Adagrad(settings);
    case "adadelta":
      return new Adadelta(settings);
  }
}
