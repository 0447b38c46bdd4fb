// How a call looks from outside: batch first or time first, tensors or nested arrays, outputs of another size, one step or many.
import { describe, expect, test } from "vitest";
import { StateError } from "../src/errors.js";
import { State } from "../src/models/state.js";
import type { Tensor } from "../src/tensor.js";
import {
  bits,
  dense,
  gradientsOf,
  modelTypes,
  randomState,
  randomStateGradient,
  randomTensor,
  resultBits,
  smallModel,
} from "./wholeModels.js";

/** [A, B, W] as [B, A, W]. */
function transposed({ data, shape }: Tensor): Tensor {
  const [a, b, width] = shape as [number, number, number];
  const out = new Float32Array(data.length);
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++) out.set(data.subarray((i * b + j) * width, (i * b + j + 1) * width), (j * a + i) * width);
  return { data: out, shape: [b, a, width] };
}

function nested({ data, shape }: Tensor): number[][][] {
  const [a, b, width] = shape as [number, number, number];
  return Array.from({ length: a }, (_, i) =>
    Array.from({ length: b }, (_, j) => [...data.subarray((i * b + j) * width, (i * b + j + 1) * width)]),
  );
}

describe.each(modelTypes)("%s", (type) => {
  test.each([undefined, [4, 1, 3, 4, 2, 4, 4, 1, 1]])("time first gives the numbers of batch first, transposed (lengths %o)", (lengths) => {
    const options = { numLayers: 2, outputSize: 2, debug: true };
    const [first, second] = [smallModel(type, options), smallModel(type, { ...options, batchFirst: false })];
    const start = randomState(first, 9, 1);
    const [input, outputGrad, stateGrad] = [randomTensor([9, 4, 3], 2), randomTensor([9, 4, 2], 3), randomStateGradient(first, 9, 4)];
    const want = first.forward(input, start, lengths && { lengths });
    const wantBack = first.backward(outputGrad, { stateGrad });
    const got = second.forward(transposed(input), start, lengths && { lengths });
    const gotBack = second.backward(transposed(outputGrad), { stateGrad });
    expect(got.output.shape).toEqual([4, 9, 2]);
    expect(resultBits({ ...got, output: transposed(got.output) })).toEqual(resultBits(want));
    expect(bits(got.debug as Map<string, Tensor>)).toEqual(bits(want.debug as Map<string, Tensor>));
    expect(bits(transposed(gotBack.inputGrad))).toEqual(bits(wantBack.inputGrad));
    expect(bits(dense(gotBack.stateGrad))).toEqual(bits(dense(wantBack.stateGrad)));
    expect(bits(gradientsOf(second))).toEqual(bits(gradientsOf(first)));
  });

  test("nested arrays are taken as tensors are", () => {
    const model = smallModel(type);
    const [input, outputGrad] = [randomTensor([2, 3, 3], 1), randomTensor([2, 3, 3], 2)];
    const want = resultBits(model.forward(input));
    const wantGrad = bits(model.backward(outputGrad).inputGrad);
    expect(resultBits(model.forward(nested(input)))).toEqual(want);
    expect(bits(model.backward(nested(outputGrad)).inputGrad)).toEqual(wantGrad);
  });

  test("what forward and backward are given is read, never written, and what they give is the caller's own", () => {
    const model = smallModel(type);
    const [input, outputGrad] = [randomTensor([2, 3, 3], 1), randomTensor([2, 3, 3], 2)];
    const before = [bits(input), bits(outputGrad)];
    const { output, state } = model.forward(input);
    const { inputGrad } = model.backward(outputGrad);
    const given = [bits(output), bits(inputGrad), bits(state.tensors())];
    model.forward(randomTensor([2, 3, 3], 3));
    model.backward(randomTensor([2, 3, 3], 4));
    expect([bits(input), bits(outputGrad)]).toEqual(before);
    expect([bits(output), bits(inputGrad), bits(state.tensors())]).toEqual(given);
  });

  test("without lengths debug has a row for each step and layer; past its length the first element's rows repeat", () => {
    const model = smallModel(type, { numLayers: 2, shareMemory: false, debug: true });
    const input = randomTensor([2, 40, 3], 1);
    const full = model.forward(input).debug as Map<string, Tensor>;
    for (const { shape } of full.values()) expect(shape[0]).toBe(80);
    expect(bits(model.eval().forward(input).debug as Map<string, Tensor>)).toEqual(bits(full));
    const short = model.forward(input, undefined, { lengths: [5, 40] }).debug as Map<string, Tensor>;
    for (const [name, { data, shape }] of short) {
      const width = shape[1] as number;
      const row = (i: number) => [...data.subarray(i * width, (i + 1) * width)];
      const wanted = full.get(name)?.data as Float32Array;
      expect(shape, name).toEqual([80, width]);
      for (let i = 0; i < 80; i++)
        expect(row(i), `${name} row ${i}`).toEqual([...wanted.subarray(Math.min(i, 8 + (i % 2)) * width).subarray(0, width)]);
    }
  });

  test("debug is not there without the option, and empty without memory accesses", () => {
    expect(smallModel(type).forward(randomTensor([1, 2, 3], 1)).debug).toBeUndefined();
    const { debug } = smallModel(type, { debug: true }).forward(randomTensor([1, 2, 3], 1), undefined, { passThroughMemory: false });
    for (const { shape } of debug?.values() ?? []) expect(shape[0]).toBe(0);
    expect(debug).toBeInstanceOf(Map);
  });

  test("debug of more than 1 GiB is refused before anything changed, with its size", () => {
    const model = smallModel(type, { nrCells: type === "dnc" ? 8192 : 2 ** 24, debug: true });
    const input = randomTensor([1, type === "dnc" ? 5 : 3, 3], 1);
    const refused = [() => model.forward(input), () => model.eval().forward(input)];
    for (const call of refused) expect(call).toThrow(StateError);
    for (const call of refused) expect(call).toThrow(/forward: debug of [35] accesses takes 1\d{3} MiB and may take 1024/);
    const { debug } = model.forward(input, undefined, { passThroughMemory: false });
    expect(debug?.size).toBe(0);
  });

  test("resetExperience empties memory and clock and keeps controller state and read vectors", () => {
    const model = smallModel(type);
    const start = randomState(model, 2, 1);
    const emptied = new Map(model.initialState(2).tensors());
    for (const [name, tensor] of start.tensors()) if (!name.startsWith("memory.")) emptied.set(name, tensor);
    const input = randomTensor([2, 3, 3], 2);
    const want = resultBits(model.forward(input, State.from(model, emptied)));
    for (const evaluate of [false, true]) {
      expect(resultBits((evaluate ? model.eval() : model.train()).forward(input, start, { resetExperience: true }))).toEqual(want);
    }
  });

  test("passThroughMemory: false leaves the memory and its clock as they were and reads 0", () => {
    const model = smallModel(type, { numLayers: 2 });
    const start = randomState(model, 2, 1);
    const { state } = model.forward(randomTensor([2, 3, 3], 2), start, { passThroughMemory: false });
    const [before, after] = [start.tensors(), state.tensors()];
    for (const [name, tensor] of after) if (name.startsWith("memory.")) expect(tensor, name).toEqual(before.get(name));
    expect(state.readVectors.data.every((value) => value === 0)).toBe(true);
    expect(state.controllerHidden).not.toEqual(start.controllerHidden);
  });
});
