// One shard of a batch over a sequence: the walk over time and layers, forward and back (models.md §1). Everything below a line
// of this walk is a kernel call.
import type { Engine } from "../engine/engine.js";
import { clearUnset, type GradientSum } from "../engine/gradientSum.js";
import { addWeightGradients, weightGradientScratch } from "../engine/linear.js";
import type { FieldValues, MemorySnapshot, MemoryTape } from "../memory/memory.js";
import type { CellSequence } from "./cellSequence.js";
import { Cursor, Frame, type Pass, type Schedule } from "./frame.js";
import { LayerSequence } from "./layerSequence.js";
import type { Network } from "./network.js";

/** One shard's state: controller and read vectors in the engine's layout (controllerState.ts), and each memory. */
export interface ShardSnapshot {
  readonly controller: Float32Array;
  readonly memories: readonly MemorySnapshot[];
}

/** Gradients of one shard's state, of the same layout. A memory's fields that are not there are zero. */
export interface ShardGradients {
  readonly controller: Float32Array;
  readonly memories: readonly ReadonlyMap<string, FieldValues>[];
}

export class ShardSequence {
  readonly frame: Frame;
  readonly memories: readonly MemoryTape[];
  readonly layers: readonly LayerSequence[];
  /** Controller state and read vectors between calls, in element order; see controllerState.ts for its layout. */
  state = 0;
  /** [rows, Op], padding included. */
  output = 0;
  dOutput = 0;
  /** [rows, Xp] */
  dX = 0;
  private readonly last: LayerSequence;
  private x = 0;
  /** Gradient of the read vectors that a step leaves to the next [B, RWp]. */
  private dReadsCarried = 0;
  /** The read vectors that the call began with, where they are fed to every step, and their gradient [B, RWp]. */
  private firstReads = 0;
  private dFirstReads = 0;
  private previousHidden = 0;
  private previousReads = 0;
  private scratch = 0;
  /** Room for gradients of the state on their way in and out, laid out as `state`. */
  private exchange = 0;
  private block = 0;
  private capacity = 0;
  private stateBatch = 0;
  /** Whether the controller's state and the read vectors are zero, and the memories empty. */
  private isEmpty = true;
  private stateCapacity = 0;
  /** Rows of h and c of every cell and of r, in the order of `state`, with the gradients carried for them. */
  private readonly carried: { rows: number; gradient: number; width: number }[] = [];

  constructor(
    private readonly engine: Engine,
    private readonly network: Network,
    /** Called at every time step. */
    private readonly pulse?: () => void,
  ) {
    this.frame = new Frame(engine);
    this.memories = Array.from({ length: network.layout.numMemories }, () => network.memory.open(engine));
    const layers: LayerSequence[] = [];
    for (const [l, products] of network.layers.entries()) {
      layers.push(new LayerSequence(engine, network, products, l, this.memories[products.memory] as MemoryTape, layers[l - 1]));
    }
    this.layers = layers;
    this.last = layers[layers.length - 1] as LayerSequence;
  }

  get bytes(): number {
    const own = this.capacity + this.stateCapacity;
    return this.memories.reduce((sum, memory) => sum + memory.bytes, own);
  }

  /** Plans the buffers of a pass. The state survives while the batch stays the same, else it is empty. */
  reserve(schedule: Schedule, pass: Pass): void {
    const { frame, engine, network } = this;
    const isPlanned = schedule === frame.schedule && pass.record === frame.pass.record && this.block !== 0;
    // First what may find too little memory: the present plan then still holds.
    const batch = schedule.order.length;
    this.reserveState(batch);
    const accesses = pass.passThroughMemory ? (schedule.steps * network.config.numLayers) / network.layout.numMemories : 0;
    for (const memory of this.memories) memory.reserve(batch, accesses, pass.record);
    frame.plan(schedule, pass);
    if (isPlanned) return;
    const bytes = this.layOut(0);
    if (bytes > this.capacity) {
      if (this.block !== 0) engine.free(this.block);
      this.block = this.capacity = 0;
      this.block = engine.allocate(bytes);
      this.capacity = bytes;
    }
    this.layOut(this.block);
    frame.writeIndices();
  }

  /** Makes room for the state of `batch` elements alone. */
  reserveState(batch: number): void {
    if (batch === this.stateBatch) return;
    this.stateBatch = 0;
    const bytes = 4 * this.network.layout.floats(batch);
    if (bytes > this.stateCapacity) {
      if (this.state !== 0) this.engine.free(this.state);
      this.state = this.stateCapacity = 0;
      this.state = this.engine.allocate(bytes);
      this.stateCapacity = bytes;
    }
    for (const memory of this.memories) memory.reserve(batch, 0, false);
    this.stateBatch = batch;
    this.clear();
  }

  dispose(): void {
    if (this.block !== 0) this.engine.free(this.block);
    if (this.state !== 0) this.engine.free(this.state);
    this.block = this.capacity = this.state = this.stateCapacity = 0;
    for (const memory of this.memories) memory.dispose();
  }

  /** Empties the state. */
  clear(): void {
    this.engine.kernels.fillZero(this.state, 4 * this.network.layout.floats(this.stateBatch));
    this.clearMemories();
    this.isEmpty = true;
  }

  clearMemories(): void {
    for (const memory of this.memories) memory.clear();
  }

  /** To be called before the first pass of a call. */
  startCall(): void {
    if (!this.network.config.readFeedback) this.engine.kernels.copyBytes(...this.readsAndFirst(this.state));
  }

  /** Where, in floats laid out as `state`, the call's first read vectors and the present ones are, and their bytes. */
  private readsAndFirst(state: number): [first: number, reads: number, bytes: number] {
    const bytes = 4 * this.network.widths.reads * this.stateBatch;
    const end = state + 4 * this.network.layout.floats(this.stateBatch);
    return [end - bytes, end - 2 * bytes, bytes];
  }

  /** Runs the pass on the input staged at `input` [.., X]; leaves the output rows in `output` and the state after each element's last step. */
  forward(input: number): void {
    const { frame, network, engine } = this;
    const { widths, config } = network;
    frame.startsEmpty = this.isEmpty;
    this.begin();
    engine.kernels.gatherRows(this.x, 4 * widths.x, input, 4 * config.inputSize, frame.source, frame.totalRows, config.inputSize);
    for (const layer of this.layers) {
      for (const cell of layer.cells) cell.prepare(this.x, frame.totalRows);
    }
    for (let t = 0; t < frame.schedule.steps; t++) {
      frame.at(t);
      this.pulse?.();
      let reads = config.readFeedback ? this.last.reads + 4 * widths.reads * frame.before : this.firstReads;
      if (frame.followsNothing) reads = 0;
      for (const layer of this.layers) {
        layer.forward(frame, reads);
        reads = layer.reads + 4 * widths.reads * frame.now;
      }
    }
    this.projectOutputs();
    this.finish();
  }

  /** y = [h, r]·Cᵀ + d for all steps at once. */
  private projectOutputs(): void {
    const { network, last, frame, output } = this;
    const { widths } = network;
    const stride = 4 * widths.output;
    const reads = last.reads + 4 * widths.reads * frame.batch;
    network.outputHidden.forward(output, stride, network.outputBias.row, 0, last.clamped, 4 * widths.hidden, frame.totalRows);
    network.outputReads.forward(output, stride, output, stride, reads, 4 * widths.reads, frame.totalRows);
  }

  snapshot(): ShardSnapshot {
    return {
      controller: this.engine.f32(this.state, this.network.layout.floats(this.stateBatch)).slice(),
      memories: this.memories.map((memory) => memory.snapshot()),
    };
  }

  restore({ controller, memories }: ShardSnapshot): void {
    this.isEmpty = false;
    this.engine.f32(this.state, controller.length).set(controller);
    for (const [m, memory] of this.memories.entries()) memory.restore(memories[m] as MemorySnapshot);
  }

  /**
   * Starts going back, from the gradients of the state after each element's last step (none: zero).
   * @param wantsStateGradient whether `stateGradients` or `callGradients` will be asked for
   */
  beginBackward(gradients: ShardGradients | undefined, wantsStateGradient: boolean): void {
    this.frame.wantsStateGradient = wantsStateGradient;
    this.clearCarried();
    if (gradients !== undefined) {
      this.engine.f32(this.exchange, gradients.controller.length).set(gradients.controller);
      this.loadCarried(this.exchange);
    }
    if (!this.frame.pass.passThroughMemory) return;
    for (let m = 0; m < this.memories.length; m++) this.memories[m]?.beginBackward(gradients?.memories[m], wantsStateGradient);
  }

  /** The gradients of the state before the first pass of a call, after `backward`; without memory accesses there are none of the memories. */
  callGradients(): ShardGradients {
    this.saveCarried(this.exchange);
    if (!this.network.config.readFeedback) {
      const [first, reads, bytes] = this.readsAndFirst(this.exchange);
      this.engine.kernels.addRows(reads, first, bytes / 4);
    }
    return this.exchanged();
  }

  /** The gradients of the state before the latest pass gone back through, for the pass before it. */
  stateGradients(): ShardGradients {
    this.saveCarried(this.exchange);
    return this.exchanged();
  }

  private exchanged(): ShardGradients {
    const { memory } = this.network;
    const fields = this.frame.pass.passThroughMemory ? memory.gradientFields : [];
    return {
      controller: this.engine.f32(this.exchange, this.network.layout.floats(this.frame.batch)).slice(),
      memories: this.memories.map((tape) => new Map(fields.map((name) => [name, tape.stateGradient(name)]))),
    };
  }

  /**
   * Goes back through the pass, from the output's gradient in `dOutput`. Adds the weights' gradients to `sum`.
   * `beginBackward` comes before.
   */
  backward(sum: GradientSum, wantsInputGradient: boolean): void {
    const { frame, network, last } = this;
    const { widths } = network;
    const { readFeedback } = network.config;
    const stride = 4 * widths.output;
    network.outputHidden.backward(last.dClamped, 4 * widths.hidden, 0, this.dOutput, stride, frame.totalRows);
    network.outputReads.backward(last.dReads, 4 * widths.reads, 0, this.dOutput, stride, frame.totalRows);
    const dReadsBefore = readFeedback ? this.dReadsCarried : this.dFirstReads;
    for (let t = frame.schedule.steps - 1; t >= 0; t--) {
      frame.at(t);
      this.pulse?.();
      this.addCarriedReads();
      for (let l = this.layers.length - 1; l >= 0; l--) {
        const below = this.layers[l - 1];
        const dReads = below === undefined ? (frame.reachesBack ? dReadsBefore : 0) : below.dReads;
        (this.layers[l] as LayerSequence).backward(frame, dReads, below === undefined && !readFeedback);
      }
    }
    if (frame.pass.passThroughMemory) for (const memory of this.memories) memory.endBackward();
    this.addGradients(sum);
    if (wantsInputGradient) ((this.layers[0] as LayerSequence).cells[0] as CellSequence).backwardX(this.dX, frame.totalRows);
  }

  /** What the step after this one (where r is fed back), or the final state (for elements that end here), wants of r. */
  private addCarriedReads(): void {
    const { frame, last, network } = this;
    const { kernels } = this.engine;
    const { readFeedback } = network.config;
    const width = network.widths.reads;
    const first = readFeedback ? 0 : frame.going;
    const carried = this.dReadsCarried + 4 * width * first;
    const count = (frame.rows - first) * width;
    kernels.addRows(last.dReads + 4 * width * (frame.start + first), carried, count);
    // Where r is fed back, this step writes what the one before it is to add; else nothing more reaches an earlier r.
    if (!readFeedback) kernels.fillZero(carried, 4 * count);
  }

  private addGradients(sum: GradientSum): void {
    const { frame, network, last, engine, scratch } = this;
    const { widths, config } = network;
    const { readFeedback } = config;
    if (frame.totalRows === 0 || !frame.pass.passThroughMemory) clearUnset(engine, sum);
    let readsBefore = frame.previousRows(readFeedback ? last.reads : this.firstReads, widths.reads, this.previousReads, !readFeedback);
    let zeroReads = frame.rowsThatFollowNothing;
    for (const layer of this.layers) {
      layer.addGradients(sum, frame, this.x, readsBefore, zeroReads, this.previousHidden, scratch);
      readsBefore = layer.reads + 4 * widths.reads * frame.batch;
      zeroReads = 0;
    }
    const sources = [
      { linear: network.outputHidden, x: last.clamped, xStride: 4 * widths.hidden, column: 0, zeroRows: 0 },
      { linear: network.outputReads, x: readsBefore, xStride: 4 * widths.reads, column: 0, zeroRows: 0 },
    ];
    addWeightGradients(engine, sum, this.dOutput, widths.output, frame.totalRows, sources, scratch);
    network.outputBias.addGradient(sum, this.dOutput, 4 * widths.output, frame.totalRows, scratch);
    sum.isUnset = false;
  }

  private begin(): void {
    const { frame } = this;
    let state = this.state;
    for (const { rows, width } of this.carried) {
      frame.loadRows(rows, width, state);
      state += 4 * width * frame.batch;
    }
    if (frame.pass.passThroughMemory) for (const memory of this.memories) memory.begin(frame.schedule.order);
  }

  private finish(): void {
    this.isEmpty = false;
    const { frame } = this;
    let state = this.state;
    for (const { rows, width } of this.carried) {
      if (rows !== this.firstReads) frame.saveRows(state, width, rows);
      state += 4 * width * frame.batch;
    }
    if (frame.pass.passThroughMemory) for (const memory of this.memories) memory.end();
  }

  /** No gradient reaches the state after the last step. */
  private clearCarried(): void {
    const { kernels } = this.engine;
    for (const { gradient, width } of this.carried) kernels.fillZero(gradient, 4 * width * this.frame.batch);
  }

  /** Takes the gradients of the state after the last step from `at`, laid out as `state`. */
  private loadCarried(at: number): void {
    const { frame } = this;
    let from = at;
    for (const { gradient, width } of this.carried) {
      frame.loadRows(gradient, width, from);
      from += 4 * width * frame.batch;
    }
  }

  /** Writes the gradients of the state before the first step to `at`, laid out as `state`. */
  private saveCarried(at: number): void {
    const { frame, engine } = this;
    let to = at;
    for (const { gradient, width } of this.carried) {
      engine.kernels.scatterRows(to, 4 * width, gradient, 4 * width, frame.order, frame.batch, width);
      to += 4 * width * frame.batch;
    }
  }

  private layOutCarried(): void {
    const { widths, kind, config } = this.network;
    this.carried.length = 0;
    for (const { cells } of this.layers) {
      for (const cell of cells) {
        this.carried.push({ rows: cell.h, gradient: cell.dH, width: widths.hidden });
        if (kind.hasCellState) this.carried.push({ rows: cell.c, gradient: cell.dC, width: widths.hidden });
      }
    }
    this.carried.push({ rows: this.last.reads, gradient: this.dReadsCarried, width: widths.reads });
    if (!config.readFeedback) this.carried.push({ rows: this.firstReads, gradient: this.dFirstReads, width: widths.reads });
  }

  private layOut(base: number): number {
    const { frame, network } = this;
    const { widths, config } = network;
    const { batch, totalRows, pass, schedule } = frame;
    const cursor = new Cursor(base);
    frame.layOut(cursor);
    this.x = cursor.take(totalRows * widths.x);
    this.output = cursor.take(totalRows * widths.output);
    for (const layer of this.layers) layer.layOut(cursor, frame);
    this.firstReads = config.readFeedback ? 0 : cursor.take(batch * widths.reads);
    if (pass.record) {
      this.dOutput = cursor.take(totalRows * widths.output);
      this.dX = cursor.take(totalRows * widths.x);
      this.dReadsCarried = cursor.take(batch * widths.reads);
      this.dFirstReads = config.readFeedback ? 0 : cursor.take(batch * widths.reads);
      this.previousHidden = schedule.uniform ? 0 : cursor.take(totalRows * widths.hidden);
      this.previousReads = schedule.uniform && config.readFeedback ? 0 : cursor.take(totalRows * widths.reads);
      this.exchange = cursor.take(network.layout.floats(batch));
      this.scratch = cursor.take(this.scratchBytes(totalRows) / 4);
    }
    this.layOutCarried();
    return cursor.at - base;
  }

  private scratchBytes(rows: number): number {
    const { outputHidden, outputReads, widths } = this.network;
    const output = weightGradientScratch(widths.output, rows, [outputHidden, outputReads]);
    return Math.max(output, ...this.layers.map((layer) => layer.scratchBytes(rows)));
  }
}
