// Bad input of each kind gives the typed error that names the field, what was expected and what came, and leaves the model as it was.
import { beforeEach, describe, expect, test } from "vitest";
import { ConfigError, EngramError, type ErrorCode, ShapeError, StateError } from "../src/errors.js";
import { DNC } from "../src/models/dnc.js";
import type { Model } from "../src/models/model.js";
import type { SDNCOptions } from "../src/models/options.js";
import { SAM } from "../src/models/sam.js";
import { SDNC } from "../src/models/sdnc.js";
import { State } from "../src/models/state.js";
import { type Tensor, tensor, zeros } from "../src/tensor.js";
import { bits, dense, gradientsOf, modelTypes, randomState, randomTensor, resultBits, smallModel } from "./wholeModels.js";

/** Anything a JavaScript caller might pass. */
// biome-ignore lint/suspicious/noExplicitAny: the point is to pass what the types forbid
const anything = (value: unknown) => value as any;

const ShapeCode: ErrorCode = "SHAPE";

type Case = [what: string, call: (model: Model) => unknown, kind: new (message: string) => EngramError, message: RegExp];

const good = () => randomTensor([2, 3, 3], 1);
const withValue = (value: number, at: number) => {
  const bad = good();
  bad.data[at] = value;
  return bad;
};

const forwardCases: Case[] = [
  ["no input", (m) => m.forward(anything(undefined)), ShapeError, /forward: input.*\[B, T, X\].*X = inputSize = 3.*got undefined/],
  ["null", (m) => m.forward(anything(null)), ShapeError, /forward: input.*got null/],
  ["a string", (m) => m.forward(anything("text")), ShapeError, /forward: input.*got string/],
  ["a number", (m) => m.forward(anything(7)), ShapeError, /forward: input.*got number/],
  ["a bare Float32Array", (m) => m.forward(anything(new Float32Array(18))), ShapeError, /forward: input must be a tensor/],
  ["another width", (m) => m.forward(zeros([2, 3, 4])), ShapeError, /forward: input.*X = inputSize = 3.*got \[2, 3, 4\]/],
  ["another rank", (m) => m.forward(zeros([2, 3])), ShapeError, /forward: input.*\[B, T, X\].*got \[2, 3\]/],
  ["B = 0", (m) => m.forward(zeros([0, 3, 3])), ShapeError, /forward: input: B must be at least 1, got shape \[0, 3, 3\]/],
  ["T = 0", (m) => m.forward(zeros([2, 0, 3])), ShapeError, /forward: input: T must be at least 1, got shape \[2, 0, 3\]/],
  ["too little data", (m) => m.forward({ data: new Float32Array(5), shape: [2, 3, 3] }), ShapeError, /input.*\[2, 3, 3\].*18 values.*5/],
  ["float64 data", (m) => m.forward(anything({ data: new Float64Array(18), shape: [2, 3, 3] })), ShapeError, /input.*Float32Array/],
  ["no shape", (m) => m.forward(anything({ data: new Float32Array(18), shape: 18 })), ShapeError, /input.*shape/],
  ["a fractional size", (m) => m.forward({ data: new Float32Array(18), shape: [1.5, 4, 3] }), ShapeError, /input.*1\.5/],
  ["an empty array", (m) => m.forward([]), ShapeError, /input.*\[B, T, X\].*got \[0\]/],
  ["NaN", (m) => m.forward(withValue(Number.NaN, 13)), ShapeError, /input must be finite, got NaN at \[1, 1, 1\]/],
  ["infinity", (m) => m.forward(withValue(Number.NEGATIVE_INFINITY, 2)), ShapeError, /input must be finite, got -Infinity at \[0, 0, 2\]/],
  ["NaN in nested arrays", (m) => m.forward([[[1, 2, Number.NaN]]]), ShapeError, /input must be finite, got NaN at \[0, 0, 2\]/],
  ["more than float32 holds", (m) => m.forward([[[1, 2, 1e39]]]), ShapeError, /input must be finite, got Infinity at \[0, 0, 2\]/],
  [
    "ragged steps",
    (m) =>
      m.forward([
        [
          [1, 2, 3],
          [1, 2],
        ],
      ]),
    ShapeError,
    /input.*ragged.*\[0, 1\].*3.*2/,
  ],
  [
    "ragged sequences",
    (m) =>
      m.forward([
        [[1, 2, 3]],
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ]),
    ShapeError,
    /input.*ragged.*\[1\].*1.*2/,
  ],
  ["words in nested arrays", (m) => m.forward(anything([[[1, "two", 3]]])), ShapeError, /input must hold numbers, got a string/],
  ["lengths too few", (m) => m.forward(good(), undefined, { lengths: [1] }), ShapeError, /forward: lengths.*B = 2.*got 1/],
  ["lengths too many", (m) => m.forward(good(), undefined, { lengths: [1, 2, 3] }), ShapeError, /forward: lengths.*B = 2.*got 3/],
  ["a length of 0", (m) => m.forward(good(), undefined, { lengths: [3, 0] }), ShapeError, /forward: lengths.*1 to T = 3.*got 0 at \[1\]/],
  ["a length above T", (m) => m.forward(good(), undefined, { lengths: [4, 1] }), ShapeError, /forward: lengths.*T = 3.*got 4 at \[0\]/],
  ["a fractional length", (m) => m.forward(good(), undefined, { lengths: [1, 1.5] }), ShapeError, /forward: lengths.*got 1.5 at \[1\]/],
  ["a length of NaN", (m) => m.forward(good(), undefined, { lengths: [Number.NaN, 1] }), ShapeError, /forward: lengths.*got NaN at \[0\]/],
  [
    "lengths of no array",
    (m) => m.forward(good(), undefined, anything({ lengths: 3 })),
    ShapeError,
    /forward: lengths.*array.*got a number/,
  ],
  ["null as lengths", (m) => m.forward(good(), undefined, anything({ lengths: null })), ShapeError, /forward: lengths.*array.*got null/],
  ["options as state", (m) => m.forward(good(), anything({ lengths: [1, 2] })), StateError, /forward: state must be a State/],
  ["a misspelt option", (m) => m.forward(good(), undefined, anything({ lenghts: [1, 2] })), ConfigError, /forward.*'lenghts'.*'lengths'/],
  [
    "a flag of no boolean",
    (m) => m.forward(good(), undefined, anything({ resetExperience: 1 })),
    ConfigError,
    /forward: resetExperience.*got 1/,
  ],
  ["options of no object", (m) => m.forward(good(), undefined, anything(true)), ConfigError, /forward: options.*got true/],
];

const backwardCases: Case[] = [
  ["no gradient", (m) => m.backward(anything(undefined)), ShapeError, /backward: outputGrad.*got undefined/],
  ["another shape", (m) => m.backward(zeros([2, 4, 3])), ShapeError, /backward: outputGrad.*T = 3.*got \[2, 4, 3\]/],
  ["another width", (m) => m.backward(zeros([2, 3, 5])), ShapeError, /backward: outputGrad.*O = 3.*got \[2, 3, 5\]/],
  ["NaN", (m) => m.backward(withValue(Number.NaN, 4)), ShapeError, /backward: outputGrad must be finite, got NaN at \[0, 1, 1\]/],
  ["an unknown result", (m) => m.backward(good(), { of: anything({}) }), StateError, /backward: .*maxTapes/],
  ["a misspelt option", (m) => m.backward(good(), anything({ stateGrads: new Map() })), ConfigError, /backward.*'stateGrads'.*'stateGrad'/],
  ["a stateGrad of no Map", (m) => m.backward(good(), { stateGrad: anything({}) }), StateError, /backward: stateGrad must be a Map/],
  [
    "an unknown name in stateGrad",
    (m) => m.backward(good(), { stateGrad: new Map([["memory.1.memory", zeros([2, 6, 3])]]) }),
    StateError,
    /backward: stateGrad: .*memory\.1\.memory.*memory\.0\.memory/,
  ],
  [
    "a wrong shape in stateGrad",
    (m) => m.backward(good(), { stateGrad: new Map([["read_vectors", zeros([3, 6])]]) }),
    ShapeError,
    /backward: stateGrad: .*read_vectors must be \[2, 6\], got \[3, 6\]/,
  ],
  [
    "infinity in stateGrad",
    (m) =>
      m.backward(good(), {
        stateGrad: new Map([["read_vectors", tensor([0, 0, 0, 0, 0, 0, 0, Number.POSITIVE_INFINITY, 0, 0, 0, 0], [2, 6])]]),
      }),
    ShapeError,
    /backward: stateGrad: .*read_vectors must be finite, got Infinity at \[1, 1\]/,
  ],
  [
    "a sparse position outside",
    (m) =>
      m.backward(good(), {
        stateGrad: new Map([["memory.0.memory", { shape: [2, 6, 3], positions: Int32Array.of(0, 6, 0), values: Float32Array.of(1) }]]),
      }),
    ShapeError,
    /backward: stateGrad: .*memory\.0\.memory.*position.*\[0, 6, 0\]/,
  ],
  [
    "positions and values that do not match",
    (m) =>
      m.backward(good(), {
        stateGrad: new Map([["memory.0.memory", { shape: [2, 6, 3], positions: Int32Array.of(0, 1), values: Float32Array.of(1) }]]),
      }),
    ShapeError,
    /backward: stateGrad: .*memory\.0\.memory.*positions/,
  ],
  [
    "a sparse position twice",
    (m) =>
      m.backward(good(), {
        stateGrad: new Map([
          ["memory.0.memory", { shape: [2, 6, 3], positions: Int32Array.of(1, 2, 0, 0, 3, 1, 1, 2, 0), values: Float32Array.of(1, 2, 3) }],
        ]),
      }),
    ShapeError,
    /backward: stateGrad: memory\.0\.memory must have each position once, has \[1, 2, 0\] twice/,
  ],
];

const stepCases: Case[] = [
  ["no state", (m) => m.step(zeros([2, 3]), anything(undefined)), StateError, /step: state must be a State.*got undefined/],
  ["nested arrays", (m) => m.step(anything([[1, 2, 3]]), m.initialState(1)), ShapeError, /step: input.*tensor/],
  ["another batch", (m) => m.step(zeros([3, 3]), m.initialState(2)), ShapeError, /step: input.*B = .*2.*got \[3, 3\]/],
  ["a time axis", (m) => m.step(zeros([2, 1, 3]), m.initialState(2)), ShapeError, /step: input.*\[B, X\].*got \[2, 1, 3\]/],
  ["no input", (m) => m.step(anything(undefined), m.initialState(2)), ShapeError, /step: input.*got undefined/],
  [
    "NaN",
    (m) => m.step(tensor([1, 2, Number.NaN], [1, 3]), m.initialState(1)),
    ShapeError,
    /step: input must be finite, got NaN at \[0, 2\]/,
  ],
  [
    "an out of another shape",
    (m) => m.step(zeros([1, 3]), m.initialState(1), zeros([1, 4])),
    ShapeError,
    /step: out.*O = .*3.*got \[1, 4\]/,
  ],
  ["an out of no tensor", (m) => m.step(zeros([1, 3]), m.initialState(1), anything([0, 0, 0])), ShapeError, /step: out/],
  ["an out of nested arrays", (m) => m.step(zeros([1, 3]), m.initialState(1), anything([[0, 0, 0]])), ShapeError, /step: out.*nested/],
  ["a batch size of 0", (m) => m.initialState(0), ShapeError, /initialState: batchSize.*1 or more.*got 0/],
  ["no batch size", (m) => m.initialState(anything(undefined)), ShapeError, /initialState: batchSize.*got undefined/],
];

const stateCases: Case[] = [
  ["no model", () => State.from(anything(null), new Map()), StateError, /State\.from: model must be a DNC, SAM or SDNC, got null/],
  ["tensors before the model", () => State.from(anything(new Map()), anything({})), StateError, /State\.from: model must be.*got object/],
  ["no Map", (m) => State.from(m, anything({})), StateError, /State\.from: .*Map/],
  ["nothing", (m) => State.from(m, new Map()), StateError, /State\.from: .*batch size/],
  [
    "a missing tensor",
    (m) => State.from(m, new Map([["read_vectors", zeros([1, 6])]])),
    StateError,
    /State\.from: .*missing .*controller_hidden\.0\.h/,
  ],
  ["another name", (m) => changed(m, (tensors) => tensors.set("memory.0.ussage", zeros([1, 6]))), StateError, /memory\.0\.ussage/],
  [
    "another shape",
    (m) => changed(m, (tensors) => tensors.set("memory.0.memory", zeros([1, 3, 6]))),
    ShapeError,
    /memory\.0\.memory must be \[1, 6, 3\], got \[1, 3, 6\]/,
  ],
  [
    "NaN",
    (m) => changed(m, (tensors) => tensors.get("read_vectors")?.data.fill(Number.NaN)),
    ShapeError,
    /read_vectors must be finite, got NaN at \[0, 0\]/,
  ],
];

function changed(model: Model, change: (tensors: Map<string, Tensor>) => unknown): State {
  const tensors = model.initialState(1).tensors();
  change(tensors);
  return State.from(model, tensors);
}

const groups = [
  ["forward", forwardCases],
  ["backward", backwardCases],
  ["step", stepCases],
  ["State.from", stateCases],
] as const;

describe.each(modelTypes)("%s", (type) => {
  describe.each(groups)("%s refuses", (_, cases) => {
    let model: Model;
    beforeEach(() => {
      model = smallModel(type);
    });

    test.each(cases)("%s, and goes on as if nothing had been asked", (_what, call, kind, message) => {
      const state = model.forward(good()).state;
      const want = resultBits(smallModel(type).forward(good(), smallModel(type).forward(good()).state));
      model.forward(good(), state);
      expect(() => call(model)).toThrow(kind);
      expect(() => call(model)).toThrow(message);
      // The tape is still there, and so are weights, gradients and state.
      const witness = smallModel(type);
      witness.forward(good(), witness.forward(good()).state);
      expect(bits(model.backward(good()).inputGrad)).toEqual(bits(witness.backward(good()).inputGrad));
      expect(bits(gradientsOf(model))).toEqual(bits(gradientsOf(witness)));
      expect(resultBits(model.forward(good(), state))).toEqual(want);
    });
  });

  test("backward is refused before any forward, twice, and after only evaluating", () => {
    const model = smallModel(type);
    expect(() => model.backward(good())).toThrow(StateError);
    expect(() => model.backward(good())).toThrow(/backward: there is no forward/);
    model.eval().forward(good());
    expect(() => model.backward(good())).toThrow(/train\(\)/);
    model.train().forward(good());
    model.backward(good());
    expect(() => model.backward(good())).toThrow(/backward: the latest forward was gone back through already/);
  });

  test("with maxTapes 2 the latest two results can be gone back through in any order, older ones not", () => {
    const model = smallModel(type, { maxTapes: 2 });
    const [a, b, c] = [1, 2, 3].map((seed) => model.forward(randomTensor([1, 2, 3], seed)));
    expect(() => model.backward(zeros([1, 2, 3]), { of: anything(a) })).toThrow(StateError);
    model.backward(zeros([1, 2, 3]), { of: anything(b) });
    model.backward(zeros([1, 2, 3]), { of: anything(c) });
    expect(() => model.backward(zeros([1, 2, 3]), { of: anything(c) })).toThrow(/gone back through already/);
  });

  test("stateGrad is the caller's own: read after the tape was used again, or the model disposed, it says the same", () => {
    const [model, prompt] = [smallModel(type), smallModel(type)];
    const start = randomState(model, 2, 3);
    const backOnce = (from: Model, seed: number) => {
      from.forward(randomTensor([2, 3, 3], seed), start);
      return from.backward(good());
    };
    const wanted = [1, 2].map((seed) => bits(dense(backOnce(prompt, seed).stateGrad)));
    const [first, second] = [backOnce(model, 1), backOnce(model, 2)];
    expect(bits(dense(first.stateGrad))).toEqual(wanted[0]);
    model.dispose();
    expect(bits(dense(second.stateGrad))).toEqual(wanted[1]);
    expect(second.stateGrad).toBe(second.stateGrad);
  });

  test("stateGrad of a call without a state can be read until the next forward, and what was read stays", () => {
    const model = smallModel(type);
    const [first, second] = [1, 2].map((seed) => {
      model.forward(randomTensor([2, 3, 3], seed));
      const result = model.backward(good());
      if (seed === 2) expect(result.stateGrad.size).toBeGreaterThan(0);
      return result;
    });
    model.forward(good());
    expect(() => first?.stateGrad).toThrow(StateError);
    expect(() => first?.stateGrad).toThrow(/before the next forward/);
    expect(second?.stateGrad.size).toBeGreaterThan(0);
  });

  test("a disposed model says so at every call", () => {
    const model = smallModel(type);
    const state = model.initialState(2);
    const view = model.parameters().get("output.bias");
    model.dispose();
    model.dispose();
    const calls = [
      () => model.forward(good()),
      () => model.backward(good()),
      () => model.step(zeros([2, 3]), state),
      () => model.parameters(),
      () => model.stateDict(),
      () => model.zeroGrad(),
      () => model.initialState(2),
      () => State.from(model, state.tensors()),
      () => view?.data,
    ];
    for (const call of calls) expect(call).toThrow(/disposed/);
    for (const call of calls) expect(call).toThrow(EngramError);
    expect(model.memoryUsage()).toMatchObject({ weights: 0, sequences: 0, total: 0 });
    expect(model.memoryUsage().peak).toBeGreaterThan(0);
    expect(model.numParameters).toBe(smallModel(type).numParameters);
  });
});

test("what does not fit into memory is an EngramError that says what to lower, and the model goes on", () => {
  const wide = new DNC({ inputSize: 3, hiddenSize: 5, nrCells: 2 ** 24 });
  for (const call of [() => wide.initialState(1), () => wide.initialState(2 ** 40)]) {
    expect(call).toThrow(EngramError);
    expect(call).toThrow(/initialState: a state of \d+ elements is larger than .*lower batchSize or nrCells/);
  }
  const model = new DNC({ inputSize: 3, hiddenSize: 5, nrCells: 2048 });
  const { state } = model.forward(randomTensor([2, 3, 3], 1));
  const want = resultBits(model.forward(randomTensor([2, 3, 3], 2), state));
  expect(() => model.forward(zeros([20, 100, 3]), state)).toThrow(StateError);
  expect(() => model.forward(zeros([20, 100, 3]))).toThrow(EngramError);
  expect(() => model.forward(zeros([20, 100, 3]))).toThrow(
    /for 1 of 5 equal parts.* 7\d{3} MiB are needed.*4096 MiB.*batch size.*recompute: true/,
  );
  expect(resultBits(model.forward(randomTensor([2, 3, 3], 2), state))).toEqual(want);
  expect(() => new DNC({ inputSize: 3, hiddenSize: 40_000 })).toThrow(/MiB are needed.*the model's sizes/);
});

describe("options", () => {
  const base = { inputSize: 3, hiddenSize: 5 };
  const cases: [options: unknown, message: RegExp][] = [
    [undefined, /options must be an object.*inputSize and hiddenSize.*undefined/],
    [null, /options must be an object.*null/],
    [{}, /inputSize is required/],
    [{ inputSize: 3 }, /hiddenSize is required/],
    [{ ...base, hidenSize: 4 }, /'hidenSize'.*did you mean 'hiddenSize'/],
    [{ ...base, nr_cells: 4 }, /'nr_cells'.*did you mean 'nrCells'/],
    [{ ...base, sparseReads: 4 }, /unknown option 'sparseReads': SAM and SDNC have it, DNC has not/],
    [{ ...base, drop: 0.5 }, /'drop'; did you mean 'dropout'/],
    [{ ...base, hiddenSize: 0 }, /hiddenSize must be a whole number of 1 or more, got 0/],
    [{ ...base, hiddenSize: 2.5 }, /hiddenSize.*got 2.5/],
    [{ ...base, inputSize: "3" }, /inputSize.*got '3'/],
    [{ ...base, cellSize: Number.NaN }, /cellSize.*got NaN/],
    [{ ...base, readHeads: null }, /readHeads.*got null/],
    [{ ...base, nrCells: 2 ** 24 + 1 }, /nrCells.*16777216.*got 16777217/],
    [{ ...base, rnnType: "lstmm" }, /rnnType.*'lstm'.*got 'lstmm'; did you mean 'lstm'/],
    [{ ...base, nonlinearity: "sigmoid" }, /nonlinearity.*'tanh', 'relu'.*got 'sigmoid'/],
    [{ ...base, dropout: 1 }, /dropout.*below 1, got 1/],
    [{ ...base, dropout: -0.1 }, /dropout.*got -0.1/],
    [{ ...base, clip: -1 }, /clip.*got -1/],
    [{ ...base, clip: Number.POSITIVE_INFINITY }, /clip.*got Infinity/],
    [{ ...base, seed: 0.5 }, /seed.*got 0.5/],
    [{ ...base, gpuId: 0 }, /gpuId must be -1.*CPU.*got 0/],
    [{ ...base, bidirectional: true }, /bidirectional: true is not supported/],
    [{ ...base, bias: 1 }, /bias must be true or false, got 1/],
    [{ ...base, batchFirst: "yes" }, /batchFirst must be true or false, got 'yes'/],
    [{ ...base, maxTapes: 0 }, /maxTapes.*got 0/],
    [{ ...base, numLayers: 1025 }, /numLayers must be a whole number from 1 to 1024, got 1025/],
    [{ ...base, numHiddenLayers: 0 }, /numHiddenLayers must be a whole number from 1 to 1024, got 0/],
    [{ ...base, inputSize: 2 ** 40 }, /inputSize must be a whole number from 1 to 2147483647, got 1099511627776/],
  ];
  test.each(cases)("%o give a ConfigError", (options, message) => {
    expect(() => new DNC(anything(options))).toThrow(ConfigError);
    expect(() => new DNC(anything(options))).toThrow(message);
  });

  test("of sparse models are checked against each other", () => {
    const sparse = { ...base, nrCells: 4 } as SDNCOptions;
    expect(() => new SAM({ ...sparse, sparseReads: 5 })).toThrow(/sparseReads must be at most nrCells \(4\), got 5/);
    expect(() => new SAM(anything({ ...sparse, temporalReads: 2 }))).toThrow(/'temporalReads': SDNC has it, SAM has not/);
    expect(() => new SAM(anything({ ...sparse, index: "quantised" }))).toThrow(
      /index must be one of 'exact', 'quantized', got 'quantised'; did you mean 'quantized'/,
    );
    expect(() => new SDNC(anything({ ...sparse, index: true }))).toThrow(/index must be one of.*got true/);
    expect(() => new SAM({ ...sparse, cellSize: 513, index: "quantized" })).toThrow(
      /index: 'quantized' takes a cellSize of at most 512, got 513/,
    );
    expect(() => new DNC(anything({ ...base, index: "exact" }))).toThrow(/'index': SAM and SDNC have it, DNC has not/);
    expect(() => new SDNC({ ...sparse, temporalReads: 0 })).toThrow(/temporalReads.*got 0/);
    expect(() => new SDNC({ ...sparse, temporalLinks: 1.5 })).toThrow(/temporalLinks.*got 1.5/);
  });

  test("errors tell their kind by class, name and code", () => {
    try {
      new DNC({ ...base }).forward(zeros([1, 1, 2]));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(EngramError);
      expect([(error as EngramError).name, (error as EngramError).code]).toEqual(["ShapeError", ShapeCode]);
    }
  });
});
