import { describe, expect, test } from "vitest";
import { KernelBench, padRows, unpadRows } from "../../test/kernelBench.js";
import { seeded, uniform } from "../../test/random.js";
import { binaryCrossEntropy, meanSquaredError, softmaxCrossEntropy } from "../../test/reference/losses.js";
import type { Tensor } from "../tensor.js";
import { Loss, type LossBatch, type LossName, type Readout, runLoss } from "./losses.js";
import { readoutBytes } from "./runningReadout.js";

const [B, T, O] = [3, 5, 7];
const lengths = [2, 5, 4];
const random = seeded(11);
const make = (shape: number[], low = 0, high = 1): Tensor => ({
  shape,
  data: uniform(
    random,
    shape.reduce((p, n) => p * n, 1),
    low,
    high,
  ),
});
const ones = (...shape: number[]): Tensor => ({ shape, data: new Float32Array(shape.reduce((p, n) => p * n, 1)).fill(1) });

/** The shard of elements 0 and 2, or all: rows longest first, step after step. */
function pack(members: number[], batchFirst: boolean) {
  const order = [...members].sort((a, b) => (lengths[b] as number) - (lengths[a] as number));
  const rows = Array.from({ length: T }, (_, t) => order.filter((b) => (lengths[b] as number) > t).map((b) => ({ b, t }))).flat();
  return { rows, source: rows.map(({ b, t }) => (batchFirst ? b * T + t : t * B + b)), elements: rows.map(({ b }) => b) };
}

/** Runs a loss shard by shard; gives the mean loss and the gradient of the rows, unpadded, by element and step. */
function runShards(loss: Loss, batch: LossBatch, y: Float32Array, batchFirst: boolean) {
  const plan = loss.plan(batch, "test");
  const gradient = new Float32Array(B * T * O);
  let total = 0;
  for (const members of [[0, 2], [1]]) {
    const bench = new KernelBench();
    const { rows, source, elements } = pack(members, batchFirst);
    const packed = rows.flatMap(({ b, t }) => [...y.subarray((b * T + t) * O, (b * T + t + 1) * O)]);
    const dOutput = bench.room(rows.length * 8);
    const stage = ({ data }: Tensor) => {
      const at = bench.room(data.length + 4);
      bench.engine.f32(at, data.length).set(data);
      return at;
    };
    const shard = {
      output: bench.put(padRows(packed, O, 8)),
      dOutput,
      source: bench.putInts(source),
      elements: bench.putInts(elements),
      rows: rows.length,
      batch: members.length,
    };
    const scratch = bench.engine.allocate(readoutBytes(members.length));
    const mask = batch.mask === undefined ? 0 : stage(batch.mask);
    total += runLoss(bench.kernels, plan, shard, stage(batch.target), mask, scratch, 1 / plan.totalWeight);
    const d = unpadRows(bench.take(dOutput, rows.length * 8), O, 8);
    for (const [i, { b, t }] of rows.entries()) gradient.set(d.subarray(i * O, (i + 1) * O), (b * T + t) * O);
  }
  return { loss: total / plan.totalWeight, gradient };
}

/** Σ m·l / Σ m and its gradient, straight from the definition; weight(b, t, o) and target likewise. */
function definition(
  name: LossName,
  y: Float32Array,
  target: (b: number, t: number) => number[],
  weight: (b: number, t: number) => number[],
) {
  const row = { binaryCrossEntropyWithLogits: binaryCrossEntropy, meanSquaredError, softmaxCrossEntropy: undefined }[name];
  let [loss, total] = [0, 0];
  const gradient = new Float64Array(B * T * O);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < (lengths[b] as number); t++) {
      const at = (b * T + t) * O;
      const [values, m] = [[...y.subarray(at, at + O)], weight(b, t)];
      const result = row === undefined ? softmaxCrossEntropy(values, target(b, t), m[0] as number) : row(values, target(b, t), m);
      loss += result.loss;
      total += row === undefined ? (m[0] as number) : m.reduce((sum, x) => sum + x, 0);
      gradient.set(result.gradient, at);
    }
  }
  return { loss: loss / total, gradient: gradient.map((g) => g / total) };
}

describe.each([true, false])("with batchFirst %s", (batchFirst) => {
  const steps = batchFirst ? [B, T] : [T, B];
  const natural = (b: number, t: number) => (batchFirst ? b * T + t : t * B + b);
  const y = uniform(random, B * T * O, -4, 4);
  const rowOf =
    ({ data }: Tensor, width: number) =>
    (b: number, t: number) => [...data.subarray(natural(b, t) * width, (natural(b, t) + 1) * width)];
  const masks = { none: undefined, steps: make(steps), values: make([...steps, O]) };
  const weightOf = {
    none: () => new Array<number>(O).fill(1),
    steps: (b: number, t: number) => new Array<number>(O).fill(rowOf(masks.steps, 1)(b, t)[0] as number),
    values: rowOf(masks.values, O),
  };
  const tolerance = { rtol: 1e-6 }; // a dozen float32 roundings

  test.each(["binaryCrossEntropyWithLogits", "meanSquaredError"] as const)("%s is Σ m·l / Σ m for every kind of mask", (name) => {
    const target = make([...steps, O]);
    for (const kind of ["none", "steps", "values"] as const) {
      const got = runShards(
        new Loss(name, "each", O, batchFirst),
        { target, mask: masks[kind], batchSize: B, steps: T, lengths },
        y,
        batchFirst,
      );
      const want = definition(name, y, rowOf(target, O), weightOf[kind]);
      expect([got.loss]).toBeClose([want.loss], tolerance);
      expect(got.gradient).toBeClose(want.gradient, tolerance);
    }
  });

  test("softmaxCrossEntropy takes probabilities and class numbers", () => {
    const loss = new Loss("softmaxCrossEntropy", "each", O, batchFirst);
    const classes: Tensor = { shape: steps, data: make(steps).data.map((x) => Math.floor(x * O)) };
    const oneHot = (b: number, t: number) => Array.from({ length: O }, (_, o) => (o === classes.data[natural(b, t)] ? 1 : 0));
    const probabilities = make([...steps, O]);
    for (const kind of ["none", "steps"] as const) {
      for (const [target, targetOf] of [
        [classes, oneHot],
        [probabilities, rowOf(probabilities, O)],
      ] as const) {
        const got = runShards(loss, { target, mask: masks[kind], batchSize: B, steps: T, lengths }, y, batchFirst);
        const want = definition("softmaxCrossEntropy", y, targetOf, weightOf[kind]);
        expect([got.loss]).toBeClose([want.loss], tolerance);
        expect(got.gradient).toBeClose(want.gradient, tolerance);
      }
    }
  });

  test.each(["sum", "last"] as const)("readout '%s' compares one number an element", (readout: Readout) => {
    const target = make([B], -5, 5);
    for (const mask of [undefined, make([B], 0.5, 2)]) {
      const got = runShards(
        new Loss("meanSquaredError", readout, O, batchFirst),
        { target, mask, batchSize: B, steps: T, lengths },
        y,
        batchFirst,
      );
      const isRead = (b: number, t: number) => t < (lengths[b] as number) && (readout === "sum" || t === (lengths[b] as number) - 1);
      const m = Array.from({ length: B }, (_, b) => (mask?.data[b] as number | undefined) ?? 1);
      const total = m.reduce((sum, x) => sum + x, 0);
      const predictions = m.map((_, b) =>
        y.reduce((sum, v, i) => (Math.floor(i / (T * O)) === b && isRead(b, Math.floor(i / O) % T) ? sum + v : sum), 0),
      );
      const errors = predictions.map((p, b) => p - (target.data[b] as number));
      const want = errors.reduce((sum, e, b) => sum + (m[b] as number) * e * e, 0) / total;
      const gradient = y.map((_, i) => {
        const b = Math.floor(i / (T * O));
        return isRead(b, Math.floor(i / O) % T) ? (2 * (m[b] as number) * (errors[b] as number)) / total : 0;
      });
      expect([got.loss]).toBeClose([want], tolerance);
      expect(got.gradient).toBeClose(gradient, tolerance);
    }
  });
});

describe("Σ m", () => {
  const plan = (name: LossName, batch: Partial<LossBatch>, readout: Readout = "each", size = O) =>
    new Loss(name, readout, size, true).plan({ target: ones(B, T, O), batchSize: B, steps: T, ...batch }, "test");

  test("counts values within lengths; a mask of ones changes nothing", () => {
    expect(plan("meanSquaredError", {}).totalWeight).toBe(B * T * O);
    for (const mask of [undefined, ones(B, T), ones(B, T, O)]) expect(plan("meanSquaredError", { mask, lengths }).totalWeight).toBe(11 * O);
    expect(plan("softmaxCrossEntropy", { lengths }).totalWeight).toBe(11);
    expect(plan("softmaxCrossEntropy", { mask: ones(B, T) }).totalWeight).toBe(B * T);
    expect(plan("meanSquaredError", { target: ones(B), lengths }, "last").totalWeight).toBe(B);
    expect(plan("meanSquaredError", { target: ones(B, T, 1), mask: ones(B, T) }, "each", 1).totalWeight).toBe(B * T);
  });

  test("a plan is plain data", () => {
    const made = plan("binaryCrossEntropyWithLogits", { mask: ones(B, T, O) });
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
    expect(made).toEqual({ kernel: "binaryCrossEntropyRows", readout: "each", outputSize: O, maskWidth: O, totalWeight: B * T * O });
  });
});

describe("refused", () => {
  const plan =
    (batch: Partial<LossBatch>, name: LossName = "meanSquaredError", readout: Readout = "each", batchFirst = true) =>
    () =>
      new Loss(name, readout, O, batchFirst).plan({ target: ones(B, T, O), batchSize: B, steps: T, ...batch }, "Trainer.step");
  const withValue = (tensor: Tensor, index: number, value: number): Tensor => ({
    shape: tensor.shape,
    data: tensor.data.map((x, i) => (i === index ? value : x)),
  });
  const maskBeyondLengths = { shape: [B, T], data: ones(B, T).data.map((_, i) => (i % T >= 2 && i < T ? 1 : 0)) };

  test.each([
    ["a target of other sizes", plan({ target: ones(B, T, O + 1) }), "Trainer.step: target must be [B, T, O] = [3, 5, 7], got [3, 5, 8]"],
    [
      "the other batchFirst",
      plan({}, "meanSquaredError", "each", false),
      "Trainer.step: target must be [T, B, O] = [5, 3, 7], got [3, 5, 7]",
    ],
    ["class numbers for another loss", plan({ target: ones(B, T) }), "target must be [B, T, O] = [3, 5, 7], got [3, 5]"],
    [
      "a softmax target of other sizes",
      plan({ target: ones(B) }, "softmaxCrossEntropy"),
      "target must be [B, T, O] = [3, 5, 7] or [B, T] = [3, 5] of class numbers, got [3]",
    ],
    ["a step target for a sum", plan({}, "meanSquaredError", "sum"), "target must be [B] = [3], got [3, 5, 7]"],
    ["a mask of other sizes", plan({ mask: ones(B) }), "Trainer.step: mask must be [B, T] = [3, 5] or [B, T, O] = [3, 5, 7], got [3]"],
    ["a mask a value for softmax", plan({ mask: ones(B, T, O) }, "softmaxCrossEntropy"), "mask must be [B, T] = [3, 5], got [3, 5, 7]"],
    [
      "data that do not fill the shape",
      plan({ target: { shape: [B, T, O], data: new Float32Array(4) } }),
      "target of shape [3, 5, 7] must hold 105 values, got 4",
    ],
    [
      "NaN in the target",
      plan({ target: withValue(ones(B, T, O), 38, Number.NaN) }),
      "Trainer.step: target must be finite, but its element [1, 0, 3] is NaN",
    ],
    [
      "infinity in the mask",
      plan({ mask: withValue(ones(B, T), 7, Number.POSITIVE_INFINITY) }),
      "mask must be finite, but its element [1, 2] is Infinity",
    ],
    [
      "a class number beyond O",
      plan({ target: withValue(ones(B, T), 6, 7) }, "softmaxCrossEntropy"),
      "target[1, 1] is 7: a class number is a whole number from 0 to O - 1 = 6",
    ],
    ["half a class", plan({ target: withValue(ones(B, T), 0, 0.5) }, "softmaxCrossEntropy"), "target[0, 0] is 0.5"],
    [
      "an empty mask",
      plan({ mask: { shape: [B, T], data: new Float32Array(B * T) } }),
      "the mask's values must add up to more than 0, got a sum of 0",
    ],
    [
      "a mask empty within lengths",
      plan({ mask: maskBeyondLengths, lengths: [2, 5, 4] }),
      "the mask's values must add up to more than 0 within lengths, got a sum of 0",
    ],
  ])("%s: ShapeError", (_, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: "SHAPE", message: expect.stringContaining(message) }));
  });

  test("class numbers do not matter where the mask is 0 or past lengths", () => {
    const target = withValue(withValue(ones(B, T), 0, -100), 4, -100);
    const mask = withValue(ones(B, T), 0, 0);
    expect(plan({ target, mask, lengths }, "softmaxCrossEntropy")().kernel).toBe("softmaxCrossEntropyIndexRows");
  });

  test.each([
    [
      () => new Loss("meanSquareError" as LossName, "each", O, true),
      "loss must be one of binaryCrossEntropyWithLogits, softmaxCrossEntropy, meanSquaredError, got 'meanSquareError'; did you mean 'meanSquaredError'?",
    ],
    [
      () => new Loss("meanSquaredError", "lst" as Readout, O, true),
      "readout must be one of each, sum, last, got 'lst'; did you mean 'last'?",
    ],
    [() => new Loss("softmaxCrossEntropy", "sum", O, true), "loss 'softmaxCrossEntropy' needs readout 'each', got 'sum'"],
  ])("an unknown or impossible choice: ConfigError", (make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: "CONFIG", message: expect.stringContaining(message) }));
  });
});
