// Trains a model: forward, loss, backward, clip and update, all in the engine.
import { Engine } from "../engine/engine.js";
import { pad4 } from "../engine/linear.js";
import { whyNoThreads } from "../engine/workerThreads.js";
import { ConfigError, StateError } from "../errors.js";
import type { Core } from "../models/core.js";
import { Staging } from "../models/core.js";
import { checkFinite, checkLengths } from "../models/inputs.js";
import type { Model } from "../models/model.js";
import { lanes, recomputedSteps } from "../models/shards.js";
import { rangesOf, type State } from "../models/state.js";
import type { Tensor } from "../tensor.js";
import { ArenaPasses } from "./arenaPasses.js";
import { CarriedStates } from "./carriedStates.js";
import { type Job, LaneRunner, type StepJob } from "./laneRunner.js";
import { Loss } from "./losses.js";
import { createOptimizer, type Optimizer } from "./optimizers.js";
import { type Progress, type RunOptions, run } from "./run.js";
import { createSchedule, type LearningRateAt } from "./schedules.js";
import { SHARED_BYTES, StepThreads } from "./stepThreads.js";
import { type ResolvedTrainerOptions, resolveTrainerOptions, type TrainerOptions } from "./trainerOptions.js";
import {
  addCarriedTensors,
  addParameterTensors,
  carriedState,
  checkParameterTensors,
  checkTrainerState,
  putParameterTensors,
  type TrainerState,
} from "./trainerState.js";
import { readInput, readLossTensor, type StepResult, type TrainingBatch } from "./trainingBatch.js";

export class Trainer {
  /** Resolved options, the optimizer's own apart. */
  readonly options: ResolvedTrainerOptions;
  readonly optimizer: Optimizer;
  private readonly loss: Loss;
  private readonly rateAt: LearningRateAt;
  private core: Core;
  private passes: ArenaPasses;
  private runner: LaneRunner;
  private staged: { target: Staging; mask: Staging; lengths: Staging; sums: Staging; losses: Staging };
  private steps = 0;
  private accumulated = 0;
  private readonly carried = new CarriedStates();
  private isDisposed = false;
  /** Whether threads are at work on a step that `stepAsync` waits for. */
  private isBusy = false;
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
    if (typeof (model as Model | null)?.live !== "function") throw new ConfigError("Trainer: the model must be a DNC, SAM or SDNC");
    const resolved = resolveTrainerOptions(options);
    const { config, network } = model;
    this.options = resolved.own;
    this.optimizer = createOptimizer(this.options.optimizer, resolved.optimizer, network.parameters);
    this.rate = this.optimizer.settings.learningRate;
    this.rateAt = this.options.schedule === undefined ? (base) => base : createSchedule(this.options.schedule);
    this.loss = new Loss(this.options.loss, this.options.readout, config.outputSize, config.batchFirst);
    this.core = model.live("Trainer");
    this.passes = this.arenaPasses();
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
   * @throws {ShapeError} for what does not fit; {NumericError} when loss or gradients are not finite. After an error in the midst of a
   *   step weights and optimizer are as before, batches accumulated and states carried on forgotten; {EngramError} when a thread is lost
   *   in the midst of an update, which is then half made, and says so
   */
  step(batch: TrainingBatch): StepResult {
    const job = this.prepare(batch, "Trainer.step");
    try {
      this.share(job);
    } catch (error) {
      this.discard();
      throw error;
    }
    return this.finish(job);
  }

  /** Clips the model's gradients and updates the weights: for a loss of one's own, after `model.forward` and `model.backward`. */
  update(): { gradNorm: number } {
    this.ownCore("Trainer.update");
    const gradNorm = this.passes.sum(undefined, true, this.optimizer.step + 1, undefined);
    this.applyUpdate(gradNorm);
    return { gradNorm };
  }

  /** As `step`, sharing the work with all threads without blocking the caller's: what a page's main thread calls. */
  async stepAsync(batch: TrainingBatch): Promise<StepResult> {
    await this.ready();
    const job = this.prepare(batch, "Trainer.stepAsync");
    this.isBusy = true;
    try {
      if (this.threads === undefined) this.share(job);
      else await this.threads.runAsync(job, this.runner);
    } catch (error) {
      this.abandon();
      this.discard();
      throw error;
    } finally {
      this.isBusy = false;
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
    this.isDisposed = true;
    if (this.threads === undefined) return;
    let carried: State | undefined;
    try {
      if (!this.isBusy) carried = this.fetchCarried();
    } finally {
      this.abandon();
    }
    this.handOutCarried(carried);
  }

  /** Forgets the state carried between steps: the next one starts from the empty state. */
  resetState(): void {
    this.carried.forget();
  }

  /** Ends the threads without asking them for anything, as one of them may be gone, or in the middle of a step. */
  private abandon(): void {
    this.threads?.stop();
    this.threads = undefined;
    this.resetState();
  }

  /** All lanes of a job, by all threads; without them from here on, if that fails. */
  private share(job: Job): void {
    try {
      if (this.threads !== undefined) this.threads.run(job, this.runner);
      else for (let lane = 0; lane < job.lanes; lane++) this.runner.run(job, lane);
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  private fetchCarried(): State | undefined {
    return this.carried.fetch(this.core.engine, this.model.stateLayout, (job) => this.share(job));
  }

  private handOutCarried(state: State | undefined): void {
    if (state !== undefined) this.carried.handOut(state, this.core.engine, (job) => this.share(job));
  }

  private async startThreads(): Promise<void> {
    const { threads, createWorker } = this.options;
    if (threads === 1) return;
    const reason = whyNoThreads();
    if (reason !== undefined) {
      console.warn(`engram: training with one thread: ${reason}`);
      return;
    }
    let started: StepThreads;
    try {
      this.moveTo(Engine.createShared(SHARED_BYTES));
      started = await StepThreads.start(this.core, threads, createWorker);
    } catch (error) {
      console.warn(`engram: training with one thread: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    if (this.isDisposed) {
      started.stop();
      return;
    }
    // States carried on, by steps taken meanwhile too, lie with this thread; from here on with those that run their shards.
    const carried = this.fetchCarried();
    this.threads = started;
    this.handOutCarried(carried);
  }

  private moveTo(engine: Engine): void {
    const state = this.ownState();
    const carried = this.fetchCarried();
    this.model.moveTo(engine);
    this.core = this.model.live("Trainer.ready");
    this.passes = this.arenaPasses();
    this.runner = new LaneRunner(engine, this.core.network);
    this.staged = this.staging();
    this.restore(state);
    this.handOutCarried(carried);
  }

  private ownCore(where: string): Core {
    if (this.isBusy) throw new StateError(`${where}: a step is under way; await what stepAsync gave first`);
    if (this.model.live(where) === this.core) return this.core;
    throw new StateError(`${where}: the model was moved by another Trainer; use that one`);
  }

  /** Checks and stages a batch. Nothing has changed before this returns. */
  private prepare(batch: TrainingBatch, where: string): StepJob {
    const core = this.ownCore(where);
    const { model, staged } = this;
    const { carryState, chunk } = this.options;
    const { batchFirst, recompute, dropout } = model.config;
    const { x, batchSize, steps } = readInput(where, batch, model.config);
    const lengths = checkLengths(where, batch.lengths, batchSize, steps);
    if (carryState) this.carried.check(where, batchSize);
    const target = readLossTensor(`${where}: target`, batch.target, this.loss.legend);
    const mask = batch.mask === undefined ? undefined : readLossTensor(`${where}: mask`, batch.mask, this.loss.legend);
    const plan = this.loss.plan({ target, mask, batchSize, steps, lengths }, where);
    const input = core.input.put(x.data);
    checkFinite(core.engine, `${where}: input`, input, x.shape);
    const shards = rangesOf(model.network.layout, batchSize).length;
    const laneCount = lanes(shards).length;
    const { count, gradients } = core.weights;
    core.weights.changed();
    this.passes.pack();
    return {
      lanes: laneCount,
      shape: { batch: batchSize, steps, batchFirst, lengths },
      plan,
      dropout: dropout > 0 ? core.dropoutKey(model.forwardCount) : undefined,
      chunk: chunk ?? steps,
      recompute: recompute ? recomputedSteps(Math.min(steps, chunk ?? steps), !model.network.memory.hasClock) : 0,
      carryState,
      input,
      target: staged.target.put(target.data),
      mask: mask === undefined ? 0 : staged.mask.put(mask.data),
      lengths: lengths === undefined ? 0 : this.stageLengths(lengths),
      sums: shards === 1 ? gradients : staged.sums.reserve(laneCount * pad4(count)),
      startSums: shards > 1 || this.accumulated === 0,
      laneBytes: 4 * pad4(count),
      losses: staged.losses.reserve(2 * shards),
      scale: 1 / (plan.totalWeight * this.options.accumulate),
      // Last, as it changes what is carried on: the staging before it may find too little memory.
      restart: carryState && this.carried.begin(batchSize),
    };
  }

  private stageLengths(lengths: Int32Array): number {
    const at = this.staged.lengths.reserve(lengths.length);
    this.core.engine.i32(at, lengths.length).set(lengths);
    return at;
  }

  /** Adds up what the lanes computed, and updates when enough batches are together. */
  private finish(job: StepJob): StepResult {
    const { core } = this;
    const losses = core.engine.f64(job.losses, rangesOf(this.model.network.layout, job.shape.batch).length);
    let sum = 0;
    for (const loss of losses) sum += loss;
    const loss = sum / job.plan.totalWeight;
    try {
      const isLast = this.accumulated + 1 === this.options.accumulate;
      const gradNorm = this.passes.sum(job, this.accumulated > 0, this.steps + 1, loss);
      this.model.forwardCount++;
      this.steps++;
      this.accumulated = isLast ? 0 : this.accumulated + 1;
      if (isLast) this.applyUpdate(gradNorm);
      return { loss, gradNorm };
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** What a batch that failed left in the gradients and in the states carried on is of no use. */
  private discard(): void {
    this.accumulated = 0;
    this.resetState();
  }

  private applyUpdate(gradNorm: number): void {
    this.passes.update(gradNorm, this.rateAt(this.learningRate, this.optimizer.step), this.options);
  }

  /** What a checkpoint needs beside the weights: a copy. */
  state(): TrainerState {
    this.ownCore("Trainer.state");
    const state = this.ownState();
    const carried = this.fetchCarried();
    if (carried === undefined) return state;
    addCarriedTensors(state.tensors, carried, this.model.stateLayout);
    return { ...state, carriedBatch: carried.batchSize };
  }

  /** All of it but the states carried on, which lie with the threads. */
  private ownState(): TrainerState {
    const tensors = new Map<string, Tensor>();
    for (const [prefix, base] of this.parameterBuffers(this.accumulated > 0)) addParameterTensors(tensors, this.core, prefix, base);
    return {
      optimizer: this.optimizer.state(),
      step: this.steps,
      learningRate: this.learningRate,
      forwards: this.model.forwardCount,
      accumulated: this.accumulated,
      tensors,
    };
  }

  /** Where the moments lie, and with accumulated batches the gradients, by the prefix of their tensors' names. */
  private parameterBuffers(hasAccumulated: boolean): Map<string, number> {
    const buffers = new Map(this.optimizer.moments.map(({ name }, i) => [name as string, this.passes.moments[i] as number]));
    return hasAccumulated ? buffers.set("gradient", this.core.weights.gradients) : buffers;
  }

  /**
   * A trainer that goes on where another was, to the bit.
   * @param options those of the trainer that the state is from
   * @throws {CheckpointError} when the state does not fit the model and the options; the model is as before
   */
  static resume(model: Model, options: TrainerOptions, state: TrainerState): Trainer {
    const trainer = new Trainer(model, options);
    try {
      checkTrainerState(state, trainer.options.accumulate);
      const carried = trainer.options.carryState ? carriedState(state, model.stateLayout) : undefined;
      trainer.restore(state);
      trainer.handOutCarried(carried);
      return trainer;
    } catch (error) {
      trainer.passes.free();
      throw error;
    }
  }

  private restore(state: TrainerState): void {
    const buffers = this.parameterBuffers(state.accumulated > 0);
    checkParameterTensors(state, this.core, buffers.keys());
    this.optimizer.restore(state.optimizer);
    for (const [prefix, base] of buffers) putParameterTensors(state, this.core, prefix, base);
    this.steps = state.step;
    this.learningRate = state.learningRate;
    this.model.forwardCount = state.forwards;
    this.accumulated = state.accumulated;
  }

  private arenaPasses(): ArenaPasses {
    return new ArenaPasses(this.core, this.optimizer, (job) => this.share(job));
  }

  private staging() {
    const { engine } = this.core;
    return {
      target: new Staging(engine),
      mask: new Staging(engine),
      lengths: new Staging(engine),
      sums: new Staging(engine),
      losses: new Staging(engine),
    };
  }
}
