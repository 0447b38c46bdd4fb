import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CheckpointError, ConfigError } from "../errors.js";
import { createModel, modelTypes } from "../models/createModel.js";
import { DNC } from "../models/dnc.js";
import type { Model } from "../models/model.js";
import type { DNCOptions } from "../models/options.js";
import { Random } from "../random.js";
import { createTask } from "../tasks/index.js";
import type { Tensor } from "../tensor.js";
import { Trainer, type TrainerOptions } from "../train/index.js";
import { loadModel, loadPyTorchWeights, readCheckpoint, readSafetensors, saveCheckpoint, saveModel, writeSafetensors } from "./index.js";

const options = { inputSize: 4, outputSize: 3, hiddenSize: 5, nrCells: 3, cellSize: 2, readHeads: 1, numHiddenLayers: 1, seed: 3 } as const;
const task = createTask("copy", { inputSize: 4 });

function expectSameWeights(got: Model, want: Model): void {
  expect([...got.stateDict()]).toEqual([...want.stateDict()]);
}

/** A file with one piece of its metadata changed. */
function withMetadata(bytes: Uint8Array, changes: Record<string, string>): Uint8Array {
  const { tensors, metadata } = readSafetensors(bytes);
  return writeSafetensors(tensors, { ...metadata, ...changes });
}

describe("saveModel and loadModel", () => {
  test("give a model of the same class, options and weights, that computes the same bits", () => {
    const model = new DNC({ ...options, rnnType: "gru", shareMemory: false, numLayers: 2, readFeedback: false });
    const loaded = loadModel(saveModel(model));
    expect(loaded).toBeInstanceOf(DNC);
    expect(loaded.config).toEqual(model.config);
    expectSameWeights(loaded, model);
    const { input } = task.batch(new Random(1), 2, 3);
    expect(loaded.eval().forward(input).output).toEqual(model.eval().forward(input).output);
  });

  test.each(modelTypes)("every kind of model: %s", (type) => {
    const model = createModel(type, { ...options, nrCells: 20, ...(type === "dnc" ? {} : { sparseReads: 2 }) });
    const loaded = loadModel(saveModel(model));
    expect(loaded.constructor).toBe(model.constructor);
    expect(loaded.config).toEqual(model.config);
    expectSameWeights(loaded, model);
  });

  test("the same model gives the same bytes", () => {
    expect(saveModel(new DNC(options))).toEqual(saveModel(new DNC(options)));
  });

  test("options that do not shape the weights may be changed on loading, others not", () => {
    const bytes = saveModel(new DNC(options));
    expect(loadModel(bytes, { debug: true }).config.debug).toBe(true);
    expect(loadModel(bytes, { nrCells: 7 }).config.nrCells).toBe(7);
    expect(() => loadModel(bytes, { cellSize: 4 })).toThrow(CheckpointError);
    expect(() => loadModel(bytes, { dropout: 2 })).toThrow(ConfigError);
  });

  test("a model that holds NaN is not written", () => {
    const model = new DNC(options);
    const { data } = model.parameters().get("output.bias") as Tensor;
    data[1] = Number.NaN;
    expect(() => saveModel(model)).toThrow(/"output\.bias": value 1 is NaN/);
  });

  test.each([
    ["another program's file", writeSafetensors(new Map()), /run\.st: this is a safetensors file of another program/],
    [
      "a version of the future",
      withMetadata(saveModel(new DNC(options)), { version: "2" }),
      /version 2 of engram-model, this one reads up to 1; upgrade/,
    ],
    ["no version", withMetadata(saveModel(new DNC(options)), { version: "x" }), /corrupt: its version is x/],
    ["an unknown kind", withMetadata(saveModel(new DNC(options)), { model: "ntm" }), /a model of kind 'ntm'/],
    ["options that are no JSON", withMetadata(saveModel(new DNC(options)), { config: "{" }), /the config in its metadata is not JSON/],
    ["options that can't be", withMetadata(saveModel(new DNC(options)), { config: '{"inputSize":0}' }), /run\.st: .*inputSize|hiddenSize/],
    [
      "options of other weights",
      withMetadata(saveModel(new DNC(options)), { config: '{"inputSize":4,"hiddenSize":8}' }),
      /run\.st: .*(missing|wrong shape)/,
    ],
    [
      "a model that no memory holds",
      withMetadata(saveModel(new DNC(options)), { config: '{"inputSize":3,"hiddenSize":2000000}' }),
      /run\.st: .*MiB/,
    ],
    ["half a file", saveModel(new DNC(options)).subarray(0, 999), /truncated/],
  ])("%s is refused with a CheckpointError that says so", (_, bytes, message) => {
    expect(() => loadModel(bytes, {}, "run.st")).toThrow(CheckpointError);
    expect(() => loadModel(bytes, {}, "run.st")).toThrow(message);
  });
});

describe("saveCheckpoint and readCheckpoint", () => {
  const trainerOptions: TrainerOptions = { learningRate: 0.01, clipGradNorm: 5 };
  const train = (trainer: Trainer, rng: Random, steps: number) => {
    for (let i = 0; i < steps; i++) trainer.step(task.batch(rng, 3, 1 + (i % 3)));
  };

  test.each<[string, DNCOptions, TrainerOptions]>([
    ["Adam", options, trainerOptions],
    ["with dropout", { ...options, numHiddenLayers: 2, dropout: 0.4 }, trainerOptions],
    ["RMSprop with momentum", options, { ...trainerOptions, optimizer: "rmsprop", momentum: 0.9, centered: true }],
    ["in the middle of accumulated batches", options, { ...trainerOptions, accumulate: 4 }],
  ])("training goes on from one to the bit: %s", (_, modelOptions, settings) => {
    const whole = new Trainer(new DNC(modelOptions), settings);
    const rng = new Random(9);
    train(whole, rng, 6);
    const bytes = saveCheckpoint(whole, { random: rng.state() });
    train(whole, rng, 6);

    const { model, trainer, run } = readCheckpoint(bytes);
    const resumed = Trainer.resume(model, settings, trainer);
    train(resumed, Random.from((run as { random: ReturnType<Random["state"]> }).random), 6);
    expectSameWeights(model, whole.model);
    expect(saveCheckpoint(resumed)).toEqual(saveCheckpoint(whole));
  });

  test("holds weights by name, the optimizer's under optimizer., and all the rest as JSON", () => {
    const trainer = new Trainer(new DNC(options), trainerOptions);
    train(trainer, new Random(1), 1);
    const { tensors, metadata } = readSafetensors(saveCheckpoint(trainer, { note: "x" }));
    const weights = [...trainer.model.stateDict().keys()];
    expect([...tensors.keys()]).toEqual([
      ...weights,
      ...["exp_avg", "exp_avg_sq"].flatMap((moment) => weights.map((name) => `optimizer.${moment}.${name}`)),
    ]);
    expect(metadata).toMatchObject({ format: "engram-checkpoint", version: "1", model: "dnc", run: '{"note":"x"}' });
    expect(JSON.parse(metadata.config as string)).toMatchObject(options);
    expect(JSON.parse(metadata.trainer as string)).toMatchObject({ step: 1, learningRate: 0.01 });
  });

  test("loadModel reads the model from a checkpoint, readCheckpoint no model alone", () => {
    const trainer = new Trainer(new DNC(options), trainerOptions);
    train(trainer, new Random(1), 1);
    expectSameWeights(loadModel(saveCheckpoint(trainer)), trainer.model);
    expect(readCheckpoint(saveCheckpoint(trainer)).run).toBeUndefined();
    expect(() => readCheckpoint(saveModel(trainer.model))).toThrow(/a file of format engram-model, expected engram-checkpoint/);
  });

  test("numbers that are not finite are not written", () => {
    const trainer = new Trainer(new DNC(options), trainerOptions);
    expect(() => saveCheckpoint(trainer, { loss: Number.NaN })).toThrow(/run: loss is NaN/);
    expect(() => saveCheckpoint(trainer, { count: 1n })).toThrow(/saveCheckpoint: run must be plain JSON/);
  });

  test("a checkpoint without its trainer, or cut or changed anywhere, is a CheckpointError", () => {
    const trainer = new Trainer(new DNC(options), trainerOptions);
    train(trainer, new Random(1), 1);
    const bytes = saveCheckpoint(trainer, { a: 1 });
    expect(() => readCheckpoint(withMetadata(bytes, { trainer: "{}" }))).toThrow(/trainer's step is missing/);
    for (let at = 0; at < bytes.length; at += 37) {
      expect(() => readCheckpoint(bytes.subarray(0, at))).toThrow(CheckpointError);
      const changed = bytes.slice();
      changed[at] = (changed[at] as number) ^ 0x10;
      expect(() => readCheckpoint(changed)).toThrow(CheckpointError);
    }
  });
});

describe("loadPyTorchWeights", () => {
  /** What `save_file(rnn.state_dict(), …)` gives: the weights alone, without metadata. */
  function stateDict(name: string): { bytes: Uint8Array; config: DNCOptions; tensors: Map<string, Tensor> } {
    const { tensors, metadata } = readSafetensors(readFileSync(new URL(`../../test/golden/${name}.safetensors`, import.meta.url)));
    const weights = [...tensors]
      .filter(([key]) => key.startsWith("param."))
      .map(([key, tensor]): [string, Tensor] => [key.slice(6), tensor]);
    const { readFeedback: _, ...config } = JSON.parse(metadata.config as string) as DNCOptions;
    return { bytes: writeSafetensors(new Map(weights)), config, tensors };
  }

  test.each(["pytorch_dnc_lstm", "pytorch_dnc_gru_two_layers_unshared_independent"])("%s computes what the Python package did", (name) => {
    const { bytes, config, tensors } = stateDict(name);
    const model = loadPyTorchWeights(bytes, config);
    expect(model.config.readFeedback).toBe(false);
    const want = tensors.get("y") as Tensor;
    const { output } = model.eval().forward(tensors.get("x") as Tensor);
    // The golden cases' tolerance for outputs, see test/golden/README.md.
    expect(output.data).toBeClose(want.data, { atol: 2e-5, rtol: 2e-5 });
  });

  test("readFeedback may be asked for", () => {
    const { bytes, config } = stateDict("pytorch_dnc_lstm");
    expect(loadPyTorchWeights(bytes, { ...config, readFeedback: true }).config.readFeedback).toBe(true);
    expect(loadPyTorchWeights(bytes, { ...config, readFeedback: undefined } as DNCOptions).config.readFeedback).toBe(false);
    expect(() => loadPyTorchWeights(bytes, undefined as unknown as DNCOptions)).toThrow(ConfigError);
  });

  test("weights of its SAM and SDNC are refused with the reason", () => {
    const { bytes, config } = stateDict("pytorch_dnc_lstm");
    const { tensors } = readSafetensors(bytes);
    tensors.set("rnn_layer_memory_shared.interface_weights.weight", { data: new Float32Array(40 * 8), shape: [40, 8] });
    const reason = /SAM and SDNC have another interface/;
    expect(() => loadPyTorchWeights(writeSafetensors(tensors), config)).toThrow(reason);
    expect(() => loadPyTorchWeights(writeSafetensors(tensors), config)).toThrow(
      /has 40 rows, a DNC with readHeads 2 and cellSize 4 has 33/,
    );
    const independent = new Map([["rnn_layer_memory_shared.read_query_transform.weight", { data: Float32Array.of(1), shape: [1, 1] }]]);
    expect(() => loadPyTorchWeights(writeSafetensors(independent), config)).toThrow(reason);
    expect(() => loadPyTorchWeights(bytes, { ...config, sparseReads: 4 } as DNCOptions)).toThrow(reason);
  });

  test("options that do not fit, and broken files, are CheckpointErrors that name the file and the weights", () => {
    const { bytes, config } = stateDict("pytorch_dnc_lstm");
    expect(() => loadPyTorchWeights(bytes, { ...config, hiddenSize: 9 }, "dnc.safetensors")).toThrow(
      /^dnc\.safetensors: .*weight_ih_l0 must be \[36, 13\]/,
    );
    expect(() => loadPyTorchWeights(bytes, { ...config, rnnType: "gru" })).toThrow(/missing: gru_layer_0/);
    expect(() => loadPyTorchWeights(bytes.subarray(0, 500), config)).toThrow(CheckpointError);
  });
});
