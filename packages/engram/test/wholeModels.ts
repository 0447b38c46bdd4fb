// Whole models for tests: made from a seed with random sizes and options, with data and states that fit, and what of them can be compared.

import type { ForwardResult } from "../src/models/calls.js";
import { DNC } from "../src/models/dnc.js";
import type { Model } from "../src/models/model.js";
import type { ModelType, SDNCOptions } from "../src/models/options.js";
import { SAM } from "../src/models/sam.js";
import { SDNC } from "../src/models/sdnc.js";
import { State } from "../src/models/state.js";
import type { SparseStateTensor, StateTensor } from "../src/models/stateTensor.js";
import { sizeOf, type Tensor } from "../src/tensor.js";
import { randomDenseState, tensorsOf } from "./denseBench.js";
import { seeded, uniform } from "./random.js";

export const modelTypes: readonly ModelType[] = ["dnc", "sam", "sdnc"];

/** A model small enough for thousands of calls; sparse ones read two cells of nine. */
export function smallModel(type: ModelType, options: Partial<SDNCOptions> = {}): Model {
  return createModel(type, { inputSize: 3, hiddenSize: 5, nrCells: 6, cellSize: 3, readHeads: 2, numHiddenLayers: 1, seed: 7, ...options });
}

/** Only the options that the type has are taken. */
export function createModel(type: ModelType, options: SDNCOptions): Model {
  const { sparseReads, index, temporalReads, temporalLinks, ...shared } = options;
  const reads = sparseReads ?? Math.min(2, options.nrCells ?? 2);
  if (type === "dnc") return new DNC(shared);
  const sparse = { ...shared, sparseReads: reads, index };
  return type === "sam" ? new SAM(sparse) : new SDNC({ ...sparse, temporalReads: temporalReads ?? 2, temporalLinks: temporalLinks ?? 3 });
}

/** Uniform values from a seed, exact in float32. */
export function randomTensor(shape: readonly number[], seed: number, low = -1, high = 1): Tensor {
  return { data: uniform(seeded(seed), sizeOf(shape), low, high), shape };
}

function picker(random: () => number) {
  return {
    whole: (low: number, high: number) => low + Math.floor(random() * (high - low + 1)),
    oneOf: <T>(...choices: T[]): T => choices[Math.floor(random() * choices.length)] as T,
  };
}

/** Options drawn from a seed: every option that changes what is computed, and sizes that are no multiple of anything. */
export function randomOptions(seed: number): SDNCOptions & { cellSize: number } {
  const { whole, oneOf } = picker(seeded(seed));
  const nrCells = whole(1, 9);
  return {
    inputSize: whole(1, 9),
    hiddenSize: whole(1, 9),
    outputSize: whole(1, 9),
    rnnType: oneOf("lstm", "gru", "rnn"),
    nonlinearity: oneOf("tanh", "relu"),
    numLayers: whole(1, 3),
    numHiddenLayers: whole(1, 3),
    bias: oneOf(true, false),
    batchFirst: oneOf(true, false),
    nrCells,
    readHeads: whole(1, 5),
    cellSize: whole(1, 9),
    independentLinears: oneOf(true, false),
    shareMemory: oneOf(true, false),
    readFeedback: oneOf(true, true, false),
    clip: oneOf(0, 0.3, 20),
    sparseReads: whole(1, Math.min(4, nrCells)),
    temporalReads: whole(1, 3),
    temporalLinks: whole(1, 4),
    seed,
  };
}

/** Lengths from 1 to `steps`, at least one of them `steps`. */
export function randomLengths(batch: number, steps: number, seed: number): number[] {
  const { whole } = picker(seeded(seed));
  const lengths = Array.from({ length: batch }, () => whole(1, steps));
  lengths[whole(0, batch - 1)] = steps;
  return lengths;
}

/** A state with something in every tensor: a DNC's drawn at random, a sparse one's left by a few random steps. */
export function randomState(model: Model, batch: number, seed: number): State {
  if (model.type !== "dnc") return warmState(model, batch, seed);
  const { nrCells, cellSize, readHeads, shareMemory, numLayers } = model.config;
  const sizes = { cells: nrCells, width: cellSize, heads: readHeads };
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape }] of model.initialState(batch).tensors()) {
    if (!name.startsWith("memory.")) tensors.set(name, randomTensor(shape, seed + tensors.size));
  }
  const random = seeded(seed + 1000);
  for (let m = 0; m < (shareMemory ? 1 : numLayers); m++) {
    const states = Array.from({ length: batch }, () => randomDenseState(sizes, random));
    for (const [name, tensor] of tensorsOf(states, sizes)) tensors.set(`memory.${m}.${name}`, tensor);
  }
  return State.from(model, tensors);
}

function warmState(model: Model, batch: number, seed: number): State {
  const { batchFirst, inputSize } = model.config;
  const wasTraining = model.training;
  const { state } = model.eval().forward(randomTensor(batchFirst ? [batch, 4, inputSize] : [4, batch, inputSize], seed + 2000));
  if (wasTraining) model.train();
  return State.from(model, state.tensors());
}

/** Random gradients for every tensor of a state that carries one. */
export function randomStateGradient(model: Model, batch: number, seed: number): Map<string, Tensor> {
  const fields = model.network.memory.gradientFields;
  const carries = (name: string) => !name.startsWith("memory.") || fields.includes(name.split(".")[2] as string);
  const tensors = [...model.initialState(batch).tensors()].filter(([name]) => carries(name));
  return new Map(tensors.map(([name, { shape }], i) => [name, randomTensor(shape, seed + i)]));
}

/** [B, T, …] or [T, B, …], as the model takes it. */
export function sequenceShape({ config }: Model, batch: number, steps: number, width: number): number[] {
  return config.batchFirst ? [batch, steps, width] : [steps, batch, width];
}

/** The exact bits of tensors, to be compared with toEqual: −0 differs from 0, and NaN from nothing. */
export function bits(tensors: ReadonlyMap<string, Tensor> | Tensor): Record<string, string> {
  const named = tensors instanceof Map ? tensors : new Map([["tensor", tensors as Tensor]]);
  return Object.fromEntries(
    [...named].map(([name, { data, shape }]) => [
      name,
      `${shape.join("×")} ${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64")}`,
    ]),
  );
}

/** The exact bits of all that a forward call gives. */
export function resultBits({ output, state }: ForwardResult): Record<string, string> {
  return { ...bits(state.tensors()), ...bits(new Map([["output", output]])) };
}

/** Copies of all gradients. */
export function gradientsOf(model: Model): Map<string, Tensor> {
  return new Map([...model.gradients()].map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]));
}

/** Rows of a batch-first tensor, or of a tensor whose batch is axis `axis`: elements `from` … `from + count - 1`. */
export function elementsOf({ data, shape }: Tensor, from: number, count: number, axis = 0): Tensor {
  const before = sizeOf(shape.slice(0, axis));
  const batch = shape[axis] as number;
  const inner = sizeOf(shape.slice(axis + 1));
  const out = new Float32Array(before * count * inner);
  for (let i = 0; i < before; i++)
    out.set(data.subarray((i * batch + from) * inner, (i * batch + from + count) * inner), i * count * inner);
  return { data: out, shape: [...shape.slice(0, axis), count, ...shape.slice(axis + 1)] };
}

/** The same for every tensor of a state (or its gradient); a clock is the batch's. */
export function stateElements(tensors: ReadonlyMap<string, Tensor>, from: number, count: number): Map<string, Tensor> {
  return new Map(
    [...tensors].map(([name, tensor]) => {
      if (name.endsWith(".clock")) return [name, tensor];
      return [name, elementsOf(tensor, from, count, name.startsWith("controller_hidden.") ? 1 : 0)];
    }),
  );
}

/** State tensors or their gradients written out: a sparse one may or may not list its zeros. */
export function dense(gradients: ReadonlyMap<string, StateTensor>): Map<string, Tensor> {
  return new Map([...gradients].map(([name, tensor]) => [name, "data" in tensor ? tensor : denseOf(tensor)]));
}

function denseOf({ shape, positions, values }: SparseStateTensor): Tensor {
  const data = new Float32Array(sizeOf(shape));
  const rank = shape.length;
  for (const [i, value] of values.entries()) {
    data[shape.reduce((flat, size, axis) => flat * size + (positions[i * rank + axis] as number), 0)] = value;
  }
  return { data, shape };
}
