// A batch is cut into shards, and nothing shows it: every element has the bits it would have alone, and gradients are the shards' own,
// added up in a fixed order.
import { describe, expect, test, vi } from "vitest";
import type { Engine } from "../src/engine/engine.js";
import { Staging } from "../src/models/core.js";
import type { Model } from "../src/models/model.js";
import type { SDNCOptions } from "../src/models/options.js";
import { rangesOf, State } from "../src/models/state.js";
import { Trainer } from "../src/train/trainer.js";
import {
  bits,
  createModel,
  elementsOf,
  gradientsOf,
  modelTypes,
  randomLengths,
  randomOptions,
  randomState,
  randomStateGradient,
  randomTensor,
  sequenceShape,
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

test.each([
  [3, 16, 64, [3]],
  [10, 16, 64, [5, 5]],
  [32, 16, 64, [16, 16]],
  [33, 16, 64, [12, 12, 9]],
  [1000, 32, 64, Array(250).fill(4)],
  [34, 64, 64, [...Array(8).fill(4), 2]],
  [35, 128, 64, [...Array(17).fill(2), 1]],
  [32, 256, 512, Array(8).fill(4)],
  [8, 256, 64, [4, 4]],
])("a batch of %i for a DNC of %i cells and %i hidden units is cut into shards of %o", (batch, nrCells, hiddenSize, sizes) => {
  const model = smallModel("dnc", { nrCells, hiddenSize, readHeads: 4, cellSize: 20 });
  const ranges = rangesOf(model.network.layout, batch);
  expect(ranges.map(({ count }) => count)).toEqual(sizes);
  expect(ranges.map(({ from }) => from)).toEqual(ranges.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0)));
});

/** Runs `call` with NaN in every buffer that a call stages things in: what lay there before must not matter. */
function withPoison<T>(call: () => T): T {
  const { reserve } = Staging.prototype;
  const spy = vi.spyOn(Staging.prototype, "reserve").mockImplementation(function (this: Staging, floats: number) {
    const at = reserve.call(this, floats);
    const { engine } = this as unknown as { engine: Engine };
    engine.f32(at, floats).fill(Number.NaN);
    return at;
  });
  try {
    return call();
  } finally {
    spy.mockRestore();
  }
}

// Widths of whole panels: there the first shard of a lane writes its products where others add theirs.
const whole: SDNCOptions = { inputSize: 8, hiddenSize: 16, nrCells: 6, cellSize: 8, readHeads: 2, numHiddenLayers: 2 };
const manyOptions: readonly (readonly [string, SDNCOptions])[] = [
  ["whole panels", whole],
  ["layers that share a memory", { ...whole, numLayers: 3 }],
  ["layers with memories of their own", { ...whole, numLayers: 2, shareMemory: false }],
  ...Array.from({ length: 12 }, (_, seed) => [`random options of seed ${seed}`, randomOptions(seed)] as const),
];

describe.each(modelTypes)("what lay in the gradient sums of a %s has no part in them", (type) => {
  const [batch, steps] = [19, 4];
  const shape = (model: Model, width: number) => sequenceShape(model, batch, steps, width);

  test.each(manyOptions)("in backward, %s", (_, options) => {
    for (const call of [{}, { passThroughMemory: false }, { lengths: randomLengths(batch, steps, 5) }, { steps: 1 }]) {
      const gradients = () => {
        const model = createModel(type, { ...options, seed: 3 });
        const { inputSize, outputSize } = model.config;
        const { steps: T = steps, ...forward } = call as { steps?: number };
        model.forward(randomTensor(sequenceShape(model, batch, T, inputSize), 1), undefined, forward);
        model.backward(randomTensor(sequenceShape(model, batch, T, outputSize), 2));
        return bits(gradientsOf(model));
      };
      expect(withPoison(gradients)).toEqual(gradients());
    }
  });

  test.each(manyOptions)("in a training step, %s", (_, options) => {
    for (const trainerOptions of [{}, { chunk: 3 }, { accumulate: 2 }, { recompute: true }]) {
      const weights = () => {
        const { recompute = false, ...rest } = trainerOptions as { recompute?: boolean };
        const model = createModel(type, { ...options, seed: 3, recompute });
        const trainer = new Trainer(model, rest);
        const { inputSize, outputSize } = model.config;
        for (const seed of [1, 2])
          trainer.step({ input: randomTensor(shape(model, inputSize), seed), target: randomTensor(shape(model, outputSize), 10 + seed) });
        return bits(model.stateDict());
      };
      expect(withPoison(weights)).toEqual(weights());
    }
  });
});
