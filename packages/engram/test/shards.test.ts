// A batch is cut into shards, and nothing shows it: every element has the bits it would have alone, and gradients are the shards' own,
// added up in a fixed order.
import { describe, expect, test } from "vitest";
import { State } from "../src/models/state.js";
import {
  bits,
  elementsOf,
  gradientsOf,
  modelTypes,
  randomState,
  randomStateGradient,
  randomTensor,
  smallModel,
  stateElements,
} from "./wholeModels.js";

describe.each(modelTypes)("%s", (type) => {
  test.each([2, 9, 33])("every element of a batch of %i has the bits of that element alone, forward and backward", (batch) => {
    const model = smallModel(type, { numLayers: 2, numHiddenLayers: 2 });
    const [input, outputGrad] = [randomTensor([batch, 5, 3], 1), randomTensor([batch, 5, 3], 2)];
    const start = randomState(model, batch, 3);
    const finalGrad = randomStateGradient(model, batch, 4);
    const whole = model.forward(input, start);
    const { inputGrad } = model.backward(outputGrad, { stateGrad: finalGrad });
    const [startTensors, final] = [start.tensors(), whole.state.tensors()];
    for (const b of [0, 1, batch >> 1, batch - 1]) {
      const alone = model.forward(elementsOf(input, b, 1), State.from(model, stateElements(startTensors, b, 1)));
      expect(bits(alone.output)).toEqual(bits(elementsOf(whole.output, b, 1)));
      expect(bits(alone.state.tensors())).toEqual(bits(stateElements(final, b, 1)));
      const back = model.backward(elementsOf(outputGrad, b, 1), { stateGrad: stateElements(finalGrad, b, 1) });
      expect(bits(back.inputGrad)).toEqual(bits(elementsOf(inputGrad, b, 1)));
    }
  });

  test.each([
    [9, [5, 4]],
    [14, [7, 7]],
  ])("the gradients of a batch of %i are those of its shards %o, added up", (batch, sizes) => {
    const [model, part] = [smallModel(type, { numHiddenLayers: 2 }), smallModel(type, { numHiddenLayers: 2 })];
    const [input, outputGrad] = [randomTensor([batch, 5, 3], 1), randomTensor([batch, 5, 3], 2)];
    model.forward(input);
    model.backward(outputGrad);
    let from = 0;
    const parts = sizes.map((count) => {
      part.zeroGrad();
      part.forward(elementsOf(input, from, count));
      part.backward(elementsOf(outputGrad, from, count));
      from += count;
      return gradientsOf(part);
    });
    for (const [name, { data, shape }] of gradientsOf(model)) {
      const [a, b] = parts.map((gradients) => gradients.get(name)?.data) as [Float32Array, Float32Array];
      expect(bits({ data, shape })).toEqual(bits({ data: a.map((value, i) => value + (b[i] as number)), shape }));
    }
  });

  test("elements of a batch with the same input stay equal to the bit", () => {
    const model = smallModel(type, { nrCells: 7, cellSize: 5, hiddenSize: 9 });
    const [batch, steps] = [6, 12];
    const one = randomTensor([1, steps, 3], 1);
    const data = Float32Array.from(Array.from({ length: batch }, () => [...one.data]).flat());
    const { output, state } = model.forward({ data, shape: [batch, steps, 3] });
    const first = [bits(elementsOf(output, 0, 1)), bits(stateElements(state.tensors(), 0, 1))];
    for (let b = 1; b < batch; b++) expect([bits(elementsOf(output, b, 1)), bits(stateElements(state.tensors(), b, 1))]).toEqual(first);
  });

  test("gradients add up over backward calls until zeroGrad", () => {
    const model = smallModel(type);
    const run = () => {
      model.forward(randomTensor([2, 3, 3], 1));
      model.backward(randomTensor([2, 3, 3], 2));
      return gradientsOf(model);
    };
    const once = run();
    for (const [name, { data }] of run()) expect(data, name).toEqual(once.get(name)?.data.map((value) => 2 * value));
    model.zeroGrad();
    expect(bits(run())).toEqual(bits(once));
  });
});
