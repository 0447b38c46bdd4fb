// A State is a value: what it says never changes after it was returned, whatever the model does later.
import { describe, expect, test } from "vitest";
import { StateError } from "../src/errors.js";
import { State } from "../src/models/state.js";
import type { SparseStateTensor } from "../src/models/stateTensor.js";
import type { Tensor } from "../src/tensor.js";
import { seeded } from "./random.js";
import { bits, elementsOf, modelTypes, randomState, randomTensor, resultBits, smallModel } from "./wholeModels.js";

describe.each(modelTypes)("%s", (type) => {
  test("a state reads the same after backward, later forwards, steps, training and dispose, in any order", () => {
    const model = smallModel(type, { maxTapes: 2 });
    const witness = smallModel(type);
    const input = (seed: number) => randomTensor([3, 4, 3], seed);
    // The witness's states are read at once, the model's only at the end: so they were still in the engine when the next call came.
    const first = witness.forward(input(1)).state;
    const want = [first, witness.forward(input(2), first).state, witness.forward(input(3)).state].map((state) => bits(state.tensors()));

    const a = model.forward(input(1)).state;
    const second = model.forward(input(2), a);
    model.backward(randomTensor([3, 4, 3], 4), { of: second });
    const c = model.eval().forward(input(3)).state;
    model.forward(randomTensor([7, 2, 3], 5));
    const other = model.initialState(3);
    model.step(randomTensor([3, 3], 6), other);
    model.train().forward(input(7), other);
    model.loadStateDict(smallModel(type, { seed: 8 }).stateDict());
    model.dispose();
    expect([c, second.state, a].map((state) => bits(state.tensors()))).toEqual([want[2], want[1], want[0]]);
  });

  test("a step changes the state it is given and no other", () => {
    const model = smallModel(type);
    const { state } = model.forward(randomTensor([2, 3, 3], 1));
    const copy = State.from(model, state.tensors());
    const before = bits(state.tensors());
    model.step(randomTensor([2, 3], 2), copy);
    expect(bits(state.tensors())).toEqual(before);
    expect(bits(copy.tensors())).not.toEqual(before);
  });

  test.each([true, false])("a forward from a state that steps have moved on starts from where it is (training %s)", (training) => {
    const [model, witness] = [smallModel(type), smallModel(type)];
    if (!training) model.eval();
    const inputs = [1, 2, 3].map((seed) => randomTensor([2, 1, 3], seed)) as [Tensor, Tensor, Tensor];
    const whole = { data: new Float32Array(18), shape: [2, 3, 3] };
    for (const [t, { data }] of inputs.entries()) for (const b of [0, 1]) whole.data.set(data.subarray(3 * b, 3 * b + 3), 9 * b + 3 * t);
    const want = witness.forward(whole);

    const { state } = model.forward(inputs[0]);
    model.step({ data: inputs[1].data, shape: [2, 3] }, state);
    expect(bits(model.forward(inputs[2], state).state.tensors())).toEqual(bits(want.state.tensors()));
  });

  test("a state passed to forward stays usable: going on from it twice gives the same bits", () => {
    const model = smallModel(type);
    const { state } = model.forward(randomTensor([2, 3, 3], 1));
    const again = () => resultBits(model.forward(randomTensor([2, 2, 3], 2), state));
    const first = again();
    model.backward(randomTensor([2, 2, 3], 3));
    expect(again()).toEqual(first);
    expect(resultBits(model.eval().forward(randomTensor([2, 2, 3], 2), state))).toEqual(first);
  });

  test.each(["tensors", "sparseTensors"] as const)(
    "State.from(%s) gives the same state, in another model of the same options too",
    (form) => {
      const model = smallModel(type, { numLayers: 2, shareMemory: false });
      const state = randomState(model, 10, 3);
      const twin = smallModel(type, { numLayers: 2, shareMemory: false, seed: 99, batchFirst: false, dropout: 0.5 });
      for (const owner of [model, twin]) {
        const copy = State.from(owner, state[form]());
        expect(bits(copy.tensors())).toEqual(bits(state.tensors()));
        expect(copy.batchSize).toBe(10);
      }
      const input = randomTensor([10, 2, 3], 4);
      const want = resultBits(model.forward(input, state));
      expect(resultBits(model.forward(input, State.from(model, state[form]())))).toEqual(want);
      const sameWeights = smallModel(type, { numLayers: 2, shareMemory: false, recompute: true, maxTapes: 3 });
      expect(resultBits(sameWeights.forward(input, state))).toEqual(want);
    },
  );

  test("State.from takes sparse tensors in any order", () => {
    const model = smallModel(type);
    const state = randomState(model, 10, 3);
    const reversed = new Map([...state.sparseTensors()].map(([name, tensor]) => [name, "data" in tensor ? tensor : backToFront(tensor)]));
    expect(bits(State.from(model, reversed).tensors())).toEqual(bits(state.tensors()));
  });

  test("controllerHidden, memory and readVectors show the tensors of tensors()", () => {
    const model = smallModel(type, { numLayers: 2, numHiddenLayers: 2, shareMemory: false });
    const state = randomState(model, 3, 5);
    const tensors = state.tensors();
    expect(state.controllerHidden.map(({ h }) => h)).toEqual([0, 1].map((l) => tensors.get(`controller_hidden.${l}.h`)));
    expect(state.controllerHidden.map(({ c }) => c)).toEqual([0, 1].map((l) => tensors.get(`controller_hidden.${l}.c`)));
    expect(state.readVectors).toEqual(tensors.get("read_vectors"));
    for (const [m, memory] of state.memory.entries()) {
      for (const [name, tensor] of Object.entries(memory)) expect(tensor).toEqual(tensors.get(`memory.${m}.${name}`));
    }
    expect(state.memory.length).toBe(2);
  });

  test("what state.tensors() gave is a copy: writing to it changes no state", () => {
    const model = smallModel(type);
    const { state } = model.forward(randomTensor([2, 3, 3], 1));
    const want = bits(state.tensors());
    for (const { data } of state.tensors().values()) data.fill(0.5);
    for (const { h } of state.controllerHidden) h.data.fill(0.5);
    expect(bits(state.tensors())).toEqual(want);
  });

  test("1,000 interleaved streaming states give the bits of streams of their own", () => {
    const [model, alone] = [smallModel(type), smallModel(type)];
    const input = (stream: number, t: number) => randomTensor([1, 3], 10 * stream + t);
    const states = Array.from({ length: 1000 }, () => model.initialState(1));
    for (let t = 0; t < 3; t++) for (const [i, state] of states.entries()) model.step(input(i, t), state);
    for (const i of [0, 1, 500, 999]) {
      const state = alone.initialState(1);
      for (let t = 0; t < 3; t++) alone.step(input(i, t), state);
      expect(bits((states[i] as State).tensors())).toEqual(bits(state.tensors()));
    }
  });

  test("a state of another batch size, model or kind is refused, and the model goes on as before", () => {
    const model = smallModel(type);
    const input = randomTensor([2, 3, 3], 1);
    const { state } = model.forward(input);
    const want = resultBits(model.forward(input, state));
    const others = [
      [smallModel(type).initialState(3), /batch size 3.*2/],
      [smallModel(type, { hiddenSize: 6 }).initialState(2), /another model/],
      [smallModel(type, { nrCells: 7 }).initialState(2), /another model/],
      [smallModel(type, { rnnType: "gru" }).initialState(2), /another model/],
      [smallModel(type === "dnc" ? "sam" : "dnc").initialState(2), /another model/],
    ] as const;
    for (const [other, message] of others) {
      expect(() => model.forward(input, other)).toThrow(StateError);
      expect(() => model.forward(input, other)).toThrow(message);
    }
    expect(() => model.step(randomTensor([3, 3], 2), smallModel(type, { hiddenSize: 6 }).initialState(3))).toThrow(StateError);
    for (const wrong of [null, {}, "state", { lengths: [1, 2] }]) {
      expect(() => model.forward(input, wrong as unknown as State)).toThrow(/state must be a State/);
    }
    expect(resultBits(model.forward(input, state))).toEqual(want);
  });
});

/** The same tensor with its last value first. */
function backToFront({ shape, positions, values }: SparseStateTensor): SparseStateTensor {
  const rank = shape.length;
  const rows = Array.from(values.keys()).reverse();
  return {
    shape,
    positions: Int32Array.from(rows.flatMap((row) => [...positions.subarray(row * rank, (row + 1) * rank)])),
    values: Float32Array.from(rows, (row) => values[row] as number),
  };
}

/** What a fuzzed model did, told to a second one that only ever sees states as tensors. */
interface Known {
  readonly state: State;
  tensors: ReadonlyMap<string, Tensor>;
}

test.each(modelTypes)("300 random calls of a %s leave every state as a model without memory of its calls would", (type) => {
  const random = seeded(11);
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  const model = smallModel(type, { maxTapes: 2, recompute: type === "sam" });
  const oracle = smallModel(type);
  const known: Known[] = [];
  const calls: Record<string, (n: number) => void> = {
    forward(n) {
      const from = random() < 0.8 && known.length > 0 ? pick(known) : undefined;
      const batch = from?.state.batchSize ?? pick([1, 2, 9]);
      const options = { passThroughMemory: random() < 0.9, resetExperience: random() < 0.1 };
      const input = randomTensor([batch, 1 + Math.floor(3 * random()), 3], n);
      const { output, state } =
        random() < 0.5 ? model.train().forward(input, from?.state, options) : model.eval().forward(input, from?.state, options);
      const want = oracle.forward(input, from && State.from(oracle, from.tensors), options);
      expect(bits(output)).toEqual(bits(want.output));
      known.push({ state, tensors: want.state.tensors() });
    },
    step(n) {
      const on = known.length > 0 ? pick(known) : { state: model.initialState(2), tensors: oracle.initialState(2).tensors() };
      const input = randomTensor([on.state.batchSize, 3], n);
      const copy = State.from(oracle, on.tensors);
      expect(bits(model.step(input, on.state))).toEqual(bits(oracle.step(input, copy)));
      on.tensors = copy.tensors();
    },
    backward(n) {
      try {
        model.backward(randomTensor([1, 1, 3], n));
      } catch {
        // Spent, or of another shape: refused, and nothing may have changed.
      }
    },
    read() {
      const { state, tensors } =
        known.length > 0 ? pick(known) : { state: model.initialState(1), tensors: oracle.initialState(1).tensors() };
      expect(bits(state.tensors())).toEqual(bits(tensors));
    },
  };
  for (let n = 0; n < 300; n++) {
    calls[pick(["forward", "step", "step", "backward", "read"])]?.(n);
    if (known.length > 20) known.splice(Math.floor(random() * 20), 1);
  }
  for (const { state, tensors } of known) expect(bits(state.tensors())).toEqual(bits(tensors));
});

test("a batch of states can be taken apart and put together again", () => {
  const model = smallModel("dnc");
  const tensors = randomState(model, 6, 1).tensors();
  const axis = (name: string) => (name.startsWith("controller_hidden.") ? 1 : 0);
  const one = new Map([...tensors].map(([name, tensor]) => [name, elementsOf(tensor, 4, 1, axis(name))]));
  expect(bits(State.from(model, one).tensors())).toEqual(bits(one));
});
