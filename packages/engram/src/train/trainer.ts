// Trains a model: forward, loss, backward, clip and update, all in the engine.
import { Engine } from "../engine/engine.js";
import { pad4 } from "../engine/linear.js";
import { whyNoThreads } from "../engine/workerThreads.js";
import { CheckpointError, ConfigError, ShapeError, StateError } from "../errors.js";
import type { Core } from "../models/core.js";
import { Staging } from "../models/core.js";
import { checkFinite, checkLengths, checkTensor, type TensorLike } from "../models/inputs.js";
import type { Model } from "../models/model.js";
import { lanes, recomputedSteps } from "../models/shards.js";
import { rangesOf } from "../models/state.js";
import type { Tensor } from "../tensor.js";
import { clipGradients, finiteNorm } from "./gradientNorm.js";
import { LaneRunner, type StepJob } from "./laneRunner.js";
import { Loss } from "./losses.js";
import { createOptimizer, type Optimizer, type OptimizerState } from "./optimizers.js";
import { type Progress, type RunOptions, run } from "./run.js";
import { createSchedule, type LearningRateAt } from "./schedules.js";
import { SHARED_BYTES, StepThreads } from "./stepThreads.js";
import { type ResolvedTrainerOptions, resolveTrainerOptions, type TrainerOptions } from "./trainerOptions.js";

/** Examples to learn from. Inputs, targets and masks are tensors or nested arrays, batch first or not as the model is. */
export interface TrainingBatch {
  /** [B, T, X] */
  readonly input: TensorLike;
  /** [B, T, O] (softmaxCrossEntropy also [B, T] class numbers), or [B] with readout 'sum' or 'last'. */
  readonly target: TensorLike;
  /** [B, T] or [B, T, O], or [B] with readout 'sum' or 'last' [ones within `lengths`]. */
  readonly mask?: TensorLike | undefined;
  /** Valid steps of each element [B] [all T]. */
  readonly lengths?: ArrayLike<number> | undefined;
}

export interface StepResult {
  /** Σ m·l / Σ m over the batch, before the update. */
  readonly loss: number;
  /** Norm of all gradients together, before clipping. */
  readonly gradNorm: number;
}

/** Everything a trainer needs to go on exactly where it was, besides the model's weights and its own options. */
export interface TrainerState {
  readonly optimizer: OptimizerState;
  /** Batches seen. */
  readonly step: number;
  readonly learningRate: number;
  /** Training forwards of the model so far: where dropout's masks are in their sequence. */
  readonly forwards: number;
  /** Batches accumulated towards the next update. */
  readonly accumulated: number;
  /** Moments by `{moment}.{parameter}`, and with accumulated batches the gradients by `gradient.{parameter}`. */
  readonly tensors: Map<string, Tensor>;
}

/** The optimizer's part of the engine: its moments, laid out as the weights. */
interface Buffers {
  readonly weights: number;
  readonly gradients: number;
  readonly moments: readonly number[];
}

export class Trainer {
  /** Resolved options, the optimizer's own apart. */
  readonly options: ResolvedTrainerOptions;
  readonly optimizer: Optimizer;
  private readonly loss: Loss;
  private readonly rateAt: LearningRateAt;
  private core: Core;
  private buffers: Buffers;
  private runner: LaneRunner;
  private staged: { target: Staging; mask: Staging; sums: Staging; losses: Staging };
  private steps = 0;
  private accumulated = 0;
  private restart = false;
  /** Batch size of the states carried on; undefined when the next step starts from the empty state. */
  private carriedBatch: number | undefined;
  private rate: number;
  private threads: StepThreads | undefined;
  private starting: Promise<void> | undefined;

  /**
   * @param options see TrainerOptions; the defaults are PyTorch's
   * @throws {ConfigError} naming the option, what it must be and what came
   */
  constructor(
    readonly model: Model,
    options: TrainerOptions = {},
  ) {
    const resolved = resolveTrainerOptions(options);
    const { config, network } = model;
    this.options = resolved.own;
    this.optimizer = createOptimizer(this.options.optimizer, resolved.optimizer, network.parameters);
    this.rate = this.optimizer.settings.learningRate;
    this.rateAt = this.options.schedule === undefined ? (base) => base : createSchedule(this.options.schedule);
    this.loss = new Loss(this.options.loss, this.options.readout, config.outputSize, config.batchFirst);
    this.core = model.live("Trainer");
    this.buffers = this.allocateMoments();
    this.runner = new LaneRunner(this.core.engine, network);
    this.staged = this.staging();
  }

  /** The learning rate that the next update starts from; a schedule changes it with the updates made. @throws {ConfigError} for what is none */
  get learningRate(): number {
    return this.rate;
  }

  set learningRate(rate: number) {
    if (typeof rate !== "number" || !(rate >= 0 && Number.isFinite(rate))) {
      throw new ConfigError(`Trainer: learningRate must be a finite number of 0 or more, got ${String(rate)}`);
    }
    this.rate = rate;
  }

  /** Batches seen. */
  get stepCount(): number {
    return this.steps;
  }

  /**
   * One training step: forward, loss, backward, clip, update. The state is the empty one, unless `carryState`.
   * @returns loss and gradient norm before the update
   * @throws {ShapeError} for what does not fit; {NumericError} when loss or gradients are not finite: weights and optimizer are then as before
   */
  step(batch: TrainingBatch): StepResult {
    const job = this.prepare(batch, "Trainer.step");
    try {
      if (this.threads === undefined) this.runAlone(job);
      else this.threads.run(job, this.runner);
    } catch (error) {
      // A worker may be in the middle of the step still: from here on the trainer works alone.
      this.dispose();
      throw error;
    }
    return this.finish(job);
  }

  /** Clips the model's gradients and updates the weights: for a loss of one's own, after `model.forward` and `model.backward`. */
  update(): { gradNorm: number } {
    const gradNorm = finiteNorm(this.ownCore("Trainer.update"), this.optimizer.step + 1, undefined);
    this.applyUpdate(gradNorm);
    return { gradNorm };
  }

  /** As `step`, sharing the work with all threads without blocking the caller's: what a page's main thread calls. */
  async stepAsync(batch: TrainingBatch): Promise<StepResult> {
    await this.ready();
    const job = this.prepare(batch, "Trainer.stepAsync");
    try {
      if (this.threads === undefined) this.runAlone(job);
      else await this.threads.runAsync(job, this.runner);
    } catch (error) {
      this.dispose();
      throw error;
    }
    return this.finish(job);
  }

  /**
   * Trains on a task. Yields every so many milliseconds, and lets others have their turn then; ends at the signal, after a whole batch.
   * @throws {ConfigError} when task, trainer and model do not fit each other; and what `step` throws
   */
  run(options: RunOptions): AsyncGenerator<Progress, void, undefined> {
    return run(this, options);
  }

  /**
   * Starts the worker threads that `threads` asks for; the model moves to shared memory. Where threads cannot be had the trainer goes on with one,
   * and says so once.
   */
  ready(): Promise<void> {
    this.starting ??= this.startThreads();
    return this.starting;
  }

  /** Ends the worker threads; the trainer goes on with one. */
  dispose(): void {
    this.threads?.stop();
    this.threads = undefined;
  }

  /** Forgets the state carried between steps: the next one starts from the empty state. */
  resetState(): void {
    this.restart = true;
    this.carriedBatch = undefined;
  }

  private runAlone(job: StepJob): void {
    for (let lane = 0; lane < job.lanes; lane++) this.runner.run(job, lane);
  }

  private async startThreads(): Promise<void> {
    const { threads, createWorker } = this.options;
    if (threads === 1) return;
    const reason = whyNoThreads();
    if (reason === undefined) {
      try {
        this.moveTo(Engine.createShared(SHARED_BYTES));
        this.threads = await StepThreads.start(this.core, threads, createWorker);
        return;
      } catch (error) {
        console.warn(`engram: training with one thread: ${error instanceof Error ? error.message : String(error)}`);
        return;
      }
    }
    console.warn(`engram: training with one thread: ${reason}`);
  }

  private moveTo(engine: Engine): void {
    const state = this.state();
    this.model.moveTo(engine);
    this.core = this.model.live("Trainer.ready");
    this.buffers = this.allocateMoments();
    this.runner = new LaneRunner(engine, this.core.network);
    this.staged = this.staging();
    this.restore(state);
  }

  private ownCore(where: string): Core {
    if (this.model.live(where) === this.core) return this.core;
    throw new StateError(`${where}: the model was moved by another Trainer; use that one`);
  }

  /** Checks and stages a batch. Nothing has changed before this returns. */
  private prepare(batch: TrainingBatch, where: string): StepJob {
    const core = this.ownCore(where);
    if (typeof batch !== "object" || batch === null) throw new ShapeError(`${where}: expected { input, target }, got ${String(batch)}`);
    const { model, staged } = this;
    const { carryState, chunk } = this.options;
    const { batchFirst, inputSize, recompute, dropout } = model.config;
    const letters = batchFirst ? ["B", "T"] : ["T", "B"];
    const x = checkTensor(`${where}: input`, batch.input, [
      ...letters.map((letter) => ({ letter })),
      { letter: "X", size: inputSize, from: "inputSize" },
    ]);
    const [first, second] = x.shape as [number, number];
    const [batchSize, steps] = batchFirst ? [first, second] : [second, first];
    const lengths = checkLengths(where, batch.lengths, batchSize, steps);
    if (carryState && this.carriedBatch !== undefined && this.carriedBatch !== batchSize) {
      const carried = `the state carried on is of batch size ${this.carriedBatch}, the input's is ${batchSize}`;
      throw new StateError(`${where}: ${carried}; call resetState() where other sequences begin`);
    }
    const target = this.readTarget(`${where}: target`, batch.target);
    const mask = batch.mask === undefined ? undefined : this.readTarget(`${where}: mask`, batch.mask);
    const plan = this.loss.plan({ target, mask, batchSize, steps, lengths }, where);
    const input = core.input.put(x.data);
    checkFinite(core.engine, `${where}: input`, input, x.shape);
    const shards = rangesOf(model.network.layout, batchSize).length;
    const laneCount = lanes(shards).length;
    const { count, gradients } = core.weights;
    if (this.accumulated === 0) core.weights.zeroGradients();
    core.weights.changed();
    core.weights.pack(true);
    const { restart } = this;
    this.restart = false;
    this.carriedBatch = batchSize;
    return {
      lanes: laneCount,
      restart,
      shape: { batch: batchSize, steps, batchFirst, lengths },
      plan,
      dropout: dropout > 0 ? core.dropoutKey(model.forwardCount) : undefined,
      chunk: chunk ?? steps,
      recompute:
        recompute && this.options.readout === "each" ? recomputedSteps(Math.min(steps, chunk ?? steps), !model.network.memory.hasClock) : 0,
      carryState,
      input,
      target: staged.target.put(target.data),
      mask: mask === undefined ? 0 : staged.mask.put(mask.data),
      sums: shards === 1 ? gradients : staged.sums.reserve(laneCount * pad4(count)),
      startSums: shards > 1,
      laneBytes: 4 * pad4(count),
      losses: staged.losses.reserve(2 * shards),
      scale: 1 / (plan.totalWeight * this.options.accumulate),
    };
  }

  private readTarget(what: string, value: TensorLike): Tensor {
    const rank = nestedRank(value);
    const letters = rank === 0 ? this.loss.legend.split(", ") : Array.from({ length: rank }, (_, i) => `axis ${i}`);
    return checkTensor(
      what,
      value,
      letters.map((letter) => ({ letter })),
    );
  }

  /** Adds up what the lanes computed, and updates when enough batches are together. */
  private finish(job: StepJob): StepResult {
    const { core } = this;
    const { count, gradients } = core.weights;
    if (job.sums !== gradients) core.engine.kernels.sumGradients(gradients, job.sums, job.laneBytes, job.lanes, count);
    const losses = core.engine.f64(job.losses, rangesOf(this.model.network.layout, job.shape.batch).length);
    let sum = 0;
    for (const loss of losses) sum += loss;
    const loss = sum / job.plan.totalWeight;
    try {
      const isLast = this.accumulated + 1 === this.options.accumulate;
      const gradNorm = finiteNorm(core, this.steps + 1, loss);
      this.model.forwardCount++;
      this.steps++;
      this.accumulated = isLast ? 0 : this.accumulated + 1;
      if (isLast) this.applyUpdate(gradNorm);
      return { loss, gradNorm };
    } catch (error) {
      // What the batch left in the gradients and in the states carried on is of no use.
      this.accumulated = 0;
      this.resetState();
      throw error;
    }
  }

  private applyUpdate(gradNorm: number): void {
    clipGradients(this.core, gradNorm, this.options);
    this.optimizer.apply(this.core.engine, this.buffers, this.rateAt(this.learningRate, this.optimizer.step));
    this.core.weights.changed();
  }

  /** What a checkpoint needs beside the weights: a copy. */
  state(): TrainerState {
    const { engine, weights } = this.core;
    const tensors = new Map<string, Tensor>();
    const add = (prefix: string, base: number) => {
      for (const { name, shape, offset, count } of this.model.network.parameters) {
        tensors.set(`${prefix}.${name}`, { data: engine.f32(base + 4 * offset, count).slice(), shape });
      }
    };
    for (const [i, { name }] of this.optimizer.moments.entries()) add(name, this.buffers.moments[i] as number);
    if (this.accumulated > 0) add("gradient", weights.gradients);
    return {
      optimizer: this.optimizer.state(),
      step: this.steps,
      learningRate: this.learningRate,
      forwards: this.model.forwardCount,
      accumulated: this.accumulated,
      tensors,
    };
  }

  /**
   * A trainer that goes on where another was, to the bit.
   * @param options those of the trainer that the state is from
   * @throws {CheckpointError} when the state does not fit the model and the options; the model is as before
   */
  static resume(model: Model, options: TrainerOptions, state: TrainerState): Trainer {
    const trainer = new Trainer(model, options);
    trainer.restore(state);
    return trainer;
  }

  private restore(state: TrainerState): void {
    const bases = new Map<string, number>(this.optimizer.moments.map(({ name }, i) => [name, this.buffers.moments[i] as number]));
    if (state.accumulated > 0) bases.set("gradient", this.core.weights.gradients);
    const { parameters } = this.model.network;
    for (const prefix of bases.keys()) {
      for (const { name, count } of parameters) {
        const tensor = state.tensors.get(`${prefix}.${name}`);
        if (tensor?.data.length !== count) throw new CheckpointError(`the trainer's state lacks ${prefix}.${name} of ${count} values`);
      }
    }
    this.optimizer.restore(state.optimizer);
    for (const [prefix, base] of bases) {
      for (const { name, offset, count } of parameters) {
        this.core.engine.f32(base + 4 * offset, count).set((state.tensors.get(`${prefix}.${name}`) as Tensor).data);
      }
    }
    this.steps = state.step;
    this.learningRate = state.learningRate;
    this.model.forwardCount = state.forwards;
    this.accumulated = state.accumulated;
  }

  private allocateMoments(): Buffers {
    const { engine, weights } = this.core;
    const moments = this.optimizer.moments.map(() => engine.allocate(4 * weights.count));
    this.optimizer.initialize(engine, moments, weights.count);
    return { weights: weights.values, gradients: weights.gradients, moments };
  }

  private staging() {
    const { engine } = this.core;
    return { target: new Staging(engine), mask: new Staging(engine), sums: new Staging(engine), losses: new Staging(engine) };
  }
}

/** Axes of a tensor or of nested arrays; 0 for what is neither. */
function nestedRank(value: TensorLike): number {
  if (!Array.isArray(value)) return (value as Tensor)?.shape?.length ?? 0;
  let rank = 0;
  for (let level: unknown = value; Array.isArray(level); level = level[0]) rank++;
  return rank;
}
