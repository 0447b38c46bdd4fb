import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { KernelBench } from "../../test/kernelBench.js";
import { seeded, uniform } from "../../test/random.js";
import { createOptimizer, type Optimizer, type OptimizerName, type OptimizerOptions, type ParameterRange } from "./optimizers.js";
import { runUpdate } from "./updateRules.js";

interface Case {
  readonly name: OptimizerName;
  readonly options: Readonly<Record<string, unknown>>;
  readonly weights: Readonly<Record<string, number[]>>;
  readonly moments: Readonly<Record<string, number[]>>;
}

interface Reference {
  readonly origin: string;
  readonly weights: number[];
  readonly gradients: number[][];
  readonly cases: Case[];
}

const reference = JSON.parse(readFileSync(new URL("../../test/fixtures/optimizers.json", import.meta.url), "utf8")) as Reference;

const camelCased = (options: Readonly<Record<string, unknown>>): OptimizerOptions =>
  Object.fromEntries(
    Object.entries(options).map(([key, value]) => [
      key === "lr" ? "learningRate" : key.replace(/_(.)/g, (_, c: string) => c.toUpperCase()),
      value,
    ]),
  );

/** Weights in an arena with `guard` floats on either side that must stay as they are. */
class Arenas {
  static readonly guard = 5;
  readonly bench = new KernelBench();
  readonly weights: number;
  readonly gradients: number;
  readonly moments: number[];
  private readonly size: number;

  constructor(
    readonly optimizer: Optimizer,
    readonly start: ArrayLike<number>,
    /** Where an update is cut. */
    private readonly cuts: readonly number[] = [0, start.length],
  ) {
    this.size = start.length + 2 * Arenas.guard;
    this.weights = this.bench.room(this.size);
    this.gradients = this.bench.room(this.size);
    this.moments = optimizer.moments.map(() => this.bench.room(this.size));
    this.bench.engine.f32(this.from(this.weights), start.length).set(start);
    optimizer.initialize(this.bench.engine, this.moments.map(this.from), start.length);
  }

  readonly from = (arena: number) => arena + 4 * Arenas.guard;

  step(gradients: ArrayLike<number>, learningRate = this.optimizer.settings.learningRate): void {
    this.bench.engine.f32(this.from(this.gradients), gradients.length).set(gradients);
    const { weights, gradients: g, moments } = this;
    const buffers = { weights: this.from(weights), gradients: this.from(g), moments: moments.map(this.from) };
    this.optimizer.begin(learningRate);
    const calls = this.optimizer.calls(buffers);
    for (const [i, to] of this.cuts.slice(1).entries()) {
      for (const call of calls) runUpdate(this.bench.kernels, call, this.cuts[i] as number, to);
    }
  }

  take(arena: number): Float32Array {
    return this.bench.take(this.from(arena), this.start.length);
  }

  /** What lies around the arenas was never written. */
  expectGuardsUntouched(): void {
    for (const arena of [this.weights, this.gradients, ...this.moments]) {
      const all = this.bench.take(arena, this.size);
      const around = [...all.subarray(0, Arenas.guard), ...all.subarray(this.size - Arenas.guard)];
      expect(around.every(Number.isNaN)).toBe(true);
    }
  }
}

const whole = (count: number): ParameterRange[] => [{ name: "w", offset: 0, count }];

const everyCase = reference.cases.map((c) => [c.name, JSON.stringify(c.options), c] as const);

// Half a unit in the last place (2⁻²⁴) each for rounding the weight and the change it gets at every update, and four more for
// the change's own operations. PyTorch computed in float64.
const roundings = (updates: number) => (2 * updates + 4) * 2 ** -24;

describe("every optimizer follows PyTorch over 25 updates", () => {
  test.each(everyCase)("%s %s", (name, _, { options, weights, moments }) => {
    const optimizer = createOptimizer(name, camelCased(options), whole(reference.weights.length));
    const arenas = new Arenas(optimizer, reference.weights);
    const largest = reference.weights.map(Math.abs); // of each weight on its way: what was once rounded at that size stays off by as much
    for (const [step, gradients] of reference.gradients.entries()) {
      arenas.step(gradients);
      const want = weights[step + 1];
      if (want === undefined) continue;
      const got = arenas.take(arenas.weights);
      for (const [i, w] of want.entries()) {
        largest[i] = Math.max(largest[i] as number, Math.abs(w));
        expect(Math.abs((got[i] as number) - w), `weight ${i} after ${step + 1}`).toBeLessThanOrEqual(
          roundings(step + 1) * (largest[i] as number),
        );
      }
    }
    expect(optimizer.moments.map((moment) => moment.name).sort()).toEqual(Object.keys(moments).sort());
    for (const [m, { name: moment }] of optimizer.moments.entries()) {
      const got = arenas.take(arenas.moments[m] as number);
      for (const [i, want] of (moments[moment] as number[]).entries()) {
        // A signed average can cancel, so its rounding is that of its terms: gradients and decayed weights.
        const terms = /sq|square|inf|sum|acc/.test(moment)
          ? 0
          : Math.max(...reference.gradients.map((g) => Math.abs(g[i] as number))) + (largest[i] as number);
        expect(Math.abs((got[i] as number) - want), `${moment} ${i}`).toBeLessThanOrEqual(roundings(25) * (Math.abs(want) + terms));
      }
    }
    arenas.expectGuardsUntouched();
  });
});

describe("an update gives the same bits", () => {
  const random = seeded(4);
  const count = 67;
  const start = uniform(random, count);
  const gradients = Array.from({ length: 6 }, () => uniform(random, count, -3, 3));
  const optionsOf = (c: Case) => camelCased(c.options);

  test.each(everyCase)("wherever the arena is cut into groups: %s %s", (name, _, c) => {
    const one = new Arenas(createOptimizer(name, optionsOf(c), whole(count)), start);
    const parameters: ParameterRange[] = [];
    for (const [i, size] of [1, 3, 2, 5, 4, 7, 17, 6, 1, 1, 9, 8, 3].entries()) {
      const last = parameters[i - 1];
      parameters.push({ name: `p${i}`, offset: last === undefined ? 0 : last.offset + last.count, count: size });
    }
    const parameterGroups = [{ parameters: ["p1", "p3", "p11"] }, { parameters: /^p[2469]$/ }, { parameters: (n: string) => n === "p12" }];
    const cut = new Arenas(createOptimizer(name, { ...optionsOf(c), parameterGroups }, parameters), start);
    for (const g of gradients) {
      one.step(g);
      cut.step(g);
    }
    expect(cut.take(cut.weights)).toEqual(one.take(one.weights));
    cut.expectGuardsUntouched();
  });

  test.each(everyCase)("wherever it is cut for threads: %s %s", (name, _, c) => {
    const one = new Arenas(createOptimizer(name, optionsOf(c), whole(count)), start);
    const cut = new Arenas(createOptimizer(name, optionsOf(c), whole(count)), start, [0, 1, 7, 32, 33, count]);
    for (const g of gradients) {
      one.step(g);
      cut.step(g);
    }
    expect(cut.take(cut.weights)).toEqual(one.take(one.weights));
    cut.expectGuardsUntouched();
  });

  test.each(everyCase)("after saving and restoring half-way: %s %s", (name, _, c) => {
    const make = () => new Arenas(createOptimizer(name, optionsOf(c), whole(count)), start);
    const uninterrupted = make();
    const before = make();
    for (const g of gradients) uninterrupted.step(g);
    for (const g of gradients.slice(0, 3)) before.step(g);
    const after = make();
    after.optimizer.restore(JSON.parse(JSON.stringify(before.optimizer.state())));
    const copy = (from: number, to: number) => after.bench.engine.f32(after.from(to), count).set(before.take(from));
    copy(before.weights, after.weights);
    for (const [i, moment] of before.moments.entries()) copy(moment, after.moments[i] as number);
    for (const g of gradients.slice(3)) after.step(g);
    expect(after.take(after.weights)).toEqual(uninterrupted.take(uninterrupted.weights));
    expect(after.optimizer.state()).toEqual(uninterrupted.optimizer.state());
  });
});

describe("edges", () => {
  const run = (name: OptimizerName, options: OptimizerOptions, gradients: number[], updates: number) => {
    const arenas = new Arenas(createOptimizer(name, options, whole(gradients.length)), new Float32Array(gradients.length).fill(0.5));
    for (let i = 0; i < updates; i++) arenas.step(gradients);
    return arenas;
  };

  test.each(everyCase)("weights without any gradient stay finite: %s %s", (name, _, c) => {
    const arenas = run(name, camelCased(c.options), [0, 0, 0, 0, 0], 50);
    expect(arenas.take(arenas.weights).every(Number.isFinite)).toBe(true);
  });

  test("moments decay to exact zeros, never to denormals", () => {
    const options = { betas: [0.5, 0.5], learningRate: 0 } as const;
    const arenas = run("adam", options, [1, -1, 3], 1);
    const smallest: number[] = [];
    for (let i = 0; i < 120; i++) {
      arenas.step([0, 0, 0]);
      for (const moment of arenas.moments) smallest.push(...arenas.take(moment).map(Math.abs));
    }
    expect(smallest.every((x) => x === 0 || x >= 1e-30)).toBe(true);
    expect(arenas.take(arenas.moments[0] as number)).toEqual(new Float32Array(3));
  });

  test("a steady gradient gives centered RMSprop no root of a negative number", () => {
    const gradients = Array.from({ length: 40 }, (_, i) => 0.1 + i / 7);
    const arenas = run("rmsprop", { centered: true, learningRate: 1e-6 }, gradients, 2000);
    expect(arenas.take(arenas.weights).every(Number.isFinite)).toBe(true);
  });

  test("gradients near the smallest the engine keeps move weights by no more than the learning rate", () => {
    for (const tiny of [1e-15, 1e-18, 1e-22, 1e-29]) {
      for (const [name, options] of [
        ["adam", {}],
        ["adam", { eps: 1e-15 }],
        ["adamax", { eps: 1e-15 }],
        ["rmsprop", { eps: 1e-15 }],
      ] as const) {
        const arenas = run(name, { ...options, learningRate: 0.01 }, [tiny], 1);
        // RMSprop's first step is 1/√(1 − α) = 10 learning rates for gradients of any size.
        expect(Math.abs((arenas.take(arenas.weights)[0] as number) - 0.5), `${name} ${tiny}`).toBeLessThanOrEqual(0.1001);
      }
    }
  });
});

describe("parameter groups", () => {
  const parameters: ParameterRange[] = [
    { name: "lstm_layer_0.weight_ih_l0", offset: 0, count: 6 },
    { name: "lstm_layer_0.bias_ih_l0", offset: 6, count: 3 },
    { name: "output.weight", offset: 9, count: 4 },
    { name: "output.bias", offset: 13, count: 1 },
  ];
  const random = seeded(9);
  const start = uniform(random, 14);
  const gradients = Array.from({ length: 5 }, () => uniform(random, 14));
  const isBias = (i: number) => (i >= 6 && i < 9) || i === 13;
  const train = (options: OptimizerOptions, learningRate?: number, name: OptimizerName = "adamw") => {
    const arenas = new Arenas(createOptimizer(name, options, parameters), start);
    for (const g of gradients) arenas.step(g, learningRate);
    return arenas.take(arenas.weights);
  };

  test("no weight decay on biases", () => {
    const all = train({ weightDecay: 0.5 });
    const none = train({ weightDecay: 0 });
    const weightsOnly = train({ weightDecay: 0.5, parameterGroups: [{ parameters: /\.bias/, weightDecay: 0 }] });
    expect(weightsOnly).toEqual(all.map((w, i) => (isBias(i) ? (none[i] as number) : w)));
    expect(all).not.toEqual(none);
  });

  test("a group's learning rate keeps its ratio to the optimizer's", () => {
    const options = { learningRate: 0.5, parameterGroups: [{ parameters: /bias/, learningRate: 0.125 }] };
    const both = (base: number, own: number) => {
      const [atBase, atOwn] = [train({ learningRate: base }), train({ learningRate: own })];
      return atBase.map((w, i) => (isBias(i) ? (atOwn[i] as number) : w));
    };
    expect(train(options)).toEqual(both(0.5, 0.125));
    expect(train(options, 0.25)).toEqual(both(0.25, 0.0625));
  });

  test("a group may keep moments that the others do not", () => {
    const options = { learningRate: 0.1, parameterGroups: [{ parameters: ["output.bias"], momentum: 0.9 }] };
    expect(createOptimizer("sgd", options, parameters).moments).toEqual([{ name: "momentum_buffer", initial: 0 }]);
    const plain = train({ learningRate: 0.1 }, undefined, "sgd");
    const momentum = train({ learningRate: 0.1, momentum: 0.9 }, undefined, "sgd");
    expect(train(options, undefined, "sgd")).toEqual(plain.map((w, i) => (i === 13 ? (momentum[i] as number) : w)));
  });

  test("neighbouring parameters are updated as one range", () => {
    const optimizer = createOptimizer("sgd", { parameterGroups: [{ parameters: ["output.weight", "output.bias"] }] }, parameters);
    const calls = optimizer.calls({ weights: 64, gradients: 64, moments: [] });
    expect(calls.map(({ first, count }) => [first, count])).toEqual([
      [9, 5],
      [0, 9],
    ]);
  });

  const refuse = (name: string, options: object) => () => createOptimizer(name as OptimizerName, options, parameters);
  const group = (own: object) => ({ parameterGroups: [{ parameters: /bias/, ...own }] });

  test.each([
    [
      "an unknown optimizer",
      refuse("adma", {}),
      "optimizer must be one of adam, adamw, adamax, rmsprop, sgd, adagrad, adadelta, got 'adma'; did you mean 'adam'?",
    ],
    [
      "PyTorch's lr",
      refuse("adadelta", { lr: 1 }),
      "lr is not an option of optimizer 'adadelta' (it has learningRate, rho, eps, weightDecay); did you mean 'learningRate'?",
    ],
    [
      "a misspelt option",
      refuse("adam", { weight_decay: 1 }),
      "weight_decay is not an option of optimizer 'adam' (it has learningRate, betas, eps, weightDecay, amsgrad); did you mean 'weightDecay'?",
    ],
    ["an option of another optimizer", refuse("adam", { nesterov: true }), "nesterov is not an option of optimizer 'adam'"],
    ["a negative learning rate", refuse("sgd", { learningRate: -1 }), "learningRate must be a finite number, at least 0, got -1"],
    ["NaN", refuse("sgd", { weightDecay: Number.NaN }), "weightDecay must be a finite number, at least 0, got NaN"],
    ["a beta of 1", refuse("adam", { betas: [0.9, 1] }), "betas[1] must be a finite number, at least 0 and below 1, got 1"],
    ["one beta", refuse("adam", { betas: 0.9 }), "betas must be two numbers, got 0.9"],
    ["no eps", refuse("adagrad", { eps: 0 }), "eps must be a finite number, at least 1e-15, got 0"],
    ["a number for a switch", refuse("rmsprop", { centered: 1 }), "centered must be true or false, got 1"],
    [
      "Nesterov without momentum",
      refuse("sgd", { nesterov: true }),
      "nesterov needs a momentum above 0 and a dampening of 0, got momentum 0 and dampening 0",
    ],
    ["groups that are none", refuse("sgd", { parameterGroups: {} }), "parameterGroups must be an array, got an object"],
    ["a misspelt group option", refuse("sgd", group({ momentun: 1 })), "parameterGroups[0].momentun is not an option of optimizer 'sgd'"],
    [
      "a misspelt parameter",
      refuse("sgd", group({ parameters: ["output.bais"] })),
      "parameterGroups[0].parameters: the model has no parameter 'output.bais'; did you mean 'output.bias'?",
    ],
    [
      "a pattern without match",
      refuse("sgd", group({ parameters: /gamma/ })),
      "parameterGroups[0].parameters matches none of the model's parameters: lstm_layer_0.weight_ih_l0, ",
    ],
    [
      "parameters of the wrong kind",
      refuse("sgd", group({ parameters: "output" })),
      "parameterGroups[0].parameters must be an array of names, a RegExp or a function of the name, got 'output'",
    ],
    [
      "a parameter in two groups",
      refuse("sgd", { parameterGroups: [{ parameters: /bias/ }, { parameters: /output/ }] }),
      "parameterGroups[1]: parameter 'output.bias' is in parameterGroups[0] already",
    ],
    [
      "a group's own start",
      refuse("adagrad", group({ initialAccumulatorValue: 1 })),
      "parameterGroups[0].initialAccumulatorValue: give it once for all parameters",
    ],
    [
      "a ratio to 0",
      refuse("sgd", { learningRate: 0, ...group({ learningRate: 1 }) }),
      "parameterGroups[0].learningRate needs an optimizer's learningRate above 0",
    ],
  ])("refuse %s", (_, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: "CONFIG", message: expect.stringContaining(message) }));
  });

  test("undefined counts as not given", () => {
    expect(createOptimizer("adam", { learningRate: undefined, parameterGroups: undefined }, parameters).settings.learningRate).toBe(1e-3);
  });
});

test("a state that does not fit is refused and changes nothing", () => {
  const adam = createOptimizer("adam", {}, whole(1));
  const state = adam.state();
  for (const [wrong, message] of [
    [createOptimizer("sgd", {}, whole(1)).state(), "the optimizer's state is that of 'sgd', this trainer uses 'adam'"],
    [{ ...state, step: -1 }, "step must be a whole number of 0 or more, got -1"],
    [
      {
        ...state,
        products: [
          [0.5, 0.5],
          [1, 1],
        ],
      },
      "products must be 1 lists (one a parameter group) of 2 numbers",
    ],
    [{ ...state, products: [[0.5, Number.NaN]] }, "products must be 1 lists"],
  ] as const) {
    expect(() => adam.restore(wrong)).toThrow(expect.objectContaining({ code: "CHECKPOINT", message: expect.stringContaining(message) }));
  }
  expect(adam.state()).toEqual(state);
});
