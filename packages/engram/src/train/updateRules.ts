// How each optimizer turns gradients into new weights: which values it keeps for every weight, the scalars of one update (in
// float64, PyTorch's formulas), and the kernel that does it. Powers βᵗ are running products, multiplied once an update and saved
// with the state: the same bits after a resume, and no power function, which differs between engines.
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

/** Where a range of weights and its moments begin; a moment that the rule does not keep is 0. */
export type Addresses = Record<"weights" | "gradients" | MomentName, number>;

export interface UpdateRule {
  readonly moments: readonly MomentName[];
  /** βᵗ of those averages that are corrected for their start at zero. */
  readonly products: number[];
  /** Computes the scalars of update number `step`, the first being 1. */
  begin(step: number, learningRate: number): void;
  /** Updates `count` weights. */
  update(kernels: Kernels, at: Addresses, count: number): void;
}

class Adam implements UpdateRule {
  readonly moments: readonly MomentName[];
  readonly products = [1, 1];
  private readonly isDecoupled: boolean;
  private stepSize = 0;
  private rootScale = 0;
  private keepWeight = 1;

  constructor(
    private readonly settings: OptimizerSettings,
    name: OptimizerName,
  ) {
    this.isDecoupled = name === "adamw";
    this.moments = settings.amsgrad ? ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] : ["exp_avg", "exp_avg_sq"];
  }

  begin(_step: number, learningRate: number): void {
    const { betas, weightDecay } = this.settings;
    const product1 = (this.products[0] as number) * betas[0];
    const product2 = (this.products[1] as number) * betas[1];
    this.products[0] = product1;
    this.products[1] = product2;
    this.stepSize = learningRate / (1 - product1);
    this.rootScale = 1 / Math.sqrt(1 - product2);
    this.keepWeight = this.isDecoupled ? 1 - learningRate * weightDecay : 1;
  }

  update(kernels: Kernels, at: Addresses, count: number): void {
    const { stepSize, rootScale, keepWeight } = this;
    const { betas, eps } = this.settings;
    const beta1 = betas[0];
    const beta2 = betas[1];
    const weightDecay = this.isDecoupled ? 0 : this.settings.weightDecay;
    // biome-ignore format: outputs and inputs, then scalars
    kernels.adam(
      at.weights, at.gradients, at.exp_avg, at.exp_avg_sq, at.max_exp_avg_sq, count,
      stepSize, rootScale, beta1, 1 - beta1, beta2, 1 - beta2, eps, weightDecay, keepWeight,
    );
  }
}

class Adamax implements UpdateRule {
  readonly moments = ["exp_avg", "exp_inf"] as const;
  readonly products = [1];
  private stepSize = 0;

  constructor(private readonly settings: OptimizerSettings) {}

  begin(_step: number, learningRate: number): void {
    const product = (this.products[0] as number) * this.settings.betas[0];
    this.products[0] = product;
    this.stepSize = learningRate / (1 - product);
  }

  update(kernels: Kernels, at: Addresses, count: number): void {
    const { betas, eps, weightDecay } = this.settings;
    const beta1 = betas[0];
    const beta2 = betas[1];
    // biome-ignore format: outputs and inputs, then scalars
    kernels.adamax(
      at.weights, at.gradients, at.exp_avg, at.exp_inf, count,
      this.stepSize, beta1, 1 - beta1, beta2, eps, weightDecay,
    );
  }
}

class RmsProp implements UpdateRule {
  readonly moments: readonly MomentName[];
  readonly products = [];
  private learningRate = 0;

  constructor(private readonly settings: OptimizerSettings) {
    const { centered, momentum } = settings;
    this.moments = ["square_avg", ...(centered ? (["grad_avg"] as const) : []), ...(momentum > 0 ? (["momentum_buffer"] as const) : [])];
  }

  begin(_step: number, learningRate: number): void {
    this.learningRate = learningRate;
  }

  update(kernels: Kernels, at: Addresses, count: number): void {
    const { alpha, eps, momentum, weightDecay } = this.settings;
    // biome-ignore format: outputs and inputs, then scalars
    kernels.rmsprop(
      at.weights, at.gradients, at.square_avg, at.grad_avg, at.momentum_buffer, count,
      this.learningRate, alpha, 1 - alpha, eps, momentum, weightDecay,
    );
  }
}

class Sgd implements UpdateRule {
  readonly moments: readonly MomentName[];
  readonly products = [];
  private learningRate = 0;
  private isFirst = true;

  constructor(private readonly settings: OptimizerSettings) {
    this.moments = settings.momentum > 0 ? ["momentum_buffer"] : [];
  }

  begin(step: number, learningRate: number): void {
    this.learningRate = learningRate;
    this.isFirst = step === 1;
  }

  update(kernels: Kernels, at: Addresses, count: number): void {
    const { momentum, dampening, nesterov, weightDecay } = this.settings;
    // As in PyTorch, momentum begins with the first gradient itself, undampened.
    const keep = this.isFirst ? 0 : momentum;
    const share = this.isFirst ? 1 : 1 - dampening;
    const ownShare = nesterov ? 1 : 0;
    const bufferShare = nesterov ? momentum : 1;
    // biome-ignore format: outputs and inputs, then scalars
    kernels.sgd(
      at.weights, at.gradients, at.momentum_buffer, count,
      this.learningRate, keep, share, ownShare, bufferShare, weightDecay,
    );
  }
}

class Adagrad implements UpdateRule {
  readonly moments = ["sum"] as const;
  readonly products = [];
  private learningRate = 0;

  constructor(private readonly settings: OptimizerSettings) {}

  begin(step: number, learningRate: number): void {
    this.learningRate = learningRate / (1 + (step - 1) * this.settings.lrDecay);
  }

  update(kernels: Kernels, at: Addresses, count: number): void {
    const { eps, weightDecay } = this.settings;
    kernels.adagrad(at.weights, at.gradients, at.sum, count, this.learningRate, eps, weightDecay);
  }
}

class Adadelta implements UpdateRule {
  readonly moments = ["square_avg", "acc_delta"] as const;
  readonly products = [];
  private learningRate = 0;

  constructor(private readonly settings: OptimizerSettings) {}

  begin(_step: number, learningRate: number): void {
    this.learningRate = learningRate;
  }

  update(kernels: Kernels, at: Addresses, count: number): void {
    const { rho, eps, weightDecay } = this.settings;
    kernels.adadelta(at.weights, at.gradients, at.square_avg, at.acc_delta, count, this.learningRate, rho, 1 - rho, eps, weightDecay);
  }
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
