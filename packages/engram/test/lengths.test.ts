// `lengths`: past its length an element's outputs are 0, its state stays as it was, and it contributes nothing to any gradient.
import { describe, expect, test } from "vitest";
import type { Model } from "../src/models/model.js";
import { State } from "../src/models/state.js";
import type { Tensor } from "../src/tensor.js";
import {
  bits,
  dense,
  elementsOf,
  gradientsOf,
  modelTypes,
  randomState,
  randomStateGradient,
  randomTensor,
  resultBits,
  smallModel,
  stateElements,
} from "./wholeModels.js";

const layouts = [
  { rnnType: "lstm", numHiddenLayers: 2 },
  { rnnType: "gru", numLayers: 2, shareMemory: false },
  { rnnType: "rnn", numLayers: 2, readFeedback: false },
] as const;
const cases = modelTypes.flatMap((type) => layouts.map((options) => ({ type, options })));

const lengths = [3, 7, 1, 7, 2, 5, 4, 1, 6];
const [B, T] = [lengths.length, 7];

/** A sparse memory's clock counts the steps of the whole batch. */
const withoutClock = (tensors: ReadonlyMap<string, Tensor>) => new Map([...tensors].filter(([name]) => !name.endsWith(".clock")));

/** The batch-first tensor with `value` in every step past an element's length. */
function past(tensor: Tensor, value: number): Tensor {
  const [, steps, width] = tensor.shape as [number, number, number];
  const data = tensor.data.map((x, i) => (Math.floor(i / width) % steps < (lengths[Math.floor(i / width / steps)] as number) ? x : value));
  return { data, shape: tensor.shape };
}

describe.each(cases)("$type $options", ({ type, options }) => {
  const model = smallModel(type, options);
  const start = randomState(model, B, 1);
  const input = randomTensor([B, T, 3], 2);

  test("an element of a batch with lengths has the bits of that element alone over its own steps", () => {
    const { output, state } = model.forward(input, start, { lengths });
    const final = withoutClock(state.tensors());
    for (const [b, length] of lengths.entries()) {
      const own = elementsOf(elementsOf(input, b, 1), 0, length, 1);
      const alone = model.forward(own, State.from(model, stateElements(start.tensors(), b, 1)));
      expect(bits(alone.output)).toEqual(bits(elementsOf(elementsOf(output, b, 1), 0, length, 1)));
      expect(bits(withoutClock(alone.state.tensors()))).toEqual(bits(stateElements(final, b, 1)));
    }
  });

  test("outputs past the length are 0, whatever the input there is", () => {
    const result = model.forward(past(input, 1e4), start, { lengths });
    expect(bits(past(result.output, 0))).toEqual(bits(result.output));
    expect(resultBits(result)).toEqual(resultBits(model.forward(past(input, -3), start, { lengths })));
  });

  test("nothing past the length reaches a gradient, and the state's gradient passes it by", () => {
    const stateGrad = randomStateGradient(model, B, 3);
    const back = (outputGrad: Tensor) => {
      model.zeroGrad();
      model.forward(past(input, outputGrad.data[0] as number), start, { lengths });
      const { inputGrad, stateGrad: startGrad } = model.backward(outputGrad, { stateGrad });
      return { inputGrad, all: [bits(inputGrad), bits(dense(startGrad)), bits(gradientsOf(model))] };
    };
    const outputGrad = randomTensor([B, T, 3], 4);
    const clean = back(past(outputGrad, 0));
    expect(back(past(outputGrad, 1e6)).all).toEqual(clean.all);
    expect(bits(past(clean.inputGrad, 0))).toEqual(bits(clean.inputGrad));
  });

  test("lengths that all are T change no bit", () => {
    expect(resultBits(model.forward(input, start, { lengths: Array(B).fill(T) }))).toEqual(resultBits(model.forward(input, start)));
  });

  test("a batch of which some or all shards end long before T gives the bits of shorter calls", () => {
    const short = [2, 1, 2, 2, 1, 3, 3, 1, 3];
    const long = randomTensor([B, 70, 3], 5);
    const run = (steps: number, evaluate: boolean) => {
      const own = smallModel(type, options);
      const { output, state } = (evaluate ? own.eval() : own).forward(elementsOf(long, 0, steps, 1), start, { lengths: short });
      return { output, rest: bits(withoutClock(state.tensors())), gradients: evaluate ? undefined : gradientsAfter(own, steps) };
    };
    const gradientsAfter = (own: Model, steps: number) => {
      own.backward(elementsOf(randomTensor([B, 70, 3], 6), 0, steps, 1));
      return bits(gradientsOf(own));
    };
    const want = run(3, false);
    for (const evaluate of [false, true]) {
      const got = run(70, evaluate);
      expect(got.rest).toEqual(want.rest);
      expect(bits(elementsOf(got.output, 0, 3, 1))).toEqual(bits(want.output));
      if (!evaluate) expect(got.gradients).toEqual(want.gradients);
    }
  });
});
