// step(): one time step for streaming. That it computes what forward does is in passes.test.ts and state.test.ts.
import { describe, expect, test } from "vitest";
import { tensor, zeros } from "../src/tensor.js";
import { bits, gradientsOf, modelTypes, randomState, randomTensor, smallModel } from "./wholeModels.js";

describe.each(modelTypes)("%s", (type) => {
  test("writes to `out` when it is given, else to one tensor that the next step writes again", () => {
    const model = smallModel(type, { outputSize: 2 });
    const [a, b] = [model.initialState(2), model.initialState(2)];
    const input = randomTensor([2, 3], 1);
    const reused = model.step(input, a);
    expect(reused.shape).toEqual([2, 2]);
    const first = bits(reused);
    const out = zeros([2, 2]);
    expect(model.step(input, b, out)).toBe(out);
    expect(bits(out)).toEqual(first);
    expect(model.step(input, a)).toBe(reused);
    expect(bits(reused)).not.toEqual(first);
    expect(bits(out)).toEqual(first);
  });

  test("works the same in training and evaluation mode and leaves a forward's tape alone", () => {
    const [model, witness] = [
      smallModel(type, { dropout: 0.5, numHiddenLayers: 2 }),
      smallModel(type, { dropout: 0.5, numHiddenLayers: 2 }),
    ];
    const [input, outputGrad] = [randomTensor([2, 4, 3], 1), randomTensor([2, 4, 3], 2)];
    witness.forward(input);
    const want = bits(witness.backward(outputGrad).inputGrad);
    model.forward(input);
    const [a, b] = [model.initialState(3), model.initialState(3)];
    const trained = bits(model.step(randomTensor([3, 3], 3), a));
    expect(model.training).toBe(true);
    expect(bits(model.eval().step(randomTensor([3, 3], 3), b))).toEqual(trained);
    model.train();
    expect(bits(model.backward(outputGrad).inputGrad)).toEqual(want);
    expect(bits(gradientsOf(model))).toEqual(bits(gradientsOf(witness)));
  });

  test("10,000 steps of one state give finite numbers and take no more memory than ten", () => {
    const model = smallModel(type, { nrCells: 20 });
    const state = model.initialState(1);
    const input = randomTensor([64, 3], 5);
    const stepThrough = (from: number, to: number) => {
      for (let t = from; t < to; t++) model.step({ data: input.data.subarray(3 * (t % 64), 3 * (t % 64) + 3), shape: [1, 3] }, state);
    };
    // A sparse memory takes room for a cell when it is first touched: after twenty steps all are.
    stepThrough(0, 20);
    const { total, peak } = model.memoryUsage();
    stepThrough(20, 10_000);
    expect(model.memoryUsage()).toMatchObject({ total, peak });
    for (const [name, { data }] of state.tensors()) expect(data.every(Number.isFinite), name).toBe(true);
  });

  test("sees weights that were written, loaded or trained since", () => {
    const model = smallModel(type);
    const start = randomState(model, 1, 1);
    const input = tensor([0.1, -0.2, 0.3], [1, 3]);
    const stepped = (owner = model) => bits(owner.step(input, randomState(owner, 1, 1)));
    const before = stepped();
    const twin = smallModel(type, { seed: 12 });
    expect(stepped(twin)).not.toEqual(before);
    const bias = model.parameters().get("output.bias");
    (bias?.data as Float32Array)[0] = 3;
    const changed = stepped();
    expect(changed).not.toEqual(before);
    twin.loadStateDict(model.stateDict());
    expect(stepped(twin)).toEqual(changed);
    expect(bits(start.tensors())).toEqual(bits(randomState(model, 1, 1).tensors()));
  });
});
