// Whole models with random options against the float64 network of test/reference: outputs, states and every gradient.
import { expect, test } from "vitest";
import type { Model } from "../src/models/model.js";
import type { StateTensor } from "../src/models/stateTensor.js";
import type { Tensor } from "../src/tensor.js";
import { seeded } from "./random.js";
import { type ReferenceRun, referenceState, runReference, type Vector, vector } from "./reference/network.js";
import {
  createModel,
  dense,
  elementsOf,
  modelTypes,
  randomLengths,
  randomOptions,
  randomState,
  randomStateGradient,
  randomTensor,
  sequenceShape,
  stateElements,
} from "./wholeModels.js";

interface Call {
  readonly batch: number;
  readonly steps: number;
  readonly lengths: number[] | undefined;
  readonly passThroughMemory: boolean;
}

function randomCall(seed: number): Call {
  const random = seeded(seed + 500);
  const batch = 1 + Math.floor(random() * 10);
  const steps = 1 + Math.floor(random() * 6);
  return {
    batch,
    steps,
    lengths: random() < 0.5 ? undefined : randomLengths(batch, steps, seed),
    passThroughMemory: random() < 0.9,
  };
}

/** The rows of one element's steps. */
function rowsOf(model: Model, { data, shape }: Tensor, element: number): Float32Array[] {
  const { batchFirst } = model.config;
  const [first, second, width] = shape as [number, number, number];
  const [batch, steps] = batchFirst ? [first, second] : [second, first];
  return Array.from({ length: steps }, (_, t) => {
    const row = batchFirst ? element * steps + t : t * batch + element;
    return data.slice(row * width, (row + 1) * width);
  });
}

function largest(values: Iterable<number>): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

// As the golden cases have it (test/golden/README.md): float32 sums over a few steps, amplified by strengths and softmax.
const expectValue = (name: string, got: ArrayLike<number>, want: Float64Array) =>
  expect(got, name).toBeClose(want, { atol: /last_access/.test(name) ? 0 : 2e-5 * Math.max(1, largest(want)) });

class Comparison {
  readonly weights: Map<string, Vector>;
  private readonly runs: ReferenceRun[];
  private most = 0;

  constructor(
    private readonly model: Model,
    private readonly call: Call,
    input: Tensor,
    start: ReadonlyMap<string, Tensor>,
  ) {
    this.weights = new Map([...model.stateDict()].map(([name, { data }]) => [name, vector(data)]));
    this.runs = Array.from({ length: call.batch }, (_, b) => {
      const steps = rowsOf(model, input, b).slice(0, this.length(b));
      return runReference(model.type, model.config, this.weights, steps, referenceState(start, b), {
        passThroughMemory: call.passThroughMemory,
      });
    });
  }

  private length(b: number): number {
    return this.call.lengths?.[b] ?? this.call.steps;
  }

  forward(output: Tensor, final: ReadonlyMap<string, Tensor>): void {
    for (const [b, run] of this.runs.entries()) {
      for (const [t, row] of rowsOf(this.model, output, b).entries()) {
        expectValue(`y[${b}][${t}]`, row, run.outputs[t]?.value ?? new Float64Array(row.length));
      }
      for (const [name, { value }] of run.final.vectors) {
        expectValue(`${name} of ${b}`, stateElements(final, b, 1).get(name)?.data ?? [], value);
      }
    }
  }

  back(dOutput: Tensor, dState: ReadonlyMap<string, Tensor>): void {
    for (const [b, run] of this.runs.entries()) {
      const rows = rowsOf(this.model, dOutput, b);
      for (const [t, { gradient }] of run.outputs.entries()) gradient.set(rows[t] as Float32Array);
      // += : a memory that was passed by is the same vector before and after.
      for (const [name, { data }] of stateElements(dState, b, 1)) run.final.vectors.get(name)?.gradient.set(data);
      run.back();
    }
    const all = [...this.weights.values(), ...this.runs.flatMap(({ inputs, start }) => [...inputs, ...start.vectors.values()])];
    this.most = largest(all.flatMap(({ gradient }) => [...gradient]));
  }

  backward(inputGrad: Tensor, stateGrad: ReadonlyMap<string, StateTensor>, gradients: ReadonlyMap<string, Tensor>): void {
    for (const [name, { gradient }] of this.weights) this.gradient(name, gradients.get(name)?.data ?? [], gradient);
    const written = dense(stateGrad);
    for (const [b, run] of this.runs.entries()) {
      for (const [t, row] of rowsOf(this.model, inputGrad, b).entries()) {
        this.gradient(`dx[${b}][${t}]`, row, run.inputs[t]?.gradient ?? new Float64Array(row.length));
      }
      for (const [name, { value, gradient }] of run.start.vectors) {
        const got = written.get(name);
        if (got === undefined) continue;
        // A read or write weight of a sparse memory that is zero is so by choice, and has no gradient; a memory passed by hands its own on.
        const chosen = this.model.type !== "dnc" && this.call.passThroughMemory && /_weights$/.test(name);
        const want = gradient.map((g, i) => (chosen && value[i] === 0 ? 0 : g));
        const isController = name.startsWith("controller_hidden.");
        this.gradient(`d ${name} of ${b}`, elementsOf(got, b, 1, isController ? 1 : 0).data, want);
      }
    }
  }

  private gradient(name: string, got: ArrayLike<number>, want: Float64Array): void {
    expect(got, name).toBeClose(want, { atol: 2e-4 * Math.max(largest(want), this.most / 100) });
  }
}

const seeds = Array.from({ length: 32 }, (_, i) => i + 1);
const cases = modelTypes.flatMap((type) => seeds.map((seed) => ({ type, seed })));

test.each(cases)("a $type with random options of seed $seed agrees with the float64 network, forward and backward", ({ type, seed }) => {
  const options = randomOptions(seed);
  // Words of one value are all alike (cosine ±1 but for ε): which are the most similar, float32 cannot tell as float64 does.
  const cellSize = type === "dnc" ? options.cellSize : Math.max(2, options.cellSize);
  const model = createModel(type, { ...options, cellSize });
  const { inputSize, outputSize } = model.config;
  const call = randomCall(seed);
  const { batch, steps, lengths, passThroughMemory } = call;
  const input = randomTensor(sequenceShape(model, batch, steps, inputSize), seed + 1);
  const start = randomState(model, batch, seed);
  const dOutput = randomTensor(sequenceShape(model, batch, steps, outputSize), seed + 2);
  const dState = randomStateGradient(model, batch, seed + 3);
  const comparison = new Comparison(model, call, input, start.tensors());

  const { output, state } = model.forward(input, start, { passThroughMemory, ...(lengths && { lengths }) });
  comparison.forward(output, state.tensors());
  const { inputGrad, stateGrad } = model.backward(dOutput, { stateGrad: dState });
  comparison.back(dOutput, dState);
  comparison.backward(inputGrad, stateGrad, model.gradients());
});
