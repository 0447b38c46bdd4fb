// What a model owns in an engine: the network, its weights, and the sequences its calls run on. A model swaps it for another only to
// move to shared memory, so that threads can work on it.
import type { Engine } from "../engine/engine.js";
import { clearUnset, type GradientSum } from "../engine/gradientSum.js";
import { pad4 } from "../engine/linear.js";
import type { Memory } from "../memory/memory.js";
import type { DropoutKey } from "./frame.js";
import { Network } from "./network.js";
import type { ModelConfig, ModelType } from "./options.js";
import { type Call, Sequences } from "./sequences.js";
import { lanes, ScheduleCache } from "./shards.js";
import { Weights } from "./weights.js";

/** A buffer that grows and is never given back. */
export class Staging {
  private at = 0;
  private capacity = 0;
  private view: Float32Array = new Float32Array(0);

  constructor(private readonly engine: Engine) {}

  get bytes(): number {
    return this.capacity;
  }

  /** The first `floats` values: a view until the memory grows, the same object as long as it is asked for as many. */
  values(floats: number): Float32Array {
    const { view, at, engine } = this;
    const holds = view.length === floats && view.byteOffset === at && view.buffer === engine.memory.buffer;
    if (!holds) this.view = engine.f32(at, floats);
    return this.view;
  }

  /** Room for `floats`, and for a vector read past their end; what was there is lost. */
  reserve(floats: number): number {
    const bytes = 4 * floats + 64;
    if (bytes > this.capacity) {
      if (this.at !== 0) this.engine.free(this.at);
      this.at = 0;
      this.capacity = 0;
      this.at = this.engine.allocate(bytes);
      this.capacity = bytes;
    }
    return this.at;
  }

  /** Room for the values, filled with them. */
  put(values: Float32Array): number {
    const at = this.reserve(values.length);
    this.values(values.length).set(values);
    return at;
  }

  zeros(floats: number): number {
    const at = this.reserve(floats);
    this.engine.kernels.fillZero(at, 4 * floats);
    return at;
  }
}

/**
 * Where the shards of a batch add their weight gradients: each lane of consecutive shards has a sum of its own, and the sums are added
 * up in a fixed tree, so that the bits do not depend on who computed which lane, or when.
 */
export class GradientLanes {
  private readonly sums: Staging;

  constructor(
    private readonly engine: Engine,
    private readonly weights: Weights,
  ) {
    this.sums = new Staging(engine);
  }

  get bytes(): number {
    return this.sums.bytes;
  }

  /** Runs `run`, which adds shard i's gradients to `sumOf(i)`, and adds all of them to the model's gradients. */
  collect(numShards: number, run: (sumOf: (shard: number) => GradientSum) => void): void {
    const { count, gradients } = this.weights;
    const bytes = 4 * pad4(count);
    if (numShards === 1) {
      run(() => ({ at: gradients, bytes, isUnset: false }));
      return;
    }
    const ranges = lanes(numShards);
    const first = this.sums.reserve((ranges.length * bytes) / 4);
    const sums = ranges.map((_, lane): GradientSum => ({ at: first + lane * bytes, bytes, isUnset: true }));
    run((shard) => sums[ranges.findIndex(({ from, count: shards }) => shard < from + shards)] as GradientSum);
    for (const sum of sums) clearUnset(this.engine, sum);
    this.engine.kernels.sumGradients(gradients, first, bytes, ranges.length, count, 1);
  }
}

export class Core {
  readonly network: Network;
  readonly weights: Weights;
  readonly schedules = new ScheduleCache();
  /** For calls that keep nothing for going back, and for streaming. */
  readonly evaluation: Sequences;
  readonly input: Staging;
  readonly output: Staging;
  readonly inputGradient: Staging;
  readonly gradientLanes: GradientLanes;
  private latestStepCall: Call | undefined;

  constructor(
    readonly engine: Engine,
    type: ModelType,
    config: ModelConfig,
    memory: Memory,
  ) {
    this.network = new Network(engine, type, config, memory);
    this.weights = new Weights(engine, this.network, config.seed);
    this.evaluation = this.sequences();
    this.input = new Staging(engine);
    this.output = new Staging(engine);
    this.inputGradient = new Staging(engine);
    this.gradientLanes = new GradientLanes(engine, this.weights);
  }

  /** What dropout's masks of a training step are drawn from. */
  dropoutKey(step: number): DropoutKey {
    const { seed } = this.network.config;
    return { seedLow: seed | 0, seedHigh: Math.floor(seed / 2 ** 32) | 0, step };
  }

  /** One step of streaming; the same object for the same batch. */
  stepCall(batch: number): Call {
    if (this.latestStepCall?.batch !== batch) {
      this.latestStepCall = {
        batch,
        steps: 1,
        batchFirst: true,
        lengths: undefined,
        record: false,
        recompute: 0,
        passThroughMemory: true,
        dropout: undefined,
      };
    }
    return this.latestStepCall;
  }

  sequences(): Sequences {
    return new Sequences(this.engine, this.network, this.schedules);
  }
}
