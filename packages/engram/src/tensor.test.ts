import { expect, test } from "vitest";
import { normalReference } from "../test/reference/philox.js";
import { ConfigError, ShapeError } from "./errors.js";
import { randn, sizeOf, tensor, zeros } from "./tensor.js";

test("tensor copies flat numbers of any kind of array", () => {
  const source = Float32Array.from([1, 2, 3, 4, 5, 6]);
  const made = tensor(source, [2, 3]);
  source[0] = 9;
  expect(made).toEqual({ data: Float32Array.from([1, 2, 3, 4, 5, 6]), shape: [2, 3] });
  expect(tensor([0.1, -2, 3], [3, 1]).data).toEqual(Float32Array.from([0.1, -2, 3]));
  expect(tensor(Float64Array.from([7]), [])).toEqual({ data: Float32Array.from([7]), shape: [] });
  expect(tensor([1, 2]).shape).toEqual([2]);
});

test("tensor takes its shape from nested arrays, or checks it against them", () => {
  const nested = [
    [[1], [2], [3]],
    [[4], [5], [6]],
  ];
  expect(tensor(nested)).toEqual({ data: Float32Array.from([1, 2, 3, 4, 5, 6]), shape: [2, 3, 1] });
  expect(tensor(nested, [2, 3, 1])).toEqual(tensor(nested));
  expect(() => tensor(nested, [3, 2, 1])).toThrow("tensor: shape [3, 2, 1] needs 6 numbers, got nested arrays of [2, 3, 1]");
  expect(tensor([[], []]).shape).toEqual([2, 0]);
});

test("what is not a tensor is a ShapeError that says why", () => {
  expect(() => tensor([1, 2, 3], [2, 2])).toThrow(new ShapeError("tensor: shape [2, 2] needs 4 numbers, got 3"));
  expect(() => tensor([[1, 2], [3]])).toThrow("tensor: nested arrays must be of shape [2, 2], got 1 elements along axis 1");
  expect(() => tensor([[1, 2], 3])).toThrow(ShapeError);
  expect(() => tensor([[1, "2"]] as never)).toThrow(ShapeError);
  expect(() => tensor([[[1]], [[[2]]]])).toThrow(ShapeError);
  expect(() => tensor(["1"] as never, [1])).toThrow("tensor: elements must be numbers, got string at [0]");
  // biome-ignore lint/suspicious/noSparseArray: a hole is one of the things that come
  expect(() => tensor([1, , 3] as never)).toThrow("tensor: elements must be numbers, got undefined at [1]");
  expect(() => tensor(new BigInt64Array(2) as never, [2])).toThrow("tensor: elements must be numbers, got bigint at [0]");
  for (const data of [null, undefined, 5, "12", {}]) {
    expect(() => tensor(data as never, [2])).toThrow(ShapeError);
    expect(() => tensor(data as never, [2])).toThrow(/^tensor: data must be nested arrays or an array of numbers, got /);
  }
  for (const shape of [[2 ** 40], [2 ** 20, 2 ** 20]]) {
    expect(() => zeros(shape)).toThrow(ShapeError);
    expect(() => zeros(shape)).toThrow("needs 4398046511104 bytes");
  }
  for (const shape of [[-1], [1.5], [Number.NaN], [2 ** 27, 2 ** 27], 3, undefined, ["2"]]) {
    expect(() => zeros(shape as never)).toThrow(/^zeros: shape must be an array of non-negative integers, got /);
  }
});

test("zeros has the size of its shape, and keeps a copy of it", () => {
  const shape = [2, 0, 3];
  expect(zeros(shape)).toEqual({ data: new Float32Array(0), shape: [2, 0, 3] });
  const made = zeros([2, 3]);
  expect(made.data).toEqual(new Float32Array(6));
  shape[0] = 5;
  expect(sizeOf(made.shape)).toBe(6);
});

test("randn is the seed's normal numbers, whatever was drawn before, in pieces or at once", () => {
  const stream = 0x6e6f726d;
  const want = normalReference(15, [7, 0], stream, 0);
  expect(randn([3, 5], 7).data).toBeClose(want, { atol: 1e-5 }); // see kernels/philox.test.ts
  const long = randn([70_000], 7); // more than one piece
  expect(long.data.subarray(0, 15)).toEqual(randn([15], 7).data);
  expect(long.data.subarray(65_530, 65_545)).toBeClose(normalReference(15, [7, 0], stream, 65_530), { atol: 1e-5 });
  expect(randn([15], 8).data).not.toEqual(randn([15], 7).data);
  expect(randn([0, 4], 1).data).toHaveLength(0);
  expect(() => randn([1], 0.5)).toThrow(ConfigError);
});
