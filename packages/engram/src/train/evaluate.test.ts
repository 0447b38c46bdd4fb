import { expect, test } from "vitest";
import { createModel } from "../models/createModel.js";
import { Random } from "../random.js";
import { createTask } from "../tasks/index.js";
import type { Tensor } from "../tensor.js";
import { withoutReads } from "./ablation.js";
import { type EvaluatedModel, evaluate, isSolved } from "./evaluate.js";

/** Copies perfectly, but gets the first bit of each sequence longer than `reach` wrong. Notes what it was asked. */
class Copier implements EvaluatedModel {
  training = true;
  readonly seen: string[] = [];
  constructor(readonly reach: number) {}
  train(): void {
    this.training = true;
  }
  eval(): void {
    this.training = false;
  }
  forward({ data, shape }: Tensor): { output: Tensor } {
    const [batchSize, time, size] = shape as [number, number, number];
    const length = (time - 1) / 2;
    this.seen.push(`${batchSize}x${length}${this.training ? " in training mode" : ""}`);
    const output = new Float32Array(batchSize * time * (size - 1));
    for (let b = 0; b < batchSize; b++) {
      for (let t = 0; t < length; t++) {
        for (let c = 0; c < size - 1; c++) {
          const wrong = length > this.reach && t === 0 && c === 0;
          const bit = data[(b * time + t) * size + c] === 1;
          output[(b * time + length + 1 + t) * (size - 1) + c] = bit === wrong ? -1 : 1;
        }
      }
    }
    return { output: { data: output, shape: [batchSize, time, size - 1] } };
  }
}

const task = createTask("copy", { inputSize: 3 });

test("scores are means over sequences and lengths, in evaluation mode, and the mode comes back", async () => {
  const model = new Copier(2);
  const score = await evaluate(model, task, { lengths: [1, 2, 4], samples: 130, rng: new Random(1) });
  expect(score).toEqual({ accuracy: expect.closeTo((1 + 1 + 7 / 8) / 3, 12), sequenceAccuracy: expect.closeTo(2 / 3, 12) });
  expect(model.seen).toEqual(["100x1", "30x1", "100x2", "30x2", "100x4", "30x4"]);
  expect(model.training).toBe(true);
  model.eval();
  await evaluate(model, task, { lengths: [1], rng: new Random(1) });
  expect(model.training).toBe(false);
});

test("long sequences come few at a time", async () => {
  const model = new Copier(1e6);
  await evaluate(model, task, { lengths: [1000], samples: 20, rng: new Random(1) });
  expect(model.seen).toEqual(["9x1000", "9x1000", "2x1000"]);
});

test("solved means every answer right at every length, and the first wrong one ends the test", async () => {
  const model = new Copier(4);
  expect(await isSolved(model, task, { lengths: [1, 2, 3, 4], samples: 10, rng: new Random(1) })).toBe(true);
  model.seen.length = 0;
  expect(await isSolved(model, task, { lengths: [1, 5, 3], samples: 10, rng: new Random(1) })).toBe(false);
  expect(model.seen).toEqual(["10x5"]);
});

test("the signal ends it", async () => {
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  await expect(evaluate(new Copier(1), task, { lengths: [1], rng: new Random(1), signal: stop.signal })).rejects.toThrow("enough");
});

test("no lengths and no samples are refused", async () => {
  await expect(evaluate(new Copier(1), task, { lengths: [], rng: new Random(1) })).rejects.toThrow(/needs a length/);
  await expect(evaluate(new Copier(1), task, { lengths: [1], samples: 0, rng: new Random(1) })).rejects.toThrow(
    /needs a length and a sample/,
  );
});

test("a model of time-first sequences is refused", async () => {
  const model = createModel("dnc", {
    inputSize: 3,
    outputSize: 2,
    hiddenSize: 4,
    nrCells: 3,
    cellSize: 2,
    readHeads: 1,
    batchFirst: false,
  });
  const options = { lengths: [2], samples: 2, rng: new Random(1) };
  for (const of of [model, withoutReads(model)]) {
    await expect(evaluate(of, task, options)).rejects.toMatchObject({ code: "CONFIG", message: expect.stringMatching(/batchFirst: true/) });
  }
});
