import { describe, expect, test } from "vitest";
import { ConfigError, ShapeError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { AddingTask, ArgmaxTask, type Batch, CopyTask, createTask, Random, type TaskName, taskNames } from "./index.js";

/** values[b][t][channel] */
function nested({ data, shape }: Tensor): number[][][] {
  const [batchSize = 0, time = 0, size = 0] = shape;
  const row = (b: number, t: number) => [...data.subarray((b * time + t) * size, (b * time + t + 1) * size)];
  return Array.from({ length: batchSize }, (_, b) => Array.from({ length: time }, (_, t) => row(b, t)));
}

/** The numbers that a batch of adding or argmax shows, without the end marker. */
function numbersOf(batch: Batch): number[][] {
  return nested(batch.input).map((steps) => steps.map((step) => step.indexOf(1)).slice(0, -1));
}

function outputOf(shape: number[], values: number[]): Tensor {
  return { data: Float32Array.from(values), shape };
}

describe.each(taskNames)("%s", (name) => {
  const task = createTask(name);
  const bytesOf = (batch: Batch) => [...batch.input.data, ...batch.target.data, ...(batch.mask?.data ?? [])];

  test("the same generator state gives the same batch, another seed another", () => {
    const rng = new Random(5);
    const first = task.batch(rng, 3, 7);
    const state = rng.state();
    const second = task.batch(rng, 3, 7);
    expect(bytesOf(task.batch(new Random(5), 3, 7))).toEqual(bytesOf(first));
    expect(bytesOf(task.batch(Random.from(state), 3, 7))).toEqual(bytesOf(second));
    expect(bytesOf(second)).not.toEqual(bytesOf(first));
    expect(bytesOf(task.batch(new Random(6), 3, 7))).not.toEqual(bytesOf(first));
  });

  test("shapes are as the task says", () => {
    const { input, target } = task.batch(new Random(1), 5, 4);
    expect(input.shape).toEqual([5, input.shape[1], task.inputSize]);
    expect(target.shape).toEqual(task.readout === "each" ? [5, input.shape[1], task.outputSize] : [5]);
  });
});

describe.each(taskNames)("%s refuses", (name) => {
  const task = createTask(name);
  test.each([
    [[new Random(1), 0, 3], ShapeError, /batch: batchSize must be a whole number of 1 or more, got 0/],
    [[new Random(1), 2.5, 3], ShapeError, /batchSize.*got 2.5/],
    [[new Random(1), 2, 0], ShapeError, /batch: length must be a whole number of 1 or more, got 0/],
    [[new Random(1), 2, Number.NaN], ShapeError, /length.*got NaN/],
    [[new Random(1), 2], ShapeError, /length.*got undefined/],
    [[undefined, 2, 3], ConfigError, /batch: rng must be a Random, got undefined/],
    [[7, 2, 3], ConfigError, /rng must be a Random, got number/],
  ])("a batch of %o", (given, kind, message) => {
    const call = () => task.batch(...(given as [Random, number, number]));
    expect(call).toThrow(kind);
    expect(call).toThrow(message);
  });
});

describe("copy", () => {
  const task = createTask("copy", { inputSize: 4 });

  test("shows the bits, the marker and blanks, and asks for the bits again", () => {
    const batch = task.batch(new Random(2), 3, 5);
    const [input, target] = [nested(batch.input), nested(batch.target)];
    const seen = new Set<number>();
    for (let b = 0; b < 3; b++) {
      for (let t = 0; t < 5; t++) {
        const step = input[b]?.[t] as number[];
        expect(step[3]).toBe(0);
        expect(target[b]?.[6 + t]).toEqual(step.slice(0, 3));
        for (const bit of step.slice(0, 3)) seen.add(bit);
      }
      expect(input[b]?.[5]).toEqual([0, 0, 0, 1]);
      for (let t = 6; t < 11; t++) expect(input[b]?.[t]).toEqual([0, 0, 0, 0]);
      for (let t = 0; t < 6; t++) expect(target[b]?.[t]).toEqual([0, 0, 0]);
    }
    expect(seen).toEqual(new Set([0, 1]));
    expect([...(batch.mask as Tensor).data.slice(11, 22)]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    expect(batch.mask?.shape).toEqual([3, 11]);
  });

  test("counts bits and whole sequences on the masked steps", () => {
    const batch = task.batch(new Random(3), 4, 2); // 4 sequences of 2 steps of 3 bits asked
    const logits = batch.target.data.map((bit) => (bit === 1 ? 2.5 : -0.1));
    const output = { data: logits, shape: batch.target.shape };
    expect(task.score(output, batch)).toEqual({ accuracy: 1, sequenceAccuracy: 1 });
    logits[0] = 99; // step 0 is not asked for
    expect(task.score(output, batch)).toEqual({ accuracy: 1, sequenceAccuracy: 1 });
    logits[3 * 3] = -(logits[3 * 3] as number); // sequence 0, step 3: the first one asked
    logits[3 * (5 + 4) + 1] = Number.NaN; // sequence 1
    expect(task.score(output, batch)).toEqual({ accuracy: 22 / 24, sequenceAccuracy: 0.5 });
  });

  test("outputs of another shape are not compared", () => {
    const batch = task.batch(new Random(3), 3, 2);
    expect(() => task.score({ data: new Float32Array(45), shape: [5, 3, 3] }, batch)).toThrow(ShapeError);
  });

  test("outputs of zero count as bits of 0", () => {
    const batch = task.batch(new Random(3), 50, 3);
    const ones = batch.target.data.reduce((sum, bit) => sum + bit, 0);
    const { accuracy } = task.score({ data: new Float32Array(batch.target.data.length), shape: batch.target.shape }, batch);
    expect(accuracy).toBeCloseTo(1 - ones / (50 * 3 * 3), 12);
  });
});

describe("adding", () => {
  const task = createTask("adding", { inputSize: 5 });

  test("shows one-hot numbers and the marker, and asks for their sum", () => {
    const batch = task.batch(new Random(4), 20, 6);
    expect(batch.input.shape).toEqual([20, 7, 5]);
    expect(batch.mask).toBeUndefined();
    for (const steps of nested(batch.input)) {
      for (const step of steps) expect(step.reduce((sum, value) => sum + value)).toBe(1);
      expect(steps.at(-1)).toEqual([0, 0, 0, 0, 1]);
    }
    const numbers = numbersOf(batch);
    expect(new Set(numbers.flat())).toEqual(new Set([0, 1, 2, 3]));
    expect([...batch.target.data]).toEqual(numbers.map((list) => list.reduce((sum, number) => sum + number)));
  });

  test("sums the outputs over time and channels, up to each length", () => {
    const target = outputOf([2], [10, 4]);
    const output = outputOf([2, 2, 2], [4, 3, 2, 1.25, 1, 2, 100, 100]);
    const batch = { input: outputOf([2, 2, 2], Array(8).fill(0)), target, lengths: [2, 1] };
    expect(task.score(output, batch)).toEqual({ accuracy: 0.5, meanAbsoluteError: (0.25 + 1) / 2, relativeError: 1.25 / 14 });
  });

  test("targets that are all zero give a finite relative error", () => {
    const batch = { input: outputOf([1, 1, 1], [0]), target: outputOf([1], [0]) };
    expect(task.score(outputOf([1, 1, 1], [0.25]), batch).relativeError).toBe(0.25);
  });
});

describe("argmax", () => {
  const task = createTask("argmax", { inputSize: 4 });

  test("asks for the position of the largest number, the first of equals", () => {
    const batch = task.batch(new Random(8), 50, 6);
    const numbers = numbersOf(batch);
    expect([...batch.target.data]).toEqual(numbers.map((list) => list.indexOf(Math.max(...list))));
    expect(numbers.some((list) => new Set(list).size < list.length)).toBe(true);
  });

  test("reads the channels of the last valid step", () => {
    const output = outputOf([2, 2, 2], [9, 9, 1.75, 1, 0, 1, 9, 9]);
    const batch = { input: outputOf([2, 2, 2], Array(8).fill(0)), target: outputOf([2], [3, 1]), lengths: [2, 1] };
    expect(task.score(output, batch)).toEqual({ accuracy: 1, meanAbsoluteError: 0.125, relativeError: 0.25 / 4 });
  });

  test("NaN is never right", () => {
    const batch = { input: outputOf([1, 1, 1], [0]), target: outputOf([1], [0]) };
    expect(task.score(outputOf([1, 1, 1], [Number.NaN]), batch).accuracy).toBe(0);
  });
});

describe("createTask", () => {
  test("has the Python package's input sizes", () => {
    expect(taskNames.map((name) => createTask(name).inputSize)).toEqual([6, 3, 10]);
    expect([new CopyTask(), new AddingTask(), new ArgmaxTask()].map(({ inputSize }) => inputSize)).toEqual([6, 3, 10]);
    expect(taskNames.map((name) => createTask(name).minLength)).toEqual([1, 2, 2]);
  });

  test.each([
    ["coppy", {}, /unknown task 'coppy'; did you mean 'copy'\?/],
    ["toString", {}, /unknown task 'toString'/],
    ["copy", { input_size: 5 }, /unknown option 'input_size' of task 'copy'; did you mean 'inputSize'\?/],
    ["adding", { inputSize: 1 }, /inputSize must be a whole number of 2 or more.*got 1/],
    ["argmax", { inputSize: Number.NaN }, /got NaN/],
    ["argmax", null, /task 'argmax': options must be an object.*got null/],
  ])("refuses %s with %o", (name, options, message) => {
    expect(() => createTask(name as TaskName, options as object)).toThrow(message);
    expect(() => createTask(name as TaskName, options as object)).toThrow(expect.objectContaining({ code: "CONFIG" }));
  });
});
