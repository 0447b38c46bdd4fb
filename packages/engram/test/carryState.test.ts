// States carried from step to step are part of what a trainer needs to go on: resumed, it equals one that was never stopped.
import { describe, expect, test, vi } from "vitest";
import { EngramError } from "../src/errors.js";
import { readCheckpoint, saveCheckpoint } from "../src/files/index.js";
import { Staging } from "../src/models/core.js";
import type { ModelType, SDNCOptions } from "../src/models/options.js";
import { Trainer } from "../src/train/trainer.js";
import type { TrainerOptions } from "../src/train/trainerOptions.js";
import { modelTypes, randomTensor, smallModel } from "./wholeModels.js";

const options: TrainerOptions = { loss: "meanSquaredError", learningRate: 1e-2, carryState: true };
const makeTrainer = (type: ModelType, more: TrainerOptions = {}, own: Partial<SDNCOptions> = {}) =>
  new Trainer(smallModel(type, { nrCells: 9, ...own }), { ...options, ...more });
const batchOf = (B: number, T: number, seed: number) => ({
  input: randomTensor([B, T, 3], seed),
  target: randomTensor([B, T, 3], seed + 100),
  lengths: Array.from({ length: B }, (_, b) => 1 + ((3 * b + seed) % T)),
});

const sameBytes = (a: Trainer, b: Trainer) => Buffer.from(saveCheckpoint(a)).equals(saveCheckpoint(b));

/** The same trainer, gone on with from the bytes of a file. */
function fromBytes(trainer: Trainer, more: TrainerOptions = {}): Trainer {
  const { model, trainer: state } = readCheckpoint(saveCheckpoint(trainer));
  return Trainer.resume(model, { ...options, ...more }, state);
}

describe.each(modelTypes)("%s", (type) => {
  test.each([1, 9, 33])("a batch of %i goes on from its states, bit for bit, from a file at every step", (B) => {
    const more: TrainerOptions = { accumulate: 2, chunk: 3 };
    const own = { numLayers: 2, numHiddenLayers: 2, dropout: 0.2, shareMemory: B !== 9, readFeedback: B !== 33 };
    const whole = makeTrainer(type, more, own);
    let resumed = makeTrainer(type, more, own);
    for (let i = 0; i < 8; i++) {
      const batch = batchOf(B, 5, i);
      expect(resumed.step(batch), `step ${i}`).toEqual(whole.step(batch));
      resumed = fromBytes(resumed, more);
      expect(sameBytes(resumed, whole)).toBe(true);
    }
  });

  test("a state is a value: it holds what was carried when it was taken", () => {
    const trainer = makeTrainer(type);
    trainer.step(batchOf(5, 4, 0));
    const bytes = Buffer.from(saveCheckpoint(trainer));
    const state = trainer.state();
    const weights = trainer.model.stateDict();
    const next = trainer.step(batchOf(5, 4, 1));
    const model = smallModel(type, { nrCells: 9 });
    model.loadStateDict(weights);
    const resumed = Trainer.resume(model, options, state);
    expect(bytes.equals(saveCheckpoint(resumed))).toBe(true);
    expect(resumed.step(batchOf(5, 4, 1))).toEqual(next);
    expect(() => resumed.step(batchOf(4, 4, 1))).toThrow(/batch size 5, the input's is 4/);
  });

  test("nothing is carried before the first step, after resetState, and without carryState", () => {
    const trainer = makeTrainer(type);
    const names = () => [...trainer.state().tensors.keys()].filter((name) => name.startsWith("carried."));
    expect(names()).toEqual([]);
    trainer.step(batchOf(5, 4, 0));
    expect(trainer.state().carriedBatch).toBe(5);
    expect(names()).toContain("carried.read_vectors");
    trainer.resetState();
    expect(names()).toEqual([]);
    const resumed = fromBytes(trainer);
    expect(resumed.step(batchOf(3, 4, 1))).toEqual(trainer.step(batchOf(3, 4, 1)));
    const without = makeTrainer(type, { carryState: false });
    without.step(batchOf(5, 4, 0));
    expect(without.state()).not.toHaveProperty("carriedBatch");
  });
});

test("a batch that there is no memory for leaves what is carried on, or forgotten, as it was", () => {
  const [trainer, twin] = [makeTrainer("dnc"), makeTrainer("dnc")];
  for (const each of [trainer, twin]) each.step(batchOf(5, 4, 0));
  trainer.resetState();
  twin.resetState();
  const put = vi.spyOn(Staging.prototype, "put").mockReturnValueOnce(0); // the input
  put.mockImplementationOnce(() => {
    throw new EngramError("too little memory", "ENGINE");
  });
  const large = { input: randomTensor([9, 4, 3], 1), target: randomTensor([9, 4, 3], 2) };
  expect(() => trainer.step(large)).toThrow("too little memory");
  put.mockRestore();
  expect(trainer.step(batchOf(5, 4, 1))).toEqual(twin.step(batchOf(5, 4, 1)));
});

test("a sparse memory of millions of cells is written as what was touched", () => {
  const own = { nrCells: 2 ** 24 };
  const whole = makeTrainer("sam", {}, own);
  whole.step(batchOf(4, 6, 0));
  expect(saveCheckpoint(whole).length).toBeLessThan(100_000);
  const resumed = fromBytes(whole);
  for (let i = 1; i < 4; i++) expect(resumed.step(batchOf(4, 6, i))).toEqual(whole.step(batchOf(4, 6, i)));
});

describe("states that do not fit", () => {
  const trainer = makeTrainer("sam");
  trainer.step(batchOf(5, 4, 0));
  const state = trainer.state();
  const resume = (changed: object) => () => Trainer.resume(smallModel("sam", { nrCells: 9 }), options, { ...state, ...changed });

  test.each([
    ["another batch size", { carriedBatch: 4 }],
    ["a tensor missing", { tensors: new Map([...state.tensors].filter(([name]) => name !== "carried.read_vectors")) }],
    ["positions without values", { tensors: new Map([...state.tensors].filter(([name]) => !name.endsWith("memory.values"))) }],
    ["nothing at all", { tensors: new Map([...state.tensors].filter(([name]) => !name.startsWith("carried."))) }],
  ])("%s is a CheckpointError", (_, changed) => {
    expect(resume(changed)).toThrow(expect.objectContaining({ code: "CHECKPOINT", message: expect.stringMatching(/states carried on/) }));
  });
});
