// The network around the memory (models.md §1) in float64: one element, one step and one cell after the other. Forward writes down how
// to undo each operation; going back does so in reverse order, each adding to the gradients of what it read.
//
// A Vector is a value with its gradient. Weights are matrices row by row.
import type { ModelConfig, ModelType } from "../../src/models/options.js";
import type { Tensor } from "../../src/tensor.js";
import { stateElements } from "../wholeModels.js";
import { gru, gruBackward, lstm, lstmBackward, rnn, rnnBackward } from "./cells.js";
import { type Fields, type ReferenceMemory, referenceMemory } from "./memories.js";

export interface Vector {
  readonly value: Float64Array<ArrayBuffer>;
  readonly gradient: Float64Array<ArrayBuffer>;
}

export type Weights = ReadonlyMap<string, Vector>;

/** One element's state by the names of `state.tensors()`, without the batch axis, and each memory's clock. */
export interface ReferenceState {
  readonly vectors: ReadonlyMap<string, Vector>;
  readonly clocks: readonly number[];
}

/** What the outputs of a cell below the top one are multiplied by at a time step. */
export type DropoutFactors = (t: number, layer: number, cell: number) => ArrayLike<number>;

export interface RunOptions {
  readonly passThroughMemory?: boolean;
  readonly dropout?: DropoutFactors | undefined;
}

export interface ReferenceRun {
  readonly inputs: readonly Vector[];
  readonly outputs: readonly Vector[];
  readonly start: ReferenceState;
  readonly final: ReferenceState;
  /** Goes back from the gradients that were put into `outputs` and `final`: adds to those of `inputs`, `start` and the weights. */
  back(): void;
}

export function vector(value: ArrayLike<number>): Vector {
  return { value: Float64Array.from(value), gradient: new Float64Array(value.length) };
}

function addTo(target: Float64Array, from: number, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) target[from + i] = (target[from + i] as number) + (values[i] as number);
}

class Tape {
  private readonly undo: (() => void)[] = [];

  /** A result, and how its gradient goes to what it came from. */
  keep(value: ArrayLike<number>, back: (gradient: Float64Array<ArrayBuffer>) => void): Vector {
    const result = vector(value);
    this.undo.push(() => back(result.gradient));
    return result;
  }

  push(back: () => void): void {
    this.undo.push(back);
  }

  back(): void {
    for (const undo of this.undo.reverse()) undo();
  }

  concat(...parts: Vector[]): Vector {
    return this.keep(
      parts.flatMap(({ value }) => [...value]),
      (gradient) => {
        let from = 0;
        for (const part of parts) {
          addTo(part.gradient, 0, gradient.subarray(from, from + part.value.length));
          from += part.value.length;
        }
      },
    );
  }

  slice(x: Vector, from: number, count: number): Vector {
    return this.keep(x.value.slice(from, from + count), (gradient) => addTo(x.gradient, from, gradient));
  }

  add(a: Vector, b: Vector): Vector {
    return this.keep(
      a.value.map((value, i) => value + (b.value[i] as number)),
      (gradient) => {
        addTo(a.gradient, 0, gradient);
        addTo(b.gradient, 0, gradient);
      },
    );
  }

  /** W·x + b */
  linear(weight: Vector, bias: Vector | undefined, x: Vector): Vector {
    const columns = x.value.length;
    const rows = weight.value.length / columns;
    const value = new Float64Array(rows);
    for (let i = 0; i < rows; i++) {
      let sum = bias?.value[i] ?? 0;
      for (let j = 0; j < columns; j++) sum += (weight.value[i * columns + j] as number) * (x.value[j] as number);
      value[i] = sum;
    }
    return this.keep(value, (gradient) => {
      for (const [i, g] of gradient.entries()) {
        addTo(
          weight.gradient,
          i * columns,
          x.value.map((xj) => g * xj),
        );
        addTo(
          x.gradient,
          0,
          weight.value.slice(i * columns, (i + 1) * columns).map((w) => g * w),
        );
      }
      if (bias !== undefined) addTo(bias.gradient, 0, gradient);
    });
  }

  /** x ∘ factors */
  scale(x: Vector, factors: ArrayLike<number>): Vector {
    const scaled = (values: Float64Array<ArrayBuffer>) => values.map((value, i) => value * (factors[i] as number));
    return this.keep(scaled(x.value), (gradient) => addTo(x.gradient, 0, scaled(gradient)));
  }

  /** Clamped to ±bound; unclamped for 0. */
  clamp(x: Vector, bound: number): Vector {
    if (bound === 0) return x;
    return this.keep(
      x.value.map((value) => Math.min(Math.max(value, -bound), bound)),
      (gradient) =>
        addTo(
          x.gradient,
          0,
          gradient.map((g, i) => (Math.abs(x.value[i] as number) <= bound ? g : 0)),
        ),
    );
  }
}

/** Hidden state of one cell. */
interface Hidden {
  h: Vector;
  c: Vector | undefined;
}

class Walk {
  readonly tape = new Tape();
  private readonly hidden: Hidden[][];
  private readonly memories: Record<string, Vector>[];
  private readonly clocks: number[];
  private readonly initialReads: Vector;
  private reads: Vector;
  private t = 0;
  private readonly memory: ReferenceMemory;

  constructor(
    type: ModelType,
    private readonly config: ModelConfig,
    private readonly weights: Weights,
    start: ReferenceState,
    private readonly options: RunOptions,
  ) {
    const { numLayers, numHiddenLayers, hiddenSize, rnnType } = config;
    this.memory = referenceMemory(type, config);
    const part = (name: string, k: number) => this.tape.slice(start.vectors.get(name) as Vector, k * hiddenSize, hiddenSize);
    this.hidden = range(numLayers).map((l) =>
      range(numHiddenLayers).map((k) => ({
        h: part(`controller_hidden.${l}.h`, k),
        c: rnnType === "lstm" ? part(`controller_hidden.${l}.c`, k) : undefined,
      })),
    );
    this.memories = range(start.clocks.length).map((m) => {
      const prefix = `memory.${m}.`;
      const own = [...start.vectors].filter(([name]) => name.startsWith(prefix));
      return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]));
    });
    this.clocks = [...start.clocks];
    this.initialReads = start.vectors.get("read_vectors") as Vector;
    this.reads = this.initialReads;
  }

  /** One time step: y_t. */
  step(x: Vector): Vector {
    const { tape, config } = this;
    const { passThroughMemory = true } = this.options;
    let below = x;
    let reads = config.readFeedback ? this.reads : this.initialReads;
    let hidden = x;
    for (const l of range(config.numLayers)) {
      hidden = this.controller(l, tape.concat(below, reads));
      reads = passThroughMemory ? this.access(l, hidden) : vector(reads.value.map(() => 0));
      below = hidden;
    }
    this.reads = reads;
    this.t++;
    return tape.linear(this.weight("output.weight"), this.weight("output.bias"), tape.concat(hidden, reads));
  }

  private weight(name: string): Vector {
    const weight = this.weights.get(name);
    if (weight === undefined) throw new Error(`no weight ${name}`);
    return weight;
  }

  /** The cells of layer l one above the other, and the clamp. */
  private controller(l: number, input: Vector): Vector {
    const { numHiddenLayers, clip, rnnType } = this.config;
    let x = input;
    for (const k of range(numHiddenLayers)) {
      const name = (part: string) => `${rnnType}_layer_${l}.${part}_l${k}`;
      const bias = (side: string) => (this.config.bias ? this.weight(name(`bias_${side}`)) : undefined);
      const hidden = (this.hidden[l] as Hidden[])[k] as Hidden;
      const fromInput = this.tape.linear(this.weight(name("weight_ih")), bias("ih"), x);
      const fromHidden = this.tape.linear(this.weight(name("weight_hh")), bias("hh"), hidden.h);
      this.cell(hidden, fromInput, fromHidden);
      const factors = k < numHiddenLayers - 1 ? this.options.dropout?.(this.t, l, k) : undefined;
      x = factors === undefined ? hidden.h : this.tape.scale(hidden.h, factors);
    }
    return this.tape.clamp(x, clip);
  }

  /** A cell's own equations, from the shares of its input and of its hidden state in the gates; moves `hidden` on. */
  private cell(hidden: Hidden, fromInput: Vector, fromHidden: Vector): void {
    const { rnnType, hiddenSize: size, nonlinearity } = this.config;
    const { tape } = this;
    const { h, c } = hidden;
    if (rnnType === "lstm" && c !== undefined) {
      const gates = tape.add(fromInput, fromHidden);
      const step = lstm(gates.value, c.value, 1, size);
      const next = { h: vector(step.h), c: vector(step.c) };
      tape.push(() => {
        const { dGates, dCPrev } = lstmBackward(next.h.gradient, next.c.gradient, step, c.value, 1, size);
        addTo(gates.gradient, 0, dGates);
        addTo(c.gradient, 0, dCPrev);
      });
      Object.assign(hidden, next);
    } else if (rnnType === "gru") {
      // PyTorch's order r, z, n of each share → the reference's blocks n_x, r, z, n_h.
      const of = (share: Vector, gate: number) => tape.slice(share, gate * size, size);
      const resetGate = tape.add(of(fromInput, 0), of(fromHidden, 0));
      const updateGate = tape.add(of(fromInput, 1), of(fromHidden, 1));
      const gates = tape.concat(of(fromInput, 2), resetGate, updateGate, of(fromHidden, 2));
      const step = gru(gates.value, h.value, 1, size);
      hidden.h = tape.keep(step.h, (gradient) => {
        const { dGates, dHPrev } = gruBackward(gradient, step, h.value, 1, size);
        addTo(gates.gradient, 0, dGates);
        addTo(h.gradient, 0, dHPrev);
      });
    } else {
      const gates = tape.add(fromInput, fromHidden);
      const value = rnn(gates.value, nonlinearity);
      hidden.h = tape.keep(value, (gradient) => addTo(gates.gradient, 0, rnnBackward(gradient, value, nonlinearity)));
    }
  }

  /** Layer l's access to its memory: r. */
  private access(l: number, hidden: Vector): Vector {
    const { tape, config } = this;
    const m = config.shareMemory ? 0 : l;
    const xi = this.interface(config.shareMemory ? "shared" : `${l}`, hidden);
    const prev = this.memories[m] as Record<string, Vector>;
    this.clocks[m] = (this.clocks[m] as number) + 1;
    const access = this.memory.access(xi.value, fieldsOf(prev, "value"), this.clocks[m] as number);
    const next = Object.fromEntries(Object.entries(access.next).map(([name, value]) => [name, vector(value)]));
    const reads = vector(access.reads);
    tape.push(() => {
      const { dXi, dPrev } = access.back(reads.gradient, fieldsOf(next, "gradient"));
      addTo(xi.gradient, 0, dXi);
      for (const [name, gradient] of Object.entries(dPrev)) addTo((prev[name] as Vector).gradient, 0, gradient);
    });
    this.memories[m] = next;
    return reads;
  }

  private interface(owner: string, hidden: Vector): Vector {
    const name = `rnn_layer_memory_${owner}`;
    const of = (linear: string) => this.tape.linear(this.weight(`${linear}.weight`), this.weight(`${linear}.bias`), hidden);
    if (!this.config.independentLinears) return of(`${name}.interface_weights`);
    return this.tape.concat(...this.memory.sections.map(([section]) => of(`${name}.${section}_transform`)));
  }

  state(): ReferenceState {
    const vectors = new Map<string, Vector>();
    for (const [l, cells] of this.hidden.entries()) {
      vectors.set(`controller_hidden.${l}.h`, this.tape.concat(...cells.map(({ h }) => h)));
      const c = cells.map((cell) => cell.c).filter((value) => value !== undefined);
      if (c.length > 0) vectors.set(`controller_hidden.${l}.c`, this.tape.concat(...c));
    }
    for (const [m, fields] of this.memories.entries()) {
      for (const [name, value] of Object.entries(fields)) vectors.set(`memory.${m}.${name}`, value);
    }
    vectors.set("read_vectors", this.tape.slice(this.reads, 0, this.reads.value.length));
    return { vectors, clocks: this.clocks };
  }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function fieldsOf(vectors: Record<string, Vector>, of: "value" | "gradient"): Fields {
  return Object.fromEntries(Object.entries(vectors).map(([name, value]) => [name, value[of]]));
}

/** One element of a batch's state. */
export function referenceState(tensors: ReadonlyMap<string, Tensor>, element: number): ReferenceState {
  const own = stateElements(tensors, element, 1);
  const isClock = (name: string) => name.endsWith(".clock");
  const vectors = new Map([...own].filter(([name]) => !isClock(name)).map(([name, { data }]) => [name, vector(data)]));
  const memories = new Set([...own.keys()].filter((name) => name.startsWith("memory.")).map((name) => name.split(".")[1]));
  return { vectors, clocks: [...memories].map((m) => own.get(`memory.${m}.clock`)?.data[0] ?? 0) };
}

/** Runs one element over its steps. */
export function runReference(
  type: ModelType,
  config: ModelConfig,
  weights: Weights,
  inputs: readonly ArrayLike<number>[],
  start: ReferenceState,
  options: RunOptions = {},
): ReferenceRun {
  const walk = new Walk(type, config, weights, start, options);
  const steps = inputs.map((input) => vector(input));
  const outputs = steps.map((x) => walk.step(x));
  return { inputs: steps, outputs, start, final: walk.state(), back: () => walk.tape.back() };
}
