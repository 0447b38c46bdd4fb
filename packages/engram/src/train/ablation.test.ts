import { describe, expect, test } from "vitest";
import { createModel } from "../models/createModel.js";
import type { Model } from "../models/model.js";
import type { SDNCOptions } from "../models/options.js";
import { Random } from "../random.js";
import { createTask } from "../tasks/index.js";
import { ablate, needsMemory, withHalfTheCells, withoutReads } from "./ablation.js";
import { evaluate } from "./evaluate.js";
import { Trainer } from "./trainer.js";

const task = createTask("copy", { inputSize: 4 });
const sizes = { inputSize: 4, outputSize: 3, numHiddenLayers: 1, seed: 1 };

const LENGTH = 6;

/** Trains until nearly every bit is right. */
async function trained(model: Model, learningRate: number): Promise<Model> {
  const trainer = new Trainer(model, { learningRate, clipGradNorm: 1 });
  const rng = new Random(1);
  for (let done = 0; done < 2000; done += 100) {
    for await (const _ of trainer.run({ task, iterations: 100, maxLength: LENGTH, rng, yieldMs: 1e9 }));
    const { accuracy } = await evaluate(model, task, { lengths: [LENGTH], samples: 50, rng: new Random(2) });
    if (accuracy > 0.995) break;
  }
  return model;
}

const sequences = (lengths = [LENGTH], samples = 200) => ({ lengths, samples, rng: new Random(7) });

describe("a model that copies with its memory", () => {
  test.each([
    ["dnc", 0.01, { hiddenSize: 24, nrCells: 7, cellSize: 8, readHeads: 1 }],
    ["sdnc", 0.008, { hiddenSize: 48, nrCells: 16, cellSize: 16, readHeads: 1, temporalReads: 2 }],
  ] as const)("%s: can't do without reads, nor with too few cells", async (type, learningRate, options) => {
    const model = await trained(createModel(type, { ...sizes, ...options }), learningRate);
    const ablation = await ablate(model, task, sequences());
    expect(ablation.asIs.accuracy).toBeGreaterThan(0.98);
    expect(ablation.readsZeroed.accuracy).toBeLessThan(0.7); // 0.5 is guessing
    expect(ablation.halfTheCells?.accuracy).toBeLessThan(0.9);
    expect(needsMemory(ablation)).toBe(true);
  });

  test("and has cells to spare, loses nothing with half of them", async () => {
    const model = await trained(createModel("dnc", { ...sizes, hiddenSize: 24, nrCells: 24, cellSize: 8, readHeads: 1 }), 0.01);
    const { asIs, readsZeroed, halfTheCells } = await ablate(model, task, sequences());
    expect(asIs.accuracy).toBeGreaterThan(0.98);
    expect(readsZeroed.accuracy).toBeLessThan(0.7);
    expect(halfTheCells?.accuracy).toBeGreaterThan(0.98);
  });
});

const kinds = [
  ["dnc", { hiddenSize: 9, nrCells: 7, cellSize: 5, readHeads: 3 }],
  ["sam", { hiddenSize: 9, nrCells: 17, cellSize: 5, readHeads: 3, sparseReads: 3 }],
  ["sdnc", { hiddenSize: 9, nrCells: 17, cellSize: 5, readHeads: 3, sparseReads: 3, temporalReads: 2, temporalLinks: 3 }],
] as const;

describe.each(kinds)("%s", (type, options) => {
  const make = (more: Partial<SDNCOptions> = {}) => createModel(type, { ...sizes, ...options, ...more });

  test("without reads is the model whose weights from the read vectors are all zero", () => {
    const model = make();
    const deaf = make();
    for (const [name, columns] of [
      ["lstm_layer_0.weight_ih_l0", sizes.inputSize],
      ["output.weight", options.hiddenSize],
    ] as const) {
      const { data, shape } = deaf.parameters().get(name) as { data: Float32Array; shape: readonly number[] };
      const width = shape[1] as number;
      for (let at = 0; at < data.length; at++) if (at % width >= columns) data[at] = 0;
    }
    const { input } = task.batch(new Random(3), 5, 6);
    const [want, got] = [deaf.eval().forward(input).output.data, withoutReads(model.eval()).forward(input).output.data];
    // The weights from the read vectors still take part in the sums, as zeros: the order of summation, and so the bits, stay.
    expect(Math.max(...want.map((value, i) => Math.abs(value - (got[i] as number))))).toBeLessThan(1e-6);
    expect(model.forward(input).output.data).not.toEqual(got);
  });

  test("is scored on the sequences that evaluate tries, its mode comes back, and the generator goes on as there", async () => {
    const model = make();
    const [own, evaluates] = [sequences([2, 5], 30), sequences([2, 5], 30)];
    const { asIs, readsZeroed, halfTheCells } = await ablate(model, task, own);
    expect(asIs).toEqual(await evaluate(model, task, evaluates));
    expect(own.rng.state()).toEqual(evaluates.rng.state());
    expect(readsZeroed).toEqual(await evaluate(withoutReads(model), task, sequences([2, 5], 30)));
    expect(halfTheCells).toEqual(await evaluate(make({ nrCells: options.nrCells >> 1 }), task, sequences([2, 5], 30)));
    expect(model.training).toBe(true);
  });

  test("of one cell has no half", async () => {
    const model = make({ nrCells: 1, ...(type !== "dnc" && { sparseReads: 1 }) });
    expect(withHalfTheCells(model)).toBeUndefined();
    expect((await ablate(model, task, sequences([1], 5))).halfTheCells).toBeUndefined();
  });
});

test("half of a sparse memory reads no more cells than it has, and is the same while fewer are touched", () => {
  const small = createModel("sam", { ...sizes, hiddenSize: 9, nrCells: 5, sparseReads: 4 });
  expect(withHalfTheCells(small)?.config).toMatchObject({ nrCells: 2, sparseReads: 2 });
  const large = createModel("sam", { ...sizes, hiddenSize: 9, nrCells: 4000, cellSize: 5, readHeads: 2 });
  const { input } = task.batch(new Random(3), 2, 6);
  expect(withHalfTheCells(large)?.eval().forward(input).output.data).toEqual(large.eval().forward(input).output.data);
});

test("a memory is needed from a loss of more than 5 % on", () => {
  const of = (asIs: number, without: number) => needsMemory({ asIs: { accuracy: asIs }, readsZeroed: { accuracy: without } });
  expect([of(1, 0.5), of(1, 0.94), of(1, 0.96), of(0.5, 0.5), of(0.4, 0.9)]).toEqual([true, true, false, false, false]);
});
