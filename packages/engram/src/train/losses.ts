// What a loss needs of a batch, checked once, and the kernels that compute it for each shard: loss = Σ m·l / Σ m over the whole
// batch, m the mask. The trainer divides: it knows Σ m from the plan and gives 1 / Σ m as the scale of the gradients.
import type { Kernels } from "../engine/kernels.generated.js";
import { ConfigError, ShapeError } from "../errors.js";
import { didYouMean } from "../suggest.js";
import { sizeOf, type Tensor } from "../tensor.js";
import { RunningReadout } from "./runningReadout.js";

/** Losses by name; the logits' losses take outputs before σ or softmax. */
export const lossNames = ["binaryCrossEntropyWithLogits", "softmaxCrossEntropy", "meanSquaredError"] as const;
export type LossName = (typeof lossNames)[number];

/** 'each': the output step by step; 'sum': its sum over time and channels; 'last': the sum of channels at the last valid step. */
export const readoutNames = ["each", "sum", "last"] as const;
export type Readout = (typeof readoutNames)[number];

/** One batch's targets. B `batchSize`, T `steps`; an element of `lengths` is that element's number of valid steps (default T). */
export interface LossBatch {
  readonly target: Tensor;
  readonly mask?: Tensor | undefined;
  readonly batchSize: number;
  readonly steps: number;
  readonly lengths?: ArrayLike<number> | undefined;
}

type LossKernel = "binaryCrossEntropyRows" | "meanSquaredErrorRows" | "softmaxCrossEntropyRows" | "softmaxCrossEntropyIndexRows";

/** How to compute a batch's loss; plain data, so that a worker can be handed it. */
export interface LossPlan {
  readonly kernel: LossKernel;
  readonly readout: Readout;
  /** O */
  readonly outputSize: number;
  /** Values of the staged mask a natural row: 0 (none), 1 or O. */
  readonly maskWidth: number;
  /** Σ m: what Σ m·l is to be divided by, above 0. */
  readonly totalWeight: number;
}

/** A shard's packed rows (addresses): output and its gradient [rows, PAD8(O)], each row's natural row and batch element (i32). */
export interface LossRows {
  readonly output: number;
  readonly dOutput: number;
  readonly source: number;
  readonly elements: number;
  /** Rows, and elements, of the shard. */
  readonly rows: number;
  readonly batch: number;
}

/** A value as an error message shows it. */
function show(value: unknown): string {
  return typeof value === "string" ? `'${value}'` : String(value);
}

function checkChoice<T extends string>(what: string, value: unknown, allowed: readonly T[]): asserts value is T {
  if (allowed.some((name) => name === value)) return;
  throw new ConfigError(`${what} must be one of ${allowed.join(", ")}, got ${show(value)}${didYouMean(value, allowed)}`);
}

/** A loss with its readout, for a model's output. */
export class Loss {
  /**
   * @param outputSize O of the model
   * @param batchFirst whether targets and masks are [B, T, …] rather than [T, B, …]
   * @throws {ConfigError} for an unknown loss or readout, and softmaxCrossEntropy with a readout other than 'each'
   */
  constructor(
    readonly name: LossName,
    readonly readout: Readout,
    private readonly outputSize: number,
    private readonly batchFirst: boolean,
  ) {
    checkChoice("loss", name, lossNames);
    checkChoice("readout", readout, readoutNames);
    if (name === "softmaxCrossEntropy" && readout !== "each") {
      throw new ConfigError(
        `loss 'softmaxCrossEntropy' needs readout 'each', got '${readout}': a sum of channels is one number, not a choice of classes`,
      );
    }
  }

  /**
   * Checks one batch's target and mask and sums the mask.
   * @param where what messages begin with, such as "Trainer.step"
   * @throws {ShapeError} for a wrong shape, a value that is not finite, a class number out of range, or Σ m = 0
   */
  plan(batch: LossBatch, where: string): LossPlan {
    const { target, mask } = batch;
    const isSoftmax = this.name === "softmaxCrossEntropy";
    const targetShape = checkShape(`${where}: target`, target, this.targetShapes(batch));
    const maskShape = mask === undefined ? undefined : checkShape(`${where}: mask`, mask, this.maskShapes(batch));
    checkFinite(`${where}: target`, target);
    if (mask !== undefined) checkFinite(`${where}: mask`, mask);
    const isIndex = isSoftmax && targetShape.sizes.length === 2;
    if (isIndex) this.checkClasses(batch, where);
    const maskWidth = maskShape === undefined ? 0 : maskShape.sizes.length === 3 ? this.outputSize : 1;
    const values = maskWidth === this.outputSize || isSoftmax || this.readout !== "each" ? 1 : this.outputSize;
    const totalWeight = values * this.sumWeights(batch, Math.max(1, maskWidth));
    if (!(totalWeight > 0)) {
      const extent = batch.lengths === undefined ? "" : " within lengths";
      throw new ShapeError(
        `${where}: the mask's values must add up to more than 0${extent}, got a sum of ${totalWeight}: nothing to learn from`,
      );
    }
    return { kernel: this.kernel(isIndex), readout: this.readout, outputSize: this.outputSize, maskWidth, totalWeight };
  }

  /** The axes of a target. */
  get legend(): string {
    if (this.readout !== "each") return "B";
    return this.batchFirst ? "B, T, O" : "T, B, O";
  }

  private kernel(isIndex: boolean): LossKernel {
    if (this.name === "binaryCrossEntropyWithLogits") return "binaryCrossEntropyRows";
    if (this.name === "meanSquaredError") return "meanSquaredErrorRows";
    return isIndex ? "softmaxCrossEntropyIndexRows" : "softmaxCrossEntropyRows";
  }

  private stepsShape({ batchSize, steps }: LossBatch): Shape {
    return this.batchFirst ? { legend: "B, T", sizes: [batchSize, steps] } : { legend: "T, B", sizes: [steps, batchSize] };
  }

  private targetShapes(batch: LossBatch): Shape[] {
    if (this.readout !== "each") return [{ legend: "B", sizes: [batch.batchSize] }];
    const steps = this.stepsShape(batch);
    const values = { legend: `${steps.legend}, O`, sizes: [...steps.sizes, this.outputSize] };
    return this.name === "softmaxCrossEntropy" ? [values, { ...steps, note: " of class numbers" }] : [values];
  }

  private maskShapes(batch: LossBatch): Shape[] {
    if (this.readout !== "each") return [{ legend: "B", sizes: [batch.batchSize] }];
    const steps = this.stepsShape(batch);
    if (this.name === "softmaxCrossEntropy") return [steps];
    return [steps, { legend: `${steps.legend}, O`, sizes: [...steps.sizes, this.outputSize] }];
  }

  /** Σ of the mask's values at valid steps (of ones where there is no mask), in float64 in a fixed order. */
  private sumWeights(batch: LossBatch, width: number): number {
    const { mask, batchSize, steps, lengths } = batch;
    if (this.readout !== "each") return mask === undefined ? batchSize : sumOf(mask.data, 0, batchSize);
    let sum = 0;
    for (let b = 0; b < batchSize; b++) {
      const length = lengths === undefined ? steps : (lengths[b] as number);
      if (mask === undefined) sum += length;
      else for (let t = 0; t < length; t++) sum += sumOf(mask.data, width * this.naturalRow(batch, b, t), width);
    }
    return sum;
  }

  private naturalRow({ batchSize, steps }: LossBatch, b: number, t: number): number {
    return this.batchFirst ? b * steps + t : t * batchSize + b;
  }

  /** Class numbers count only where the mask is not 0 and within lengths. */
  private checkClasses(batch: LossBatch, where: string): void {
    const { target, mask, batchSize, steps, lengths } = batch;
    for (let b = 0; b < batchSize; b++) {
      const length = lengths === undefined ? steps : (lengths[b] as number);
      for (let t = 0; t < length; t++) {
        const row = this.naturalRow(batch, b, t);
        const value = target.data[row] as number;
        if (mask?.data[row] === 0 || (Math.floor(value) === value && value >= 0 && value < this.outputSize)) continue;
        const range = `0 to O - 1 = ${this.outputSize - 1}`;
        throw new ShapeError(`${where}: target${position(target.shape, row)} is ${value}: a class number is a whole number from ${range}`);
      }
    }
  }
}

/** A shape a tensor may have, with the letters of its axes. */
interface Shape {
  readonly legend: string;
  readonly sizes: readonly number[];
  readonly note?: string;
}

function checkShape(what: string, tensor: Tensor, allowed: readonly Shape[]): Shape {
  const found = allowed.find(({ sizes }) => sizes.length === tensor.shape.length && sizes.every((size, i) => size === tensor.shape[i]));
  if (found === undefined) {
    const expected = allowed.map(({ legend, sizes, note = "" }) => `[${legend}] = [${sizes.join(", ")}]${note}`).join(" or ");
    throw new ShapeError(`${what} must be ${expected}, got [${tensor.shape.join(", ")}]`);
  }
  if (tensor.data.length !== sizeOf(tensor.shape)) {
    throw new ShapeError(
      `${what} of shape [${tensor.shape.join(", ")}] must hold ${sizeOf(tensor.shape)} values, got ${tensor.data.length}`,
    );
  }
  return found;
}

function checkFinite(what: string, { data, shape }: Tensor): void {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) throw new ShapeError(`${what} must be finite, but its element ${position(shape, i)} is ${data[i]}`);
  }
}

/** A flat index as "[2, 0, 5]". */
function position(shape: readonly number[], index: number): string {
  const at: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    at.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${at.join(", ")}]`;
}

function sumOf(data: Float32Array, from: number, count: number): number {
  let sum = 0;
  for (let i = from; i < from + count; i++) sum += data[i] as number;
  return sum;
}

/**
 * The loss of one shard: gives Σ m·l over its rows and writes dOutput = scale · m · dl/dy, padding 0. Allocates nothing.
 * @param target, mask addresses of the whole batch's staged tensors, each with 16 readable bytes after its end; mask 0 for none
 * @param scratch `readoutBytes(batch)` bytes; only touched by the readouts 'sum' and 'last'
 * @param scale 1 / Σ m over everything that one update averages
 */
export function runLoss(
  kernels: Kernels,
  plan: LossPlan,
  rows: LossRows,
  target: number,
  mask: number,
  scratch: number,
  scale: number,
): number {
  if (plan.readout === "each") {
    return runRows(kernels, plan, rows.dOutput, rows.output, target, mask, rows.source, rows.rows, plan.outputSize, scale);
  }
  const readout = new RunningReadout(kernels, plan.readout, plan.outputSize, rows.batch, scratch);
  readout.add(rows, rows.batch);
  const loss = readoutLoss(kernels, plan, readout, target, mask, scale);
  readout.spread(rows, rows.batch, 0);
  return loss;
}

/** Σ m·l of the predictions that a readout of the whole sequence has come to; their gradients are left with it. */
export function readoutLoss(
  kernels: Kernels,
  plan: LossPlan,
  readout: RunningReadout,
  target: number,
  mask: number,
  scale: number,
): number {
  const { prediction, dPrediction, elements, batch } = readout.end();
  return runRows(kernels, plan, dPrediction, prediction, target, mask, elements, batch, 1, scale);
}

// biome-ignore format: the kernels' order of arguments
function runRows(
  kernels: Kernels, plan: LossPlan, dOut: number, out: number, target: number, mask: number, source: number, rows: number, size: number, scale: number,
): number {
  switch (plan.kernel) {
    case "binaryCrossEntropyRows":
      return kernels.binaryCrossEntropyRows(dOut, out, target, mask, plan.maskWidth, source, rows, size, scale);
    case "meanSquaredErrorRows":
      return kernels.meanSquaredErrorRows(dOut, out, target, mask, plan.maskWidth, source, rows, size, scale);
    case "softmaxCrossEntropyRows":
      return kernels.softmaxCrossEntropyRows(dOut, out, target, mask, source, rows, size, scale);
    case "softmaxCrossEntropyIndexRows":
      return kernels.softmaxCrossEntropyIndexRows(dOut, out, target, mask, source, rows, size, scale);
  }
}
