// Memory stays flat in one synchronous loop, in which no finalizer and no other task has a turn.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { State } from "../src/models/state.js";
import { Trainer } from "../src/train/trainer.js";
import { modelTypes, randomTensor, smallModel } from "./wholeModels.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes that are held on to: JavaScript's, and those of typed arrays and WebAssembly memories. */
function bytesHeld(): number {
  collectGarbage();
  collectGarbage(); // what the first one found free of references may have held more
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The growth of what is held over `run`, after a first one to warm up. */
function growth(run: () => void): number {
  run();
  const before = bytesHeld();
  run();
  return bytesHeld() - before;
}

/** Compiled code, inline caches and vitest's own notes come and go by some hundred kilobytes. */
const NOISE = 2 * 2 ** 20;

const tiny = { inputSize: 1, hiddenSize: 1, nrCells: 1, cellSize: 1, readHeads: 1, sparseReads: 1 };

describe.each(modelTypes)("%s", (type) => {
  const forwards = type === "dnc" ? 100_000 : 30_000;

  test(`${forwards} forwards take no more memory than the first few`, () => {
    const model = smallModel(type, tiny);
    const input = randomTensor([1, 1, 1], 1);
    let state = model.forward(input).state;
    state = model.forward(input, state).state;
    const { total, peak } = model.memoryUsage();
    const grown = growth(() => {
      for (let i = 0; i < forwards / 2; i++) state = model.forward(input, i % 100 === 0 ? undefined : state).state;
    });
    expect(model.memoryUsage()).toMatchObject({ total, peak });
    expect(grown).toBeLessThan(NOISE);
    expect(State.from(model, state.tensors()).batchSize).toBe(1);
  });

  test("10,000 forwards and backwards take no more memory than the first few", () => {
    const model = smallModel(type);
    const input = randomTensor([2, 2, 3], 1);
    const grown = growth(() => {
      for (let i = 0; i < 5000; i++) {
        model.forward(input);
        model.backward(input);
      }
    });
    expect(grown).toBeLessThan(NOISE);
  });

  test("1,000 interleaved streaming states take what they hold, and the engine no more than for one", () => {
    const model = smallModel(type, { nrCells: 8 });
    const input = randomTensor([1, 3], 1);
    const states = Array.from({ length: 1000 }, () => model.initialState(1));
    const round = () => {
      for (const state of states) model.step(input, state);
    };
    for (let i = 0; i < 10; i++) round();
    const usage = model.memoryUsage();
    expect(growth(round)).toBeLessThan(NOISE);
    expect(model.memoryUsage()).toEqual(usage);
  });

  test("training steps of ever other lengths and batch sizes take no more memory once all were seen", () => {
    const trainer = new Trainer(smallModel(type), { learningRate: 1e-3 });
    const shapes = Array.from({ length: 40 }, (_, i) => [1 + ((i * 7) % 20), 1 + ((i * 3) % 11)] as const);
    const step = ([B, T]: readonly [number, number]) => {
      const [input, target] = [randomTensor([B, T, 3], B), randomTensor([B, T, 3], T)];
      trainer.step({ input, target });
      trainer.step({ input, target, lengths: Array.from({ length: B }, (_, b) => 1 + (b % T)) });
      trainer.model.forward(input, undefined, { lengths: Array(B).fill(T) });
      trainer.model.backward(target);
    };
    for (let round = 0; round < 2; round++) for (const shape of shapes) step(shape);
    const { total, peak } = trainer.model.memoryUsage();
    for (let round = 0; round < 3; round++) for (const shape of shapes) step(shape);
    expect(trainer.model.memoryUsage()).toMatchObject({ total, peak });
  });

  test("dispose gives back what a model held, whatever it was doing", () => {
    const model = smallModel(type, { maxTapes: 3 });
    for (const T of [3, 50, 7]) model.forward(randomTensor([9, T, 3], T));
    model.step(randomTensor([2, 3], 1), model.initialState(2));
    const weights = model.memoryUsage().weights;
    model.dispose();
    expect(model.memoryUsage().sequences).toBe(0);
    expect(model.memoryUsage().total).toBeLessThan(20 * weights + 2 ** 16);
  });
});

test("memory after training step 10,000 is that after step 10, and everything is finite", () => {
  const trainer = new Trainer(smallModel("dnc"), { learningRate: 1e-2, clipGradNorm: 10 });
  const [input, target] = [randomTensor([2, 4, 3], 1), randomTensor([2, 4, 3], 2, 0, 1)];
  const edges = [input, { ...input, data: input.data.map(() => 0) }, { ...input, data: input.data.map((x) => 1e4 * x) }];
  const train = (steps: number) => {
    for (let i = 0; i < steps; i++) trainer.step({ input: edges[i % 3] as typeof input, target });
  };
  train(10);
  const usage = trainer.model.memoryUsage();
  expect(growth(() => train(4995))).toBeLessThan(NOISE);
  expect(trainer.stepCount).toBe(10_000);
  expect(trainer.model.memoryUsage()).toEqual(usage);
  for (const [name, { data }] of trainer.model.stateDict()) expect(data.every(Number.isFinite), name).toBe(true);
});

test("1,000 models made and dropped without dispose leave nothing behind", () => {
  const input = randomTensor([1, 2, 3], 1);
  const grown = growth(() => {
    for (let i = 0; i < 1000; i++) smallModel("dnc", { seed: i }).forward(input);
  });
  expect(grown).toBeLessThan(NOISE);
});

test("a state that is kept holds its own bytes, and not the memory of the model that made it", () => {
  const states = Array.from({ length: 200 }, (_, i) => {
    const model = smallModel("dnc", { seed: i });
    const { state } = model.forward(randomTensor([1, 2, 3], 1));
    model.forward(randomTensor([1, 2, 3], 2)); // until then it lies in the engine
    return state;
  });
  const held = bytesHeld();
  const bytes = states.flatMap((state) => [...state.tensors().values()].map(({ data }) => data.byteLength));
  states.length = 0;
  // A model's memory is 64 KiB and more; a state's descriptions of its layout come to a few.
  expect(held - bytesHeld()).toBeLessThan(bytes.reduce((a, b) => a + b, 0) + 200 * 2 ** 14);
});
