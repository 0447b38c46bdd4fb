// Dropout: outputs of every cell but the top one, in training only, with a fresh mask each step from the model's seed.
import { describe, expect, test } from "vitest";
import { DNC } from "../src/models/dnc.js";
import type { Model } from "../src/models/model.js";
import type { DNCOptions } from "../src/models/options.js";
import { type Tensor, zeros } from "../src/tensor.js";
import { type ReferenceRun, referenceState, runReference, vector } from "./reference/network.js";
import { bits, dense, elementsOf, gradientsOf, modelTypes, randomTensor, resultBits, smallModel } from "./wholeModels.js";

const H = 40;

/**
 * A network whose output shows the factors of the top layer's lower cell: that cell always gives 1, the cell above copies what it takes,
 * and so does the output.
 */
function mirror(options: Partial<DNCOptions> = {}): Model {
  const { numLayers = 1 } = options;
  const sizes = { inputSize: 1, hiddenSize: H, outputSize: H, numHiddenLayers: 2, nrCells: 2, cellSize: 1, readHeads: 1 };
  const model = new DNC({ ...sizes, rnnType: "rnn", nonlinearity: "relu", dropout: 0.3, seed: 5, ...options });
  const parameters = model.parameters();
  for (const { data } of parameters.values()) data.fill(0);
  const top = `rnn_layer_${numLayers - 1}`;
  parameters.get(`${top}.bias_ih_l0`)?.data.fill(1);
  for (const name of [`${top}.weight_ih_l1`, "output.weight"]) {
    const { data, shape } = parameters.get(name) as Tensor;
    for (let i = 0; i < H; i++) data[i * (shape[1] as number) + i] = 1;
  }
  return model;
}

/** The factors of a call over [B, T], one row of H after the other. */
const factors = (model: Model, B: number, T: number) => model.forward(zeros([B, T, 1])).output;

const rowsOf = ({ data }: Tensor) => Array.from({ length: data.length / H }, (_, i) => data.slice(i * H, (i + 1) * H).join());

describe("a mask", () => {
  test("drops a value with the given probability and scales the rest by 1 / (1 - p)", () => {
    for (const dropout of [0.1, 0.5, 0.9]) {
      const { data } = factors(mirror({ dropout }), 20, 50);
      const kept = data.filter((value) => value !== 0);
      expect(new Set(kept)).toEqual(new Set([Math.fround(1 / Math.fround(1 - Math.fround(dropout)))]));
      // 40,000 draws: five standard deviations are 5·√(p(1 − p) / 40,000) ≤ 0.0125.
      expect(Math.abs(1 - kept.length / data.length - dropout)).toBeLessThan(0.0125);
    }
  });

  test("differs from step to step, element to element, call to call, layer to layer and seed to seed", () => {
    const model = mirror();
    const rows = [...rowsOf(factors(model, 10, 6)), ...rowsOf(factors(model, 10, 6))];
    rows.push(...rowsOf(factors(mirror({ numLayers: 2 }), 10, 6)), ...rowsOf(factors(mirror({ seed: 6 }), 10, 6)));
    expect(new Set(rows).size).toBe(4 * 60);
  });

  test("is the same for the same seed and call, whatever the batch around it, and with recompute", () => {
    const want = factors(mirror(), 10, 40);
    expect(bits(factors(mirror(), 10, 40))).toEqual(bits(want));
    expect(bits(factors(mirror({ recompute: true }), 10, 40))).toEqual(bits(want));
    expect(bits(factors(mirror(), 3, 40))).toEqual(bits(elementsOf(want, 0, 3)));
    const lengths = [40, 1, 12, 5, 40, 3, 2, 40, 9, 1];
    const { output } = mirror().forward(zeros([10, 40, 1]), undefined, { lengths });
    for (const [b, length] of lengths.entries()) {
      const own = (tensor: Tensor) => bits(elementsOf(elementsOf(tensor, b, 1), 0, length, 1));
      expect(own(output)).toEqual(own(want));
    }
  });

  test("is there neither in evaluation nor in step(), and these use up no masks", () => {
    const [model, witness] = [mirror(), mirror()];
    expect(factors(model.eval(), 4, 40).data.every((value) => value === 1)).toBe(true);
    expect(
      model
        .train()
        .step(zeros([2, 1]), model.initialState(2))
        .data.every((value) => value === 1),
    ).toBe(true);
    expect(bits(factors(model, 4, 40))).toEqual(bits(factors(witness, 4, 40)));
  });

  test("leaves the top cell and one-cell controllers alone", () => {
    const model = smallModel("dnc", { dropout: 0.9, numHiddenLayers: 1, numLayers: 2 });
    const plain = smallModel("dnc", { numHiddenLayers: 1, numLayers: 2 });
    const input = randomTensor([3, 4, 3], 1);
    expect(resultBits(model.forward(input))).toEqual(resultBits(plain.forward(input)));
  });
});

describe.each(modelTypes)("%s", (type) => {
  const options = { hiddenSize: H, numHiddenLayers: 2, seed: 5, dropout: 0.3, nrCells: 5 };

  test("with dropout agrees with the float64 network under the same masks, forward and backward", () => {
    const [B, T] = [3, 4];
    const model = smallModel(type, { ...options, numLayers: 2 });
    // A mask depends on seed, call, layer, cell, element and step alone: so the mirrors show those of this model.
    const masks = [1, 2].map((numLayers) => factors(mirror({ numLayers }), B, T));
    const [input, outputGrad] = [randomTensor([B, T, 3], 1), randomTensor([B, T, 3], 2)];
    const start = model.initialState(B);
    const weights = new Map([...model.stateDict()].map(([name, { data }]) => [name, vector(data)]));
    const stepsOf = (tensor: Tensor, b: number) => Array.from({ length: T }, (_, t) => elementsOf(elementsOf(tensor, b, 1), t, 1, 1).data);
    const runs: ReferenceRun[] = Array.from({ length: B }, (_, b) =>
      runReference(type, model.config, weights, stepsOf(input, b), referenceState(start.tensors(), b), {
        dropout: (t, layer) => stepsOf(masks[layer] as Tensor, b)[t] as Float32Array,
      }),
    );
    const { output } = model.forward(input, start);
    const { inputGrad } = model.backward(outputGrad);
    for (const [b, run] of runs.entries()) {
      for (const [t, row] of stepsOf(outputGrad, b).entries()) run.outputs[t]?.gradient.set(row);
      run.back();
      // As the golden cases have it (test/golden/README.md).
      for (const [t, row] of stepsOf(output, b).entries()) expect(row).toBeClose(run.outputs[t]?.value ?? [], { atol: 2e-5 });
      for (const [t, row] of stepsOf(inputGrad, b).entries())
        expect(row).toBeClose(run.inputs[t]?.gradient ?? [], { rtol: 2e-4, atol: 1e-5 });
    }
    const most = Math.max(...[...weights.values()].flatMap(({ gradient }) => gradient.reduce((m, g) => Math.max(m, Math.abs(g)), 0)));
    for (const [name, { data }] of model.gradients()) {
      expect(data, name).toBeClose(weights.get(name)?.gradient ?? [], { rtol: 2e-4, atol: 2e-6 * most });
    }
  });

  test("with dropout gives the same gradients with recompute", () => {
    const run = (recompute: boolean) => {
      const model = smallModel(type, { ...options, recompute });
      model.forward(randomTensor([3, 10, 3], 1));
      const { inputGrad, stateGrad } = model.backward(randomTensor([3, 10, 3], 2));
      return { exact: [bits(inputGrad), bits(dense(stateGrad))], gradients: gradientsOf(model) };
    };
    const [want, got] = [run(false), run(true)];
    expect(got.exact).toEqual(want.exact);
    // The same products in sums of other lengths: float32 rounding.
    for (const [name, { data }] of want.gradients) expect(got.gradients.get(name)?.data, name).toBeClose(data, { rtol: 5e-6 });
  });
});
