// What DNC, SAM and SDNC share: the public interface of a model. It checks what comes in and hands it to the sequences that compute.
import { Engine } from "../engine/engine.js";
import { EngramError, ShapeError, StateError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { sizeOf } from "../tensor.js";
import type { BackwardOptions, BackwardResult, ForwardOptions, ForwardResult } from "./calls.js";
import { Core } from "./core.js";
import { DebugRecorder } from "./debugTensors.js";
import { type Axis, checkCallOptions, checkFinite, checkLengths, checkTensor, type TensorLike } from "./inputs.js";
import { createMemory } from "./memories.js";
import type { Network } from "./network.js";
import { type DNCOptions, type ModelConfig, type ModelType, resolveOptions } from "./options.js";
import type { Parameter } from "./parameters.js";
import type { Call } from "./sequences.js";
import { recomputedSteps } from "./shards.js";
import { emptyState, State } from "./state.js";
import type { StateLayout } from "./stateLayout.js";
import { checkStateTensors } from "./stateShapes.js";
import { backwardResult, keepOn, Tapes } from "./tapes.js";

const forwardFlags = ["resetExperience", "passThroughMemory"];
const forwardOptions = [...forwardFlags, "lengths"];

export abstract class Model {
  /** All options, resolved. */
  readonly config: ModelConfig;
  /** Number of weights. */
  readonly numParameters: number;
  /** Let go of when disposed, with all its memory. */
  private heldCore: Core | undefined;
  private readonly tapes: Tapes;
  private isTraining = true;
  private peakBytes = 0;
  private trainingForwards = 0;
  private stepOutput: Tensor | undefined;

  protected constructor(
    readonly type: ModelType,
    options: DNCOptions,
  ) {
    this.config = resolveOptions(type, options);
    this.heldCore = new Core(Engine.create(), type, this.config, createMemory(type, this.config));
    this.numParameters = this.network.weightCount;
    this.tapes = new Tapes(this.config.maxTapes);
  }

  /** @internal */
  get core(): Core {
    if (this.heldCore === undefined) throw this.disposedError();
    return this.heldCore;
  }

  /** @internal */
  get network(): Network {
    return this.core.network;
  }

  /** @internal */
  get stateLayout(): StateLayout {
    return this.network.layout;
  }

  /** Whether the model is in training mode, as at first. */
  get training(): boolean {
    return this.isTraining;
  }

  /** Training mode: forward keeps what backward needs, and drops out. */
  train(): this {
    this.isTraining = true;
    return this;
  }

  /** Evaluation mode: forward keeps nothing and drops nothing out. */
  eval(): this {
    this.isTraining = false;
    return this;
  }

  /**
   * Runs the network over a batch of sequences (models.md §1).
   * @param input [B, T, X], or [T, B, X] with batchFirst false; a tensor or nested arrays, every value finite
   * @param state what to go on from, by default the empty state; it stays usable
   * @returns output [B, T, O], a copy of the caller's own, and the state after each element's last step
   * @throws {ShapeError} for a wrong shape, a value that is not finite, or lengths out of range; {StateError} for a state of another model or batch size
   */
  forward(input: TensorLike, state?: State, options: ForwardOptions = {}): ForwardResult {
    const where = this.where("forward");
    checkCallOptions(where, options, forwardOptions, forwardFlags);
    const { batchFirst, inputSize, outputSize, debug } = this.config;
    const axes: Axis[] = batchFirst ? [{ letter: "B" }, { letter: "T" }] : [{ letter: "T" }, { letter: "B" }];
    const x = checkTensor(`${where}: input`, input, [...axes, { letter: "X", size: inputSize, from: "inputSize" }]);
    const [first, second] = x.shape as [number, number];
    const [batch, steps] = batchFirst ? [first, second] : [second, first];
    const lengths = checkLengths(where, options.lengths, batch, steps);
    if (state !== undefined) this.checkState(where, state, batch);
    const accesses = options.passThroughMemory === false ? 0 : steps * this.config.numLayers;
    const recorder = debug ? new DebugRecorder(where, this.core.engine, this.network, accesses, lengths?.[0] ?? steps) : undefined;
    const at = this.core.input.put(x.data);
    checkFinite(this.core.engine, `${where}: input`, at, x.shape);

    const call = this.call(batch, steps, lengths, options.passThroughMemory ?? true);
    const tape = call.record ? this.tapes.next(() => this.core.sequences()) : undefined;
    const sequences = tape?.sequences ?? this.core.evaluation;
    sequences.open(batch);
    sequences.enter(state);
    if (options.resetExperience) sequences.resetMemories();
    this.core.weights.pack(call.record);
    const outputSizes = [first, second, outputSize];
    const outputAt = this.core.output.zeros(sizeOf(outputSizes));
    sequences.forward(call, at, outputAt, recorder);
    const output = { data: this.core.output.values(sizeOf(outputSizes)).slice(), shape: outputSizes };
    const next = new State(this.stateLayout, batch, sequences);
    sequences.holds = next;
    const result: ForwardResult = { output, state: next, ...(recorder !== undefined && { debug: recorder.tensors() }) };
    if (tape !== undefined) keepOn(tape, result, call, x.data, state !== undefined);
    return result;
  }

  /**
   * Goes back through a forward call in training mode, once, and adds to `gradients()`.
   * @param outputGrad gradient of the loss with respect to the output, of its shape
   * @throws {StateError} when that call was gone back through already, or is no longer kept (see maxTapes)
   */
  backward(outputGrad: TensorLike, options: BackwardOptions = {}): BackwardResult {
    const where = this.where("backward");
    checkCallOptions(where, options, ["of", "stateGrad"], []);
    const { of, stateGrad } = options;
    const tape = this.tapes.find(where, of);
    const { call } = tape as { call: Call };
    const { output } = tape.result as ForwardResult;
    const letters = this.config.batchFirst ? ["B", "T", "O"] : ["T", "B", "O"];
    const dy = checkTensor(
      `${where}: outputGrad`,
      outputGrad,
      letters.map((letter, i) => ({ letter, size: output.shape[i] as number })),
    );
    if (stateGrad !== undefined) checkStateTensors(`${where}: stateGrad`, this.stateLayout, call.batch, stateGrad);
    const { core } = this;
    const dOutput = core.output.put(dy.data);
    checkFinite(core.engine, `${where}: outputGrad`, dOutput, dy.shape);
    // Dropping the tape first: whatever happens from here on, it is spent.
    tape.result = undefined;
    core.weights.pack(true);
    const input = tape.input === undefined ? 0 : core.input.put(tape.input);
    const inputShape = [output.shape[0] as number, output.shape[1] as number, this.config.inputSize];
    const dInput = core.inputGradient.zeros(sizeOf(inputShape));
    const { sequences } = tape;
    core.gradientLanes.collect(sequences.ranges.length, (sumOf) => sequences.backward(sumOf, dOutput, dInput, input, stateGrad));
    const inputGrad = { data: core.inputGradient.values(sizeOf(inputShape)).slice(), shape: inputShape };
    return backwardResult(tape, inputGrad, stateGrad);
  }

  /**
   * One time step for streaming: in evaluation mode whatever the mode of the model, nothing recorded, nothing allocated.
   * @param input [B, X], a tensor
   * @param state is moved on in place
   * @param out where to put the output [B, O]; without, a tensor that the next step writes again is returned
   * @throws {ShapeError} for a wrong shape or a value that is not finite; {StateError} for a state of another model
   */
  step(input: Tensor, state: State, out?: Tensor): Tensor {
    const core = this.live("step");
    const { config } = this;
    this.checkState("step", state, undefined);
    const batch = state.batchSize;
    const data = this.checkStepInput(input, batch);
    const target = out === undefined ? this.reusedStepOutput(batch) : this.checkStepOutput(out, batch);
    const at = core.input.put(data);
    if (core.engine.kernels.firstNonFinite(at, data.length) >= 0) checkFinite(core.engine, `${this.where("step")}: input`, at, input.shape);
    const sequences = core.evaluation;
    if (!sequences.isAt(state)) {
      sequences.open(batch);
      sequences.enter(state);
    }
    core.weights.pack(false);
    const outputAt = core.output.reserve(batch * config.outputSize);
    sequences.step(core.stepCall(batch), at, outputAt);
    target.data.set(core.output.values(batch * config.outputSize));
    sequences.holds = state;
    state.moveOn(sequences);
    return target;
  }

  /** Views of the weights by state-dict name: writing to their `data` changes the model. */
  parameters(): Map<string, Tensor> {
    return this.views("values");
  }

  /** Views of the gradients, by the same names. */
  gradients(): Map<string, Tensor> {
    return this.views("gradients");
  }

  zeroGrad(): void {
    this.live("zeroGrad").weights.zeroGradients();
  }

  /** Copies of the weights by state-dict name. */
  stateDict(): Map<string, Tensor> {
    return this.live("stateDict").weights.copies();
  }

  /** Loads weights by name. @throws {CheckpointError} naming what is missing, extra, misshapen or not finite; nothing is loaded then */
  loadStateDict(tensors: ReadonlyMap<string, Tensor>): void {
    this.live("loadStateDict").weights.load(tensors);
  }

  /** The empty state of `batchSize` elements. */
  initialState(batchSize: number): State {
    const where = this.where("initialState");
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new ShapeError(`${where}: batchSize must be a whole number of 1 or more, got ${batchSize}`);
    }
    try {
      return emptyState(this.stateLayout, batchSize);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new EngramError(
        `${where}: a state of ${batchSize} elements is larger than this machine can hold: lower batchSize or nrCells`,
        "ENGINE",
        {
          cause,
        },
      );
    }
  }

  /** Bytes by purpose, now (none once disposed), and at most since construction. */
  memoryUsage(): { weights: number; gradients: number; packed: number; sequences: number; staging: number; total: number; peak: number } {
    const core = this.heldCore;
    if (core === undefined) return { weights: 0, gradients: 0, packed: 0, sequences: 0, staging: 0, total: 0, peak: this.peakBytes };
    const { arena } = core.engine;
    const sequences = core.evaluation.bytes + this.tapes.bytes;
    const staging = core.input.bytes + core.output.bytes;
    return { ...core.weights.bytes, sequences, staging, total: arena.bytesInUse, peak: arena.peakBytes };
  }

  /** Frees the engine's memory. States stay readable; any further call is an EngramError. Never needed to keep memory bounded. */
  dispose(): void {
    if (this.heldCore === undefined) return;
    this.peakBytes = this.memoryUsage().peak;
    this.core.evaluation.dispose();
    this.tapes.dispose();
    this.heldCore = undefined;
  }

  /** @internal the core, for as long as it is not disposed */
  live(call: string): Core {
    if (this.heldCore === undefined) throw this.disposedError(call);
    return this.heldCore;
  }

  /** @internal moves to another engine, with weights and gradients; the states that lie in the old one are copied out, its tapes are gone */
  moveTo(engine: Engine): void {
    const weights = this.stateDict();
    const gradients = this.core.weights.array("gradients", { offset: 0, count: this.numParameters } as Parameter).slice();
    this.core.evaluation.dispose();
    this.tapes.dispose();
    this.heldCore = new Core(engine, this.type, this.config, this.network.memory);
    this.core.weights.load(weights);
    this.core.weights.array("gradients", { offset: 0, count: this.numParameters } as Parameter).set(gradients);
  }

  /** @internal the training step's number, which dropout's masks are drawn with */
  get forwardCount(): number {
    return this.trainingForwards;
  }

  set forwardCount(count: number) {
    this.trainingForwards = count;
  }

  private where(call: string): string {
    if (this.heldCore === undefined) throw this.disposedError(call);
    return `${this.type.toUpperCase()}.${call}`;
  }

  private disposedError(call?: string): EngramError {
    return new EngramError(`${this.type.toUpperCase()}${call === undefined ? "" : `.${call}`}: this model was disposed; make a new one`);
  }

  private views(of: "values" | "gradients"): Map<string, Tensor> {
    return new Map(this.live("parameters").network.parameters.map((parameter) => [parameter.name, this.view(of, parameter)]));
  }

  private view(of: "values" | "gradients", parameter: Parameter): Tensor {
    let kept: Float32Array | undefined;
    const model = this;
    return {
      shape: parameter.shape,
      get data() {
        const core = model.live("parameters");
        if (kept === undefined || kept.buffer !== core.engine.memory.buffer) kept = core.weights.array(of, parameter);
        return kept;
      },
    };
  }

  private call(batch: number, steps: number, lengths: Int32Array | undefined, passThroughMemory: boolean): Call {
    const { batchFirst, dropout, recompute } = this.config;
    const record = this.isTraining;
    const drops = record && dropout > 0;
    return {
      batch,
      steps,
      batchFirst,
      lengths,
      record,
      recompute: recompute ? recomputedSteps(steps, !this.network.memory.hasClock) : 0,
      passThroughMemory,
      dropout: drops ? this.core.dropoutKey(this.trainingForwards++) : undefined,
    };
  }

  private checkState(call: string, state: State, batch: number | undefined): void {
    if (!(state instanceof State)) {
      throw new StateError(
        `${call}: state must be a State, from forward, initialState or State.from, got ${state === null ? "null" : typeof state}`,
      );
    }
    if (!state.belongsTo(this.stateLayout))
      throw new StateError(`${call}: this state is of another model: its kind, sizes or layers differ`);
    if (batch !== undefined && state.batchSize !== batch) {
      throw new StateError(`${call}: the state is of batch size ${state.batchSize}, the input's is ${batch}`);
    }
  }

  private checkStepInput(input: Tensor, batch: number): Float32Array {
    const { inputSize } = this.config;
    if (input?.data instanceof Float32Array && input.shape?.length === 2 && input.shape[0] === batch && input.shape[1] === inputSize) {
      if (input.data.length === batch * inputSize) return input.data;
    }
    if (Array.isArray(input))
      throw new ShapeError(`${this.where("step")}: input must be a tensor, not nested arrays: make it with tensor(data, shape)`);
    const axes = [
      { letter: "B", size: batch, from: "the state's batch size" },
      { letter: "X", size: inputSize, from: "inputSize" },
    ];
    return checkTensor(`${this.where("step")}: input`, input, axes).data;
  }

  private checkStepOutput(out: Tensor, batch: number): Tensor {
    if (Array.isArray(out))
      throw new ShapeError(`${this.where("step")}: out must be a tensor to write to, not nested arrays: make it with zeros(shape)`);
    return checkTensor(`${this.where("step")}: out`, out, [
      { letter: "B", size: batch },
      { letter: "O", size: this.config.outputSize, from: "outputSize" },
    ]);
  }

  private reusedStepOutput(batch: number): Tensor {
    const { outputSize } = this.config;
    if (this.stepOutput?.shape[0] !== batch) {
      this.stepOutput = { data: new Float32Array(batch * outputSize), shape: [batch, outputSize] };
    }
    return this.stepOutput;
  }
}
