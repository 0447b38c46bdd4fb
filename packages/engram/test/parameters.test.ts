// Weights and gradients as named views, and state dicts.
import { describe, expect, test } from "vitest";
import { CheckpointError } from "../src/errors.js";
import type { Model } from "../src/models/model.js";
import { type Tensor, zeros } from "../src/tensor.js";
import { bits, gradientsOf, modelTypes, randomTensor, resultBits, smallModel } from "./wholeModels.js";

const input = randomTensor([2, 3, 3], 1);
const view = (model: Model, name: string) => model.parameters().get(name) as Tensor;

/** Makes the engine's memory grow, which detaches every array on it. */
const growMemory = (model: Model) => model.forward(randomTensor([32, 64, 3], 2));

describe.each(modelTypes)("%s", (type) => {
  test("weights are drawn from U(−b, b) of models.md, the same for the same seed", () => {
    const model = smallModel(type, { hiddenSize: 16, numHiddenLayers: 2 });
    const [H, read] = [16, 6];
    for (const [name, { data }] of model.stateDict()) {
      const inputs = name.startsWith("output.") ? H + read : H;
      const bound = name.startsWith("lstm") || name.endsWith(".bias") ? 1 / Math.sqrt(inputs) : Math.sqrt(6 / inputs);
      const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largest, name).toBeLessThanOrEqual(bound);
      if (data.length < 100) continue;
      // The largest of n uniform numbers is below 0.9 with probability 0.9ⁿ; their mean's deviation is b / √(3n).
      expect(largest, name).toBeGreaterThan(0.9 * bound);
      expect(Math.abs(data.reduce((sum, value) => sum + value, 0) / data.length), name).toBeLessThan(
        (4 * bound) / Math.sqrt(3 * data.length),
      );
    }
    const again = smallModel(type, { hiddenSize: 16, numHiddenLayers: 2 });
    expect(bits(again.stateDict())).toEqual(bits(model.stateDict()));
    const other = smallModel(type, { hiddenSize: 16, numHiddenLayers: 2, seed: 8 }).stateDict();
    for (const [name, tensor] of model.stateDict()) expect(bits(other.get(name) as Tensor), name).not.toEqual(bits(tensor));
  });

  test("what is written through a kept view is seen by forward, evaluation and backward", () => {
    const [model, witness] = [smallModel(type), smallModel(type)];
    const run = (m: Model) => {
      m.zeroGrad();
      const trained = resultBits(m.train().forward(input));
      const { inputGrad } = m.backward(randomTensor([2, 3, 3], 2));
      return [trained, bits(inputGrad), bits(gradientsOf(m)), resultBits(m.eval().forward(input))];
    };
    run(model);
    for (const name of model.parameters().keys()) {
      const kept = view(model, name).data;
      kept[0] = 0.25;
      witness.loadStateDict(model.stateDict());
      expect(run(model), name).toEqual(run(witness));
      // And once more through the same array, after it was used: nothing tells the model but the value itself.
      kept[kept.length - 1] = -0.5;
      witness.loadStateDict(model.stateDict());
      expect(run(model), name).toEqual(run(witness));
    }
  });

  test("views are right again after the memory has grown", () => {
    const model = smallModel(type);
    const [weight, gradient] = [view(model, "output.weight"), model.gradients().get("output.weight") as Tensor];
    model.forward(input);
    model.backward(randomTensor([2, 3, 3], 2));
    const before = [bits(weight), bits(gradient)];
    const stale = weight.data;
    growMemory(model);
    expect(stale.length).toBe(0); // or this test tests nothing
    expect([bits(weight), bits(gradient)]).toEqual(before);
    weight.data[0] = 7;
    gradient.data[0] = 8;
    expect(model.stateDict().get("output.weight")?.data[0]).toBe(7);
    expect(model.gradients().get("output.weight")?.data[0]).toBe(8);
    model.zeroGrad();
    expect(gradient.data.every((value) => value === 0)).toBe(true);
  });

  test("a state dict is a copy, loads back to the bit, and counts as many values as numParameters", () => {
    const model = smallModel(type, { seed: 3 });
    const dict = model.stateDict();
    const want = bits(dict);
    expect([...dict.values()].reduce((sum, { data }) => sum + data.length, 0)).toBe(model.numParameters);
    view(model, "output.bias").data.fill(9);
    expect(bits(dict)).toEqual(want);
    model.loadStateDict(dict);
    expect(bits(model.stateDict())).toEqual(want);
    for (const { data } of dict.values()) data.fill(0);
    expect(bits(model.stateDict())).toEqual(want);
  });

  test("loading names everything that is missing, not of this model, or misshapen, and loads nothing then", () => {
    const model = smallModel(type);
    const want = [bits(model.stateDict()), resultBits(model.forward(input))];
    const refused = (change: (dict: Map<string, Tensor>) => void, ...messages: RegExp[]) => {
      const dict = smallModel(type, { seed: 9 }).stateDict();
      change(dict);
      for (const message of messages) expect(() => model.loadStateDict(dict)).toThrow(message);
      expect(() => model.loadStateDict(dict)).toThrow(CheckpointError);
    };
    refused(
      (dict) => {
        dict.delete("output.bias");
        dict.delete("lstm_layer_0.weight_hh_l0");
        dict.set("other.weight", zeros([1]));
        dict.set("output.weight", zeros([4, 4]));
        dict.set("lstm_layer_0.bias_ih_l0", zeros([19]));
      },
      /missing: .*lstm_layer_0\.weight_hh_l0.*output\.bias/,
      /not of this model: other\.weight/,
      /lstm_layer_0\.bias_ih_l0 must be \[20\], got \[19\]/,
      /output\.weight must be \[3, 11\], got \[4, 4\]/,
    );
    refused((dict) => dict.set("output.bias", { data: new Float32Array(2), shape: [3] }), /output\.bias.*\[3\].*3 values, got 2/);
    refused((dict) => dict.get("output.bias")?.data.fill(Number.NaN), /output\.bias.*not finite.*0/);
    for (const wrong of [undefined, null, {}, [], "dict"]) {
      expect(() => model.loadStateDict(wrong as unknown as Map<string, Tensor>)).toThrow(CheckpointError);
    }
    refused((dict) => dict.set("output.bias", undefined as unknown as Tensor), /output\.bias/);
    refused((dict) => dict.set("output.bias", { data: [0, 0, 0], shape: [3] } as unknown as Tensor), /output\.bias.*Float32Array/);
    expect([bits(model.stateDict()), resultBits(model.forward(input))]).toEqual(want);
  });

  test("config has every option resolved and cannot be changed", () => {
    const { config } = smallModel(type);
    expect(config).toMatchObject({ inputSize: 3, outputSize: 3, hiddenSize: 5, clip: 20, gpuId: -1, maxTapes: 1, readFeedback: true });
    expect(Object.isFrozen(config)).toBe(true);
  });
});
