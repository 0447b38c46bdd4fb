// Numbers stay finite where they can, and where they cannot training stops with the name of the tensor, before anything is spoilt.
import { describe, expect, test } from "vitest";
import { NumericError } from "../src/errors.js";
import type { SDNCOptions } from "../src/models/options.js";
import type { Tensor } from "../src/tensor.js";
import { Trainer } from "../src/train/trainer.js";
import { bits, dense, elementsOf, gradientsOf, modelTypes, randomState, randomTensor, resultBits, smallModel } from "./wholeModels.js";

const cells: Partial<SDNCOptions>[] = [{ rnnType: "lstm" }, { rnnType: "gru" }, { rnnType: "rnn", nonlinearity: "tanh" }];
const cases = modelTypes.flatMap((type) => cells.map((cell) => ({ type, cell })));

const filled = (shape: number[], value: number): Tensor => ({ data: new Float32Array(shape.reduce((a, b) => a * b)).fill(value), shape });

/** Inputs at the edges: nothing at all, far beyond what saturates, signs in turn, and barely anything. */
const edges: [string, (shape: number[]) => Tensor][] = [
  ["zeros", (shape) => filled(shape, 0)],
  ["1e4", (shape) => filled(shape, 1e4)],
  ["±1e4", (shape) => ({ data: randomTensor(shape, 1).data.map((x) => (x > 0 ? 1e4 : -1e4)), shape })],
  ["1e-38", (shape) => filled(shape, 1e-38)],
];

function expectFinite(tensors: ReadonlyMap<string, Tensor>): void {
  for (const [name, { data }] of tensors)
    expect(
      data.findIndex((value) => !Number.isFinite(value)),
      name,
    ).toBe(-1);
}

describe.each(cases)("$type $cell", ({ type, cell }) => {
  test.each(edges)("from an empty memory, inputs of %s give finite outputs, states and gradients", (_name, input) => {
    const model = smallModel(type, { ...cell, numLayers: 2 });
    const { output, state } = model.forward(input([3, 40, 3]));
    const { inputGrad, stateGrad } = model.backward(filled([3, 40, 3], 1));
    expectFinite(new Map([...state.tensors(), ...dense(stateGrad), ["output", output], ["inputGrad", inputGrad]]));
    expectFinite(gradientsOf(model));
  });

  test("1,000 training steps at a learning rate of 1e-2 on inputs of 0 and ±1e4 leave everything finite", () => {
    const trainer = new Trainer(smallModel(type, cell), { learningRate: 1e-2 });
    for (let step = 0; step < 1000; step++) {
      const [, input] = edges[step % 3] as (typeof edges)[0];
      trainer.step({ input: input([2, 5, 3]), target: filled([2, 5, 3], step & 1) });
    }
    expectFinite(trainer.model.stateDict());
    expectFinite(trainer.state().tensors);
    const { output, state } = trainer.model.forward(filled([1, 5, 3], 1e4));
    expectFinite(new Map([...state.tensors(), ["output", output]]));
  });
});

describe.each(modelTypes)("%s", (type) => {
  const batch = { input: randomTensor([9, 4, 3], 1), target: randomTensor([9, 4, 3], 2) };

  /** Everything a step may change but the states carried on. */
  const everything = (trainer: Trainer) => {
    const { tensors, carriedBatch: _, ...rest } = trainer.state();
    const own = new Map([...tensors].filter(([name]) => !name.startsWith("carried.")));
    return { rest, moments: bits(own), weights: bits(trainer.model.stateDict()) };
  };

  test("a NaN put into any weight stops the step by its name, and undone, training goes on as if it had never been", () => {
    const options = { loss: "meanSquaredError", carryState: true } as const;
    const [trainer, witness] = [new Trainer(smallModel(type), options), new Trainer(smallModel(type), options)];
    for (const each of [trainer, witness]) each.step(batch);
    for (const [name, weight] of trainer.model.parameters()) {
      const { data } = weight;
      const at = data.length >> 1;
      const value = data[at] as number;
      data[at] = Number.NaN;
      const before = everything(trainer);
      const error = caught(() => trainer.step(batch));
      expect(error, name).toBeInstanceOf(NumericError);
      expect(error).toMatchObject({ code: "NUMERIC", tensor: name, step: 2 });
      expect(error?.message).toContain(name);
      expect(everything(trainer)).toEqual(before);
      expect(trainer.state()).not.toHaveProperty("carriedBatch");
      weight.data[at] = value;
    }
    witness.resetState(); // the states carried on had met NaN
    expect(trainer.step(batch)).toEqual(witness.step(batch));
    expect(everything(trainer)).toEqual(everything(witness));
  });

  test("a relu network that overflows stops with the loss, weights and optimizer as before the step", () => {
    const model = smallModel(type, { rnnType: "rnn", nonlinearity: "relu", bias: false, clip: 0 });
    const trainer = new Trainer(model, { loss: "meanSquaredError" });
    trainer.step(batch);
    model.parameters().get("rnn_layer_0.weight_ih_l0")?.data.fill(1e20);
    model.parameters().get("rnn_layer_0.weight_hh_l0")?.data.fill(1e30);
    const before = everything(trainer);
    const error = caught(() => trainer.step({ ...batch, input: filled([9, 4, 3], 1) }));
    expect(error).toMatchObject({ code: "NUMERIC", tensor: "loss", step: 2 });
    expect(everything(trainer)).toEqual(before);
  });

  test("a gradient that overflows under a finite loss stops with the name of its weight", () => {
    const model = smallModel(type, { rnnType: "rnn", nonlinearity: "tanh", bias: false });
    const trainer = new Trainer(model, {});
    for (const { data } of model.parameters().values()) data.fill(0);
    model.parameters().get("output.weight")?.data.fill(1e30);
    model.parameters().get("rnn_layer_0.weight_hh_l0")?.data.fill(1e30);
    const before = everything(trainer);
    const error = caught(() => trainer.step({ input: filled([1, 3, 3], 0), target: filled([1, 3, 3], 1) }));
    expect(error).toMatchObject({ code: "NUMERIC", step: 1 });
    expect((error as NumericError).tensor).toMatch(/^rnn_layer_0\./);
    expect(error?.message).toMatch(/step 1: the gradient of rnn_layer_0\..* is not finite/);
    expect(everything(trainer)).toEqual(before);
  });

  test("update() refuses gradients that are not finite", () => {
    const model = smallModel(type);
    const trainer = new Trainer(model, {});
    model.forward(batch.input);
    model.backward(batch.target);
    (model.gradients().get("output.bias") as Tensor).data[1] = Number.POSITIVE_INFINITY;
    const before = everything(trainer);
    expect(caught(() => trainer.update())).toMatchObject({ code: "NUMERIC", tensor: "output.bias", step: 1 });
    expect(everything(trainer)).toEqual(before);
  });

  test("SGD at a learning rate of 1e30 stops with an error, before a NaN is among the weights", () => {
    const trainer = new Trainer(smallModel(type), { optimizer: "sgd", learningRate: 1e30, loss: "meanSquaredError" });
    let before = everything(trainer);
    const error = caught(() => {
      for (let step = 0; step < 20; step++) {
        before = everything(trainer);
        trainer.step(batch);
      }
    });
    expect(error).toBeInstanceOf(NumericError);
    expect(everything(trainer)).toEqual(before);
  });

  test("evaluation with NaN or huge weights ends, and leaves the model usable", () => {
    const model = smallModel(type);
    const want = resultBits(model.forward(batch.input));
    const weights = model.stateDict();
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
      for (const { data } of model.parameters().values()) data.fill(value);
      model.train().forward(batch.input);
      model.backward(batch.target);
      model.eval().forward(batch.input);
      model.step(elementsOf({ ...batch.input, shape: [36, 3] }, 0, 9), model.initialState(9));
    }
    model.loadStateDict(weights);
    expect(resultBits(model.train().forward(batch.input))).toEqual(want);
  });
});

test("cells with the same history hold the same bits, in vector tails too", () => {
  // Each step tells apart the few cells it allocates; of 43 cells those from 30 on have all been through the same in four steps.
  const model = smallModel("dnc", { nrCells: 43, cellSize: 5, readHeads: 3 });
  const tensors = model.forward(randomTensor([2, 4, 3], 1)).state.tensors();
  const cell = (name: string, row: number, i: number) => {
    const { data, shape } = tensors.get(`memory.0.${name}`) as Tensor;
    const width = name === "memory" ? (shape[2] as number) : 1;
    return [...data.slice((row * 43 + i) * width, (row * 43 + i + 1) * width)];
  };
  for (const [name, rows] of Object.entries({ memory: 2, usage_vector: 2, write_weights: 2, precedence: 2, read_weights: 6 })) {
    for (let row = 0; row < rows; row++) {
      for (let i = 31; i < 43; i++) expect(cell(name, row, i), `${name} of ${i}`).toEqual(cell(name, row, 30));
    }
    expect(cell(name, 0, 0), name).not.toEqual(cell(name, 0, 30));
  }
});

test("a memory of random contents keeps its weights within [0, 1] and their sums at most 1", () => {
  const model = smallModel("dnc", { nrCells: 7 });
  const { state } = model.forward(randomTensor([4, 30, 3], 1, -3, 3), randomState(model, 4, 2));
  const tensors = state.tensors();
  for (const name of ["usage_vector", "write_weights", "precedence", "read_weights", "link_matrix"]) {
    const { data } = tensors.get(`memory.0.${name}`) as Tensor;
    expect(Math.min(...data), name).toBeGreaterThanOrEqual(0);
    expect(Math.max(...data), name).toBeLessThanOrEqual(1);
    if (name === "usage_vector") continue;
    // Float32 sums of seven terms.
    for (let row = 0; row < data.length; row += 7) {
      expect(
        data.subarray(row, row + 7).reduce((sum, w) => sum + w, 0),
        name,
      ).toBeLessThanOrEqual(1 + 1e-6);
    }
  }
});

function caught(call: () => unknown): Error | undefined {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  return undefined;
}
