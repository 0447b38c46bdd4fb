// Threads share a step and change nothing: run on the built package, whose worker is a file of its own.
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { readCheckpoint, saveCheckpoint } from "../dist/files/index.js";
import { createModel, EngramError, type ModelType, type SDNCOptions } from "../dist/index.js";
import { Trainer, type TrainerOptions } from "../dist/train/index.js";
import { seeded, uniform } from "./random.js";

const trainers: Trainer[] = [];
afterEach(() => {
  for (const trainer of trainers.splice(0)) trainer.dispose();
});

const sizes = { inputSize: 3, hiddenSize: 12, numHiddenLayers: 1, nrCells: 6, cellSize: 5, readHeads: 2, seed: 3 };

function makeTrainer(options: TrainerOptions, type: ModelType = "dnc", model: Partial<SDNCOptions> = {}): Trainer {
  const trainer = new Trainer(createModel(type, { ...sizes, ...model }), { learningRate: 1e-2, ...options });
  trainers.push(trainer);
  return trainer;
}

function batchOf(B: number, T: number, seed: number) {
  const random = seeded(seed);
  const lengths = Array.from({ length: B }, (_, b) => 1 + ((b * 7 + seed) % T));
  return {
    input: { data: uniform(random, B * T * 3), shape: [B, T, 3] },
    target: { data: uniform(random, B * T * 3, 0, 1), shape: [B, T, 3] },
    lengths,
  };
}

async function train(trainer: Trainer, B: number, steps: number) {
  await trainer.ready();
  const losses = Array.from({ length: steps }, (_, i) => trainer.step(batchOf(B, 5, i)));
  return { losses, weights: [...trainer.model.stateDict()], moments: [...trainer.state().tensors] };
}

test.each([1, 7, 10, 32, 100])("batches of %i give the same bits with 1, 2 and 3 threads", async (B) => {
  const alone = await train(makeTrainer({}), B, 3);
  for (const threads of [2, 3]) expect(await train(makeTrainer({ threads }), B, 3)).toEqual(alone);
});

test.each(["sam", "sdnc"] as const)("a %s with dropout gives the same bits with 1 and 2 threads", async (type) => {
  const model = { numHiddenLayers: 2, dropout: 0.3, nrCells: 40, sparseReads: 3 };
  const alone = await train(makeTrainer({}, type, model), 17, 3);
  expect(await train(makeTrainer({ threads: 2 }, type, model), 17, 3)).toEqual(alone);
});

// More than 65,536 weights: their packing, sums and updates are shared too.
const wide = { hiddenSize: 104, numHiddenLayers: 2 };

test.each<[string, TrainerOptions, Partial<SDNCOptions>]>([
  ["widths that fill whole panels, a bounded norm", { clipGradNorm: 0.01 }, {}],
  ["odd widths, bounded gradients", { clipGradValue: 1e-4, optimizer: "sgd", momentum: 0.9 }, { hiddenSize: 101 }],
  [
    "groups that begin anywhere",
    {
      parameterGroups: [
        { parameters: /bias/, learningRate: 0.1 },
        { parameters: /weight_.*_l1$/, weightDecay: 1 },
      ],
    },
    {},
  ],
  ["batches that accumulate", { accumulate: 2, clipGradNorm: 0.1, optimizer: "rmsprop", centered: true }, {}],
])("many weights give the same bits with 1, 2 and 3 threads: %s", async (_, options, model) => {
  const alone = await train(makeTrainer(options, "dnc", { ...wide, ...model }), 9, 4);
  for (const threads of [2, 3]) {
    expect(await train(makeTrainer({ ...options, threads }, "dnc", { ...wide, ...model }), 9, 4)).toEqual(alone);
  }
});

test("an update of more parameter groups than threads can be told of is made by one", async () => {
  const model = { numLayers: 8, hiddenSize: 40 };
  const parameterGroups = [
    ...createModel("dnc", { ...sizes, ...model })
      .stateDict()
      .keys(),
  ].map((name, i) => ({
    parameters: [name],
    weightDecay: i / 1000,
  }));
  const alone = await train(makeTrainer({ parameterGroups }, "dnc", model), 9, 2);
  expect(await train(makeTrainer({ parameterGroups, threads: 2 }, "dnc", model), 9, 2)).toEqual(alone);
});

test("weights of more products than threads can share out are packed by one", async () => {
  const model = { numLayers: 32, numHiddenLayers: 4, hiddenSize: 8 }; // 322 products
  const alone = await train(makeTrainer({}, "dnc", model), 9, 2);
  expect(await train(makeTrainer({ threads: 2 }, "dnc", model), 9, 2)).toEqual(alone);
});

test("states carried from step to step stay with their thread, and give the same bits", async () => {
  const alone = await train(makeTrainer({ carryState: true }), 20, 3);
  expect(await train(makeTrainer({ carryState: true, threads: 3 }), 20, 3)).toEqual(alone);
});

test.each(["dnc", "sdnc"] as const)("states of a %s carried on are there whichever thread has them", async (type) => {
  const carry = (threads: number) => makeTrainer({ carryState: true, threads }, type, { nrCells: 9 });
  const step = (trainer: Trainer, i: number) => trainer.step(batchOf(20, 5, i));
  const alone = carry(1);
  const shared = carry(3);
  expect(step(shared, 0)).toEqual(step(alone, 0));
  await shared.ready(); // the states go to the workers
  expect(step(shared, 1)).toEqual(step(alone, 1));
  const bytes = Buffer.from(saveCheckpoint(shared)); // they are fetched
  expect(bytes.equals(saveCheckpoint(alone))).toBe(true);
  expect(step(shared, 2)).toEqual(step(alone, 2));
  shared.dispose(); // they come back
  expect(step(shared, 3)).toEqual(step(alone, 3));
  const { model, trainer: state } = readCheckpoint(bytes);
  const resumed = Trainer.resume(model, { learningRate: 1e-2, carryState: true, threads: 2 }, state);
  trainers.push(resumed);
  await resumed.ready();
  for (let i = 2; i < 4; i++) step(resumed, i);
  expect(Buffer.from(saveCheckpoint(resumed)).equals(saveCheckpoint(shared))).toBe(true);
});

test("steps taken while the threads start go on from the states carried on", async () => {
  const [alone, shared] = [makeTrainer({ carryState: true }), makeTrainer({ carryState: true, threads: 2 })];
  const step = (trainer: Trainer, i: number) => trainer.step(batchOf(20, 5, i));
  expect(step(shared, 0)).toEqual(step(alone, 0));
  const starting = shared.ready();
  expect(step(shared, 1)).toEqual(step(alone, 1));
  expect(Buffer.from(saveCheckpoint(shared)).equals(saveCheckpoint(alone))).toBe(true);
  await starting;
  expect(step(shared, 2)).toEqual(step(alone, 2));
});

test("threads that are ready only after dispose end at once", async () => {
  const workers: Worker[] = [];
  const createWorker = () => {
    const worker = new Worker(new URL("../dist/worker.js", import.meta.url));
    workers.push(worker);
    return worker;
  };
  const trainer = makeTrainer({ threads: 3, createWorker });
  const ready = trainer.ready();
  trainer.dispose();
  await ready;
  expect(workers).toHaveLength(2);
  for (const worker of workers) if (worker.threadId > 0) await new Promise((resolve) => worker.once("exit", resolve));
  expect(trainer.step(batchOf(9, 5, 1)).loss).toBeGreaterThan(0);
});

test("recompute with readouts of the whole sequence gives the same bits with 1 and 3 threads", async () => {
  for (const readout of ["sum", "last"] as const) {
    const make = (threads: number) => makeTrainer({ readout, threads, loss: "meanSquaredError" }, "dnc", { recompute: true });
    const [alone, shared] = [make(1), make(3)];
    await shared.ready();
    for (let i = 0; i < 3; i++) {
      const batch = { ...batchOf(40, 9, i), target: { data: uniform(seeded(i), 40), shape: [40] } };
      expect(shared.step(batch)).toEqual(alone.step(batch));
    }
    expect([...shared.model.stateDict()]).toEqual([...alone.model.stateDict()]);
  }
});

test("a batch of thousands with lengths reaches the workers", async () => {
  const [alone, shared] = [makeTrainer({}), makeTrainer({ threads: 2 })];
  await shared.ready();
  expect(shared.step(batchOf(9000, 3, 1))).toEqual(alone.step(batchOf(9000, 3, 1)));
});

test("a second step while one is under way is refused by name, and does not disturb it", async () => {
  const [alone, shared] = [makeTrainer({}), makeTrainer({ threads: 2 })];
  await shared.ready();
  const first = shared.stepAsync(batchOf(20, 5, 0));
  await new Promise((resolve) => setImmediate(resolve));
  const second = shared.stepAsync(batchOf(20, 5, 1)).catch((error: unknown) => error);
  expect(await first).toEqual(alone.step(batchOf(20, 5, 0)));
  const refused = await second;
  if (refused instanceof Error) expect(refused).toMatchObject({ code: "STATE", message: expect.stringMatching(/a step is under way/) });
});

test("stepAsync gives the bits of step", async () => {
  const alone = await train(makeTrainer({}), 20, 2);
  const trainer = makeTrainer({ threads: 2 });
  const losses = [await trainer.stepAsync(batchOf(20, 5, 0)), await trainer.stepAsync(batchOf(20, 5, 1))];
  expect({ losses, weights: [...trainer.model.stateDict()] }).toEqual({ losses: alone.losses, weights: alone.weights });
});

test("a model's views stay right when the trainer moves it to shared memory", async () => {
  const trainer = makeTrainer({ threads: 2 });
  const view = trainer.model.parameters().get("output.bias");
  const before = view?.data.slice();
  await trainer.ready();
  expect(view?.data).toEqual(before);
  trainer.step(batchOf(8, 5, 1));
  expect(view?.data).not.toEqual(before);
  expect(view?.data).toEqual(trainer.model.stateDict().get("output.bias")?.data);
});

/** Ends the worker during a step; what the step came to. On a busy machine it may not have begun on its part, and is not missed then. */
async function killDuringStep() {
  const workers: Worker[] = [];
  const createWorker = () => {
    const worker = new Worker(new URL("../dist/worker.js", import.meta.url));
    workers.push(worker);
    return worker;
  };
  const trainer = makeTrainer({ threads: 2, createWorker }, "dnc", { hiddenSize: 128, nrCells: 64 });
  await trainer.ready();
  const weights = [...trainer.model.stateDict()];
  const batch = batchOf(64, 60, 0);
  const step = trainer.stepAsync({ ...batch, lengths: undefined });
  setTimeout(() => workers[0]?.terminate(), 30);
  const error = await step.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { trainer, weights, batch, error };
}

test("a worker killed in the middle of a step gives an error within seconds, and the trainer goes on alone", async () => {
  let outcome = await killDuringStep();
  for (let tries = 1; tries < 8 && outcome.error === undefined; tries++) outcome = await killDuringStep();
  const { trainer, weights, batch, error } = outcome;
  expect(error).toBeInstanceOf(EngramError);
  expect((error as Error).message).toMatch(/worker thread stopped/);
  expect([...trainer.model.stateDict()]).toEqual(weights);
  expect(Number.isFinite(trainer.step(batch).loss)).toBe(true);
});

test("a worker file that is not there leaves one thread, and one clear note", async () => {
  const notes: string[] = [];
  const warn = console.warn;
  console.warn = (note: string) => notes.push(note);
  try {
    const createWorker = () => new Worker(new URL("../dist/nowhere.js", import.meta.url));
    const trainer = makeTrainer({ threads: 2, createWorker });
    await trainer.ready();
    await trainer.ready();
    expect(Number.isFinite(trainer.step(batchOf(8, 5, 1)).loss)).toBe(true);
  } finally {
    console.warn = warn;
  }
  expect(notes).toHaveLength(1);
  expect(notes[0]).toMatch(/one thread.*did not start/);
});
