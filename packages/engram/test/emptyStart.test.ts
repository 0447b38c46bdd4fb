// From the empty state the first step has nothing before it: products with zeros, links and gradients that nobody asks for are left out.
// What is computed must not change by that.
import { expect, test } from "vitest";
import { Trainer } from "../src/train/index.js";
import { createModel, dense, gradientsOf, modelTypes, randomLengths, randomOptions, randomTensor } from "./wholeModels.js";

const seeds = Array.from({ length: 24 }, (_, seed) => seed);

/** Sums with and without terms that are zero: the same but for the sign of a zero. */
const EQUAL = {};

test.each(seeds)("no state and the empty state as a state give the same outputs, states and gradients (seed %i)", (seed) => {
  const type = modelTypes[seed % 3] as (typeof modelTypes)[number];
  const options = { ...randomOptions(seed), batchFirst: true };
  const lengths = seed % 2 === 0 ? undefined : randomLengths(6, 5, seed);
  const [fresh, given] = [createModel(type, options), createModel(type, options)];
  const input = randomTensor([6, 5, options.inputSize], seed);
  const dOutput = randomTensor([6, 5, options.outputSize as number], seed + 1);
  const results = [fresh.forward(input, undefined, { lengths }), given.forward(input, given.initialState(6), { lengths })];
  const [a, b] = results as [(typeof results)[0], (typeof results)[0]];
  expect(a.output.data).toBeClose(b.output.data, EQUAL);
  for (const [name, tensor] of b.state.tensors()) expect(a.state.tensors().get(name)?.data, name).toBeClose(tensor.data, EQUAL);
  const [backA, backB] = [fresh.backward(dOutput), given.backward(dOutput)];
  expect(backA.inputGrad.data).toBeClose(backB.inputGrad.data, EQUAL);
  for (const [name, tensor] of dense(backB.stateGrad)) expect(dense(backA.stateGrad).get(name)?.data, name).toBeClose(tensor.data, EQUAL);
  for (const [name, gradient] of gradientsOf(given)) expect(gradientsOf(fresh).get(name)?.data, name).toBeClose(gradient.data, EQUAL);
});

test.each(seeds)("a training step computes the gradients that forward and backward compute (seed %i)", (seed) => {
  const type = modelTypes[seed % 3] as (typeof modelTypes)[number];
  const options = { ...randomOptions(seed + 100), batchFirst: true };
  const [steps, O] = [1 + (seed % 4), options.outputSize as number];
  const [trained, plain] = [createModel(type, options), createModel(type, options)];
  const input = randomTensor([5, steps, options.inputSize], seed);
  const target = randomTensor([5, steps, O], seed + 1);
  new Trainer(trained, { optimizer: "sgd", learningRate: 0, loss: "meanSquaredError" }).step({ input, target });
  const { output } = plain.forward(input);
  const count = output.data.length;
  plain.backward({ data: output.data.map((y, i) => (2 * (y - (target.data[i] as number))) / count), shape: output.shape });
  // The loss's gradient is rounded in another order: some roundings of 6e-8, carried through the sums of both passes.
  for (const [name, gradient] of gradientsOf(plain))
    expect(gradientsOf(trained).get(name)?.data, name).toBeClose(gradient.data, { rtol: 1e-5, atol: 1e-9 });
});
