// Trainer.step is forward, loss, backward, clip and update, and nothing else: what it gives is compared with the same done by hand.
import { describe, expect, test, vi } from "vitest";
import { EngramError } from "../src/errors.js";
import { readCheckpoint, saveCheckpoint } from "../src/files/index.js";
import type { Model } from "../src/models/model.js";
import type { ModelType, SDNCOptions } from "../src/models/options.js";
import type { State } from "../src/models/state.js";
import type { Tensor } from "../src/tensor.js";
import { LaneRunner } from "../src/train/laneRunner.js";
import { optimizerNames } from "../src/train/optimizers.js";
import { Trainer } from "../src/train/trainer.js";
import type { TrainerOptions } from "../src/train/trainerOptions.js";
import type { TrainerState } from "../src/train/trainerState.js";
import type { TrainingBatch } from "../src/train/trainingBatch.js";
import { bits, elementsOf, gradientsOf, modelTypes, randomTensor, smallModel } from "./wholeModels.js";

const f = Math.fround;

interface Weighted {
  readonly input: Tensor;
  readonly target: Tensor;
  readonly mask?: Tensor;
  readonly lengths?: number[];
}

/** A batch of B sequences of T steps; `kind` says which of mask and lengths it has. */
function makeBatch(B: number, T: number, seed: number, kind: "plain" | "mask" | "wide mask" | "lengths" = "plain"): Weighted {
  const batch = { input: randomTensor([B, T, 3], seed), target: randomTensor([B, T, 3], seed + 100) };
  if (kind === "mask") return { ...batch, mask: binary(randomTensor([B, T], seed + 200)) };
  if (kind === "wide mask") return { ...batch, mask: randomTensor([B, T, 3], seed + 200, 0, 2) };
  if (kind === "lengths") return { ...batch, lengths: Array.from({ length: B }, (_, b) => 1 + ((3 * b + seed) % T)) };
  return batch;
}

const binary = ({ data, shape }: Tensor): Tensor => ({ data: data.map((x) => (x > 0 ? 1 : 0)), shape });

/** The weight of each output value. */
function weightsOf({ target, mask, lengths }: Weighted): number[] {
  const [, T, O] = target.shape as [number, number, number];
  return Array.from(target.data, (_, i) => {
    const row = Math.floor(i / O);
    if (lengths !== undefined && row % T >= (lengths[Math.floor(row / T)] as number)) return 0;
    if (mask === undefined) return 1;
    return mask.data[mask.data.length === target.data.length ? i : row] as number;
  });
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Mean squared error and its gradient, in float32 in the order of kernels/losses.ts. */
function meanSquaredError(output: Tensor, batch: Weighted, updates: number) {
  const weights = weightsOf(batch);
  const scale = f(1 / (sum(weights) * updates));
  const errors = output.data.map((y, i) => y - (batch.target.data[i] as number));
  const data = errors.map((error, i) => f(error * f(2 * scale)) * (weights[i] as number));
  return { loss: sum(weights.map((m, i) => m * (errors[i] as number) ** 2)) / sum(weights), gradient: { data, shape: output.shape } };
}

/** Forward, loss and backward by hand: adds to the gradients. */
function goThrough(model: Model, batch: Weighted, updates = 1, state?: State) {
  const result = model.forward(batch.input, state, batch.lengths && { lengths: batch.lengths });
  const { loss, gradient } = meanSquaredError(result.output, batch, updates);
  model.backward(gradient);
  return { loss, state: result.state };
}

const makeTrainer = (type: ModelType, options: TrainerOptions = {}, own: Partial<SDNCOptions> = {}) =>
  new Trainer(smallModel(type, own), { loss: "meanSquaredError", learningRate: 1e-2, ...options });

describe.each(modelTypes)("%s", (type) => {
  test.each([1, 9, 33] as const)("step on a batch of %i is forward, backward and update, bit for bit", (B) => {
    const own = { numHiddenLayers: 2, dropout: 0.2 };
    const [trainer, byHand] = [makeTrainer(type, {}, own), makeTrainer(type, {}, own)];
    for (const [i, kind] of (["plain", "mask", "wide mask", "lengths"] as const).entries()) {
      const batch = makeBatch(B, 4, i, kind);
      const { loss, gradNorm } = trainer.step(batch);
      byHand.model.zeroGrad();
      const want = goThrough(byHand.model, batch);
      expect(bits(gradientsOf(trainer.model))).toEqual(bits(gradientsOf(byHand.model)));
      expect(byHand.update().gradNorm).toBe(gradNorm);
      expect(bits(trainer.model.stateDict())).toEqual(bits(byHand.model.stateDict()));
      expect(loss).toBeCloseTo(want.loss, 6); // the kernel squares in float32
    }
  });

  test("accumulate averages the gradients of batches of one update", () => {
    const [trainer, byHand] = [makeTrainer(type, { accumulate: 3 }), makeTrainer(type)];
    const before = bits(trainer.model.stateDict());
    for (let i = 0; i < 6; i++) {
      if (i % 3 === 0) byHand.model.zeroGrad();
      trainer.step(makeBatch(9, 3, i));
      goThrough(byHand.model, makeBatch(9, 3, i), 3);
      if (i < 2) expect(bits(trainer.model.stateDict())).toEqual(before);
      if (i % 3 === 2) byHand.update();
      expect(bits(trainer.model.stateDict())).toEqual(bits(byHand.model.stateDict()));
    }
  });

  test("carryState goes on from the last state until resetState, and refuses another batch size", () => {
    const [trainer, byHand] = [makeTrainer(type, { carryState: true }), makeTrainer(type)];
    let state: State | undefined;
    for (let i = 0; i < 5; i++) {
      if (i === 3) {
        trainer.resetState();
        state = undefined;
      }
      trainer.step(makeBatch(9, 3, i));
      byHand.model.zeroGrad();
      state = goThrough(byHand.model, makeBatch(9, 3, i), 1, state).state;
      byHand.update();
      expect(bits(trainer.model.stateDict())).toEqual(bits(byHand.model.stateDict()));
    }
    expect(() => trainer.step(makeBatch(5, 3, 9))).toThrow(/batch size 9, the input's is 5; call resetState/);
    trainer.resetState();
    trainer.step(makeBatch(5, 3, 9));
  });

  test("chunk cuts gradients at the border and nothing else", () => {
    const [trainer, byHand] = [makeTrainer(type, { chunk: 3 }), makeTrainer(type)];
    const batch = makeBatch(5, 8, 1);
    const { loss } = trainer.step(batch);
    let state: State | undefined;
    const outputs: Tensor[] = [];
    const whole = smallModel(type).eval().forward(batch.input).output;
    const { loss: want, gradient } = meanSquaredError(whole, batch, 1);
    for (const [from, count] of [
      [0, 3],
      [3, 3],
      [6, 2],
    ] as const) {
      const result = byHand.model.forward(elementsOf(batch.input, from, count, 1), state);
      byHand.model.backward(elementsOf(gradient, from, count, 1));
      state = result.state;
      outputs.push(result.output);
    }
    byHand.update();
    expect(loss).toBeCloseTo(want, 6);
    expect(bits(trainer.model.stateDict())).toEqual(bits(byHand.model.stateDict()));
  });

  test("chunks that begin after every sequence has ended add nothing", () => {
    const [long, short] = [makeTrainer(type, { chunk: 3 }), makeTrainer(type, { chunk: 3 })];
    const lengths = [3, 1, 2];
    const batch = makeBatch(3, 8, 1);
    const firstSteps = { input: elementsOf(batch.input, 0, 3, 1), target: elementsOf(batch.target, 0, 3, 1), lengths };
    expect(long.step({ ...batch, lengths })).toEqual(short.step(firstSteps));
    expect(bits(long.model.stateDict())).toEqual(bits(short.model.stateDict()));
  });

  test("recompute trains as without it, up to the order of float32 sums", () => {
    const [plain, again] = [
      makeTrainer(type, {}, { dropout: 0.2, numHiddenLayers: 2 }),
      makeTrainer(type, {}, { recompute: true, dropout: 0.2, numHiddenLayers: 2 }),
    ];
    const batch = makeBatch(5, 10, 1, "lengths");
    expect(again.step(batch).loss).toBeCloseTo(plain.step(batch).loss, 6);
    const gradients = gradientsOf(again.model);
    for (const [name, { data }] of gradientsOf(plain.model)) expect(gradients.get(name)?.data, name).toBeClose(data, { rtol: 5e-6 });
  });

  test.each(["sum", "last"] as const)("recompute with readout '%s' too, where sequences end in different passes", (readout) => {
    const options: TrainerOptions = { readout };
    const [plain, again] = [makeTrainer(type, options), makeTrainer(type, options, { recompute: true })];
    for (const [seed, kind] of (["plain", "lengths"] as const).entries()) {
      const batch = makeBatch(9, 10, seed, kind);
      const whole = { ...batch, target: randomTensor([9], seed + 5), mask: randomTensor([9], seed + 6, 0, 2) };
      expect(again.step(whole).loss).toBeCloseTo(plain.step(whole).loss, 6);
      const gradients = gradientsOf(again.model);
      // The weights differ in their last bits after the first update, and so do the gradients after it.
      for (const [name, { data }] of gradientsOf(plain.model)) expect(gradients.get(name)?.data, name).toBeClose(data, { rtol: 5e-5 });
    }
  });

  test("a resumed trainer goes on as one that was never stopped, bit for bit", () => {
    const own = { numHiddenLayers: 2, dropout: 0.3 };
    for (const optimizer of optimizerNames) {
      const options: TrainerOptions = {
        optimizer,
        loss: "meanSquaredError",
        accumulate: 2,
        clipGradNorm: 1,
        schedule: { type: "cosine", steps: 20 },
        parameterGroups: [{ parameters: /bias/, weightDecay: 0.1 }],
      };
      if (optimizer === "adamw") options.accumulate = 1;
      const trainer = new Trainer(smallModel(type, own), options);
      for (let i = 0; i < 5; i++) trainer.step(makeBatch(9, 3, i, "lengths"));
      const { model, trainer: state } = readCheckpoint(saveCheckpoint(trainer));
      const resumed = Trainer.resume(model, options, state);
      expect(resumed.stepCount).toBe(5);
      for (let i = 5; i < 8; i++) expect(resumed.step(makeBatch(9, 3, i))).toEqual(trainer.step(makeBatch(9, 3, i)));
      expect(saveCheckpoint(resumed)).toEqual(saveCheckpoint(trainer));
    }
  });
});

test("two runs from the same seeds give byte-identical checkpoints, and another seed another one", () => {
  const run = (seed: number) => {
    const trainer = makeTrainer("dnc", { clipGradNorm: 0.5 }, { seed, dropout: 0.1, numHiddenLayers: 2 });
    for (let i = 0; i < 20; i++) trainer.step(makeBatch(10, 2 + (i % 4), i));
    return saveCheckpoint(trainer);
  };
  const first = run(1);
  expect(run(1)).toEqual(first);
  expect(run(2)).not.toEqual(first);
});

describe("clipping", () => {
  const batch = makeBatch(3, 4, 1);
  const step = (options: TrainerOptions) => {
    const trainer = makeTrainer("dnc", { optimizer: "sgd", learningRate: 0, ...options });
    const { gradNorm } = trainer.step(batch);
    return { gradNorm, gradients: gradientsOf(trainer.model) };
  };
  const normOf = (gradients: ReadonlyMap<string, Tensor>) =>
    Math.sqrt([...gradients.values()].reduce((total, { data }) => total + data.reduce((s, g) => s + g * g, 0), 0));
  const free = step({});

  test("clipGradNorm scales all gradients by max / (norm + 1e-6) where that is below 1, and reports the norm before", () => {
    const bound = free.gradNorm / 3;
    const { gradNorm, gradients } = step({ clipGradNorm: bound });
    expect(gradNorm).toBe(free.gradNorm);
    expect(free.gradNorm).toBeCloseTo(normOf(free.gradients), 6);
    expect(normOf(gradients) / bound).toBeCloseTo(1, 4);
    const share = f(bound / (free.gradNorm + 1e-6));
    for (const [name, { data }] of free.gradients) expect(gradients.get(name)?.data, name).toEqual(data.map((g) => g * share));
    expect(bits(step({ clipGradNorm: 2 * free.gradNorm }).gradients)).toEqual(bits(free.gradients));
  });

  test("clipGradValue clamps each gradient", () => {
    const { gradients } = step({ clipGradValue: 1e-3 });
    const bound = f(1e-3);
    for (const [name, { data }] of free.gradients) {
      expect(gradients.get(name)?.data, name).toEqual(data.map((g) => Math.min(bound, Math.max(-bound, g))));
    }
  });
});

describe("a batch that does not fit", () => {
  const good = makeBatch(2, 3, 1);
  const anything = (value: unknown) => value as TrainingBatch;
  const tensor = (shape: number[]) => randomTensor(shape, 1);
  const cases: [string, TrainingBatch, RegExp][] = [
    ["nothing", anything(undefined), /Trainer\.step: expected \{ input, target \}, got undefined/],
    ["no input", anything({ target: good.target }), /Trainer\.step: input.*\[B, T, X\].*got undefined/],
    ["no target", anything({ input: good.input }), /Trainer\.step: target.*\[B, T, O\].*got undefined/],
    ["a target of another shape", { ...good, target: tensor([2, 4, 3]) }, /Trainer\.step: target.*\[2, 3, 3\].*got \[2, 4, 3\]/],
    ["a target of another rank", { ...good, target: tensor([2]) }, /Trainer\.step: target.*got \[2\]/],
    ["a mask of another shape", { ...good, mask: tensor([3, 2]) }, /Trainer\.step: mask.*\[2, 3\].*got \[3, 2\]/],
    [
      "a mask of zeros",
      { ...good, mask: { data: new Float32Array(6), shape: [2, 3] } },
      /Trainer\.step: the mask's values must add up to more than 0/,
    ],
    [
      "a NaN in the target",
      { ...good, target: { data: new Float32Array(18).fill(Number.NaN), shape: [2, 3, 3] } },
      /target must be finite.*\[0, 0, 0\] is NaN/,
    ],
    [
      "a NaN in the input",
      { ...good, input: { data: new Float32Array(18).fill(Number.NaN), shape: [2, 3, 3] } },
      /input must be finite.*NaN at \[0, 0, 0\]/,
    ],
    [
      "an infinite mask",
      { ...good, mask: { data: new Float32Array(6).fill(Number.POSITIVE_INFINITY), shape: [2, 3] } },
      /mask must be finite/,
    ],
    ["lengths out of range", { ...good, lengths: [3, 4] }, /Trainer\.step: lengths.*T = 3.*got 4 at \[1\]/],
    ["no steps", { ...good, input: { data: new Float32Array(0), shape: [2, 0, 3] } }, /input: T must be at least 1/],
  ];

  test.each(cases)("%s is refused by name, and the next step is as if it had not been asked for", (_what, batch, message) => {
    const [trainer, witness] = [makeTrainer("dnc", { carryState: true }), makeTrainer("dnc", { carryState: true })];
    for (const each of [trainer, witness]) each.step(good);
    expect(() => trainer.step(batch)).toThrow(message);
    expect(() => trainer.step(batch)).toThrow(expect.objectContaining({ code: "SHAPE" }));
    expect(trainer.step(good)).toEqual(witness.step(good));
    expect(saveCheckpoint(trainer)).toEqual(saveCheckpoint(witness));
  });

  test("a learning rate that is none is refused", () => {
    const trainer = makeTrainer("dnc");
    for (const rate of [Number.NaN, -1, Number.POSITIVE_INFINITY, "fast", undefined]) {
      expect(() => {
        trainer.learningRate = rate as number;
      }).toThrow(/learningRate must be a finite number of 0 or more/);
    }
    expect(trainer.learningRate).toBe(1e-2);
    trainer.learningRate = 0.5;
    expect(trainer.learningRate).toBe(0.5);
  });
});

test("what a step that failed half way added to the gradients is in no update", () => {
  const [trainer, twin] = [makeTrainer("dnc", { accumulate: 2 }), makeTrainer("dnc", { accumulate: 2 })];
  trainer.step(makeBatch(2, 3, 1));
  const { run } = LaneRunner.prototype;
  const failing = vi.spyOn(LaneRunner.prototype, "run").mockImplementationOnce(function (this: LaneRunner, ...given) {
    run.apply(this, given);
    throw new EngramError("too little memory", "ENGINE");
  });
  expect(() => trainer.step(makeBatch(2, 3, 2))).toThrow("too little memory");
  failing.mockRestore();
  for (const seed of [3, 4]) expect(trainer.step(makeBatch(2, 3, seed))).toEqual(twin.step(makeBatch(2, 3, seed)));
  expect(bits(trainer.model.stateDict())).toEqual(bits(twin.model.stateDict()));
});

describe("what a trainer can't be made from", () => {
  const trainer = makeTrainer("dnc", { accumulate: 3 });
  trainer.step(makeBatch(2, 3, 1));
  const state = trainer.state();
  const options: TrainerOptions = { loss: "meanSquaredError", accumulate: 3 };
  const cases: [string, object | undefined, TrainerOptions, RegExp][] = [
    ["nothing", undefined, options, /must be what trainer\.state\(\)/],
    ["text read back", JSON.parse(JSON.stringify(state)) as object, options, /with a Map of tensors/],
    ["a step that is none", { ...state, step: -1 }, options, /step must be a whole number of 0 or more, got -1/],
    ["half a forward", { ...state, forwards: 1.5 }, options, /forwards must be a whole number/],
    ["a rate that is none", { ...state, learningRate: "fast" }, options, /learningRate must be a finite number/],
    ["another accumulate", state, { ...options, accumulate: 1 }, /has 1 batches accumulated, this trainer updates every 1/],
    ["another optimizer", state, { ...options, optimizer: "adamw" }, /is that of 'adam', this trainer uses 'adamw'/],
    ["other moments", state, { ...options, optimizer: "rmsprop" }, /lacks square_avg\./],
  ];
  test.each(cases)("%s: a CheckpointError", (_, from, given, message) => {
    const model = smallModel("dnc");
    const before = model.memoryUsage().total;
    const resume = () => Trainer.resume(model, given, from as TrainerState);
    expect(resume).toThrow(message);
    expect(resume).toThrow(expect.objectContaining({ code: "CHECKPOINT" }));
    expect(model.memoryUsage().total).toBe(before);
  });

  test.each([
    [() => new Trainer({} as Model), /the model must be a DNC, SAM or SDNC/],
    [() => new Trainer(smallModel("dnc"), null as unknown as TrainerOptions), /the options must be an object, got null/],
    [() => new Trainer(smallModel("dnc"), { lr: 1 } as TrainerOptions), /unknown trainer option 'lr'; did you mean 'learningRate'\?/],
  ])("no model, no options, PyTorch's name of one: a ConfigError", (make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ code: "CONFIG" }));
  });
});
