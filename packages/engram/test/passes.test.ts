// One call in several passes: evaluation walks long sequences some steps at a time, recompute runs forward again between saved
// points, and callers go on from states. None of it may change what is computed.
import { describe, expect, test } from "vitest";
import type { Model } from "../src/models/model.js";
import type { SDNCOptions } from "../src/models/options.js";
import { State } from "../src/models/state.js";
import type { StateTensor } from "../src/models/stateTensor.js";
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
} from "./wholeModels.js";

/** Options that change how passes hand over to each other. */
const variants: Partial<SDNCOptions>[] = [
  {},
  { rnnType: "gru", numLayers: 2, numHiddenLayers: 2, shareMemory: false },
  { rnnType: "rnn", numLayers: 2, readFeedback: false },
];
const cases = modelTypes.flatMap((type) => variants.map((options) => ({ type, options })));

/** Weight gradients of parts are the same products in sums of other lengths: float32 rounding of up to a hundred terms. */
const REORDERED = { rtol: 5e-6 };

/** Steps `from` … `from + count - 1` of a batch-first tensor. */
const stepsOf = (tensor: Tensor, from: number, count: number) => elementsOf(tensor, from, count, 1);

function joinSteps(parts: readonly Tensor[]): Tensor {
  const [batch, , width] = (parts[0] as Tensor).shape as [number, number, number];
  const steps = parts.reduce((sum, { shape }) => sum + (shape[1] as number), 0);
  const rows = Array.from({ length: batch }, (_, b) => parts.flatMap((part) => [...elementsOf(part, b, 1).data]));
  return { data: Float32Array.from(rows.flat()), shape: [batch, steps, width] };
}

describe.each(cases)("$type $options", ({ type, options }) => {
  const make = (more: Partial<SDNCOptions> = {}) => smallModel(type, { ...options, ...more });

  test("evaluation over 70 steps gives the bits of the training forward without dropout", () => {
    const model = make();
    const input = randomTensor([3, 70, 3], 1);
    const start = randomState(model, 3, 2);
    const lengths = [70, 33, 1];
    const want = resultBits(model.forward(input, start, { lengths }));
    expect(resultBits(model.eval().forward(input, start, { lengths }))).toEqual(want);
  });

  // The last lengths end before the last pass begins.
  test.each([undefined, [11, 4, 1, 7, 10], [6, 4, 1, 3, 2]])(
    "recompute gives the same outputs, states and gradients (lengths %o)",
    (lengths) => {
      const [plain, again] = [make(), make({ recompute: true })];
      const start = randomState(plain, 5, 2);
      const run = (model: Model) => {
        const result = model.forward(randomTensor([5, 11, 3], 1), start, lengths && { lengths });
        const { inputGrad, stateGrad } = model.backward(randomTensor([5, 11, 3], 3), { stateGrad: randomStateGradient(plain, 5, 4) });
        return { exact: [resultBits(result), bits(inputGrad), bits(dense(stateGrad))], gradients: gradientsOf(model) };
      };
      const [want, got] = [run(plain), run(again)];
      expect(got.exact).toEqual(want.exact);
      for (const [name, { data }] of want.gradients) expect(got.gradients.get(name)?.data, name).toBeClose(data, REORDERED);
    },
  );
});

// Without readFeedback a call feeds the read vectors that it began with: there the parts of a sequence differ from the whole.
const fedBack = cases.filter(({ options }) => options.readFeedback !== false);

describe.each(fedBack)("$type $options", ({ type, options }) => {
  const make = (more: Partial<SDNCOptions> = {}) => smallModel(type, { ...options, ...more });

  test("T steps at once, T calls of one step and T calls of step() give the same bits", () => {
    const model = make();
    const input = randomTensor([9, 7, 3], 1);
    const start = randomState(model, 9, 2);
    const whole = resultBits(model.forward(input, start));

    let state = start;
    const outputs = Array.from({ length: 7 }, (_, t) => {
      const result = model.forward(stepsOf(input, t, 1), state);
      state = result.state;
      return result.output;
    });
    expect(resultBits({ output: joinSteps(outputs), state })).toEqual(whole);

    const moved = State.from(model, start.tensors());
    const steps = Array.from({ length: 7 }, (_, t) => {
      const { data } = stepsOf(input, t, 1);
      return { data: model.step({ data, shape: [9, 3] }, moved).data.slice(), shape: [9, 1, 3] };
    });
    expect(resultBits({ output: joinSteps(steps), state: moved })).toEqual(whole);
  });

  test.each([false, true])("chunks chained by stateGrad give the gradients of the whole sequence (recompute %s)", (recompute) => {
    const [whole, chunked] = [make({ recompute }), make({ recompute, maxTapes: 3 })];
    const input = randomTensor([5, 9, 3], 1);
    const outputGrad = randomTensor([5, 9, 3], 3);
    const finalGrad = randomStateGradient(whole, 5, 4);
    const start = randomState(whole, 5, 2);
    const want = whole.forward(input, start, { lengths: [9, 6, 8, 9, 7] });
    const wantBack = whole.backward(outputGrad, { stateGrad: finalGrad });
    const wantStateGrad = bits(dense(wantBack.stateGrad));

    let state = start;
    const chunks = [
      { from: 0, count: 3, lengths: [3, 3, 3, 3, 3] },
      { from: 3, count: 2, lengths: [2, 2, 2, 2, 2] },
      { from: 5, count: 4, lengths: [4, 1, 3, 4, 2] },
    ].map(({ from, count, lengths }) => {
      const result = chunked.forward(stepsOf(input, from, count), state, { lengths });
      state = result.state;
      return { from, count, result };
    });
    expect(resultBits({ output: joinSteps(chunks.map(({ result }) => result.output)), state })).toEqual(resultBits(want));
    let stateGrad: ReadonlyMap<string, StateTensor> = finalGrad;
    const inputGrads: Tensor[] = [];
    for (const { from, count, result } of chunks.reverse()) {
      const back = chunked.backward(stepsOf(outputGrad, from, count), { of: result, stateGrad });
      stateGrad = back.stateGrad;
      inputGrads.unshift(back.inputGrad);
    }
    expect(bits(joinSteps(inputGrads))).toEqual(bits(wantBack.inputGrad));
    expect(bits(dense(stateGrad))).toEqual(wantStateGrad);
    const gradients = gradientsOf(chunked);
    for (const [name, { data }] of gradientsOf(whole)) expect(gradients.get(name)?.data, name).toBeClose(data, REORDERED);
  });

  test.each([{}, { recompute: true }])("no gradient reaches a memory that the call emptied (%o)", (more) => {
    const model = make(more);
    for (const options of [{ resetExperience: true }, { resetExperience: true, passThroughMemory: false }]) {
      model.forward(randomTensor([5, 9, 3], 1), randomState(model, 5, 2), options);
      const { stateGrad } = model.backward(randomTensor([5, 9, 3], 3), { stateGrad: randomStateGradient(model, 5, 4) });
      for (const [name, { data }] of dense(stateGrad)) {
        const isZero = data.every((value) => value === 0);
        expect(isZero, name).toBe(name.startsWith("memory."));
      }
    }
  });

  test("stateGrad names every part that carries a gradient, where the memory was passed by too", () => {
    const model = make();
    const names = [...randomStateGradient(model, 5, 4).keys()].sort();
    for (const passThroughMemory of [true, false]) {
      model.forward(randomTensor([5, 2, 3], 1), randomState(model, 5, 2), { passThroughMemory });
      expect([...model.backward(randomTensor([5, 2, 3], 3)).stateGrad.keys()].sort()).toEqual(names);
    }
  });
});
