import { expect, test } from "vitest";
import { KernelBench } from "../test/kernelBench.js";
import { streamReference } from "../test/reference/philox.js";
import { ConfigError } from "./errors.js";
import { keyOfSeed, philox4x32, Random } from "./random.js";

// Random123's kat_vectors for philox4x32 with 10 rounds: counter, key, words.
test.each([
  ["00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  ["ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  ["243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
])("philox4x32 gives the published words for counter %s and key %s", (counter, key, words) => {
  const parse = (text: string) => text.split(" ").map((word) => Number.parseInt(word, 16));
  const out = new Uint32Array(4);
  philox4x32(out, parse(counter), parse(key) as [number, number]);
  expect([...out]).toEqual(parse(words));
});

const seeds = [0, 1, -1, 2 ** 32, -(2 ** 40) - 3, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];

test.each(seeds)("seed %i: the generator, the kernel and the reference give the same numbers", (seed) => {
  const bench = new KernelBench();
  for (const [stream, offset] of [
    [0, 0],
    [3, 5],
    [0xffffffff, 1_000_001],
  ] as const) {
    const random = Random.from({ seed, stream, counter: offset });
    const numbers = Array.from({ length: 21 }, () => random.uniform());
    const out = bench.room(21);
    bench.kernels.philoxUniform(out, 21, ...keyOfSeed(seed), stream, offset);
    expect([...bench.take(out, 21)]).toEqual(numbers);
    const key = [BigInt.asUintN(32, BigInt(seed)), BigInt.asUintN(64, BigInt(seed)) >> 32n].map(Number);
    expect(streamReference(21, key, stream, offset).map((word) => (word >>> 8) / 2 ** 24)).toEqual(numbers);
  }
});

test("a saved generator goes on where it stood, after any kind of draw and through JSON", () => {
  const random = new Random(5, 9);
  for (let i = 0; i < 50; i++) {
    random.bit();
    random.integer(0, 3);
    random.fillBits(new Float32Array(i));
    const copy = Random.from(JSON.parse(JSON.stringify(random.state())));
    expect(copy.nextUint32()).toBe(random.nextUint32());
  }
});

test("counters beyond 2^34 carry into the second counter word", () => {
  const counter = 2 ** 34 - 2;
  const random = Random.from({ seed: 1, stream: 0, counter });
  expect(Array.from({ length: 8 }, () => random.nextUint32())).toEqual(streamReference(8, [1, 0], 0, counter));
});

test("integers stay within their bounds and each is equally likely", () => {
  const random = new Random(7);
  const counts = new Array<number>(6).fill(0);
  for (let i = 0; i < 60_000; i++) {
    const at = random.integer(-2, 4) + 2;
    counts[at] = (counts[at] as number) + 1;
  }
  expect(counts).toHaveLength(6);
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(5 * Math.sqrt((60_000 * 5) / 36)); // five standard errors
  expect(random.integer(8, 9)).toBe(8);
});

test("integer is unbiased where the range does not divide 2^32: both thirds of 3·2^30 are drawn alike", () => {
  const random = new Random(8);
  const draws = 30_000;
  let low = 0;
  for (let i = 0; i < draws; i++) if (random.integer(0, 3 * 2 ** 30) < 2 ** 30) low++;
  expect(Math.abs(low / draws - 1 / 3)).toBeLessThan(5 * Math.sqrt(2 / 9 / draws)); // a plain remainder would give 1/2
});

test("bits are fair, fillBits takes 32 from a number, and fillUniform keeps to its range", () => {
  const random = new Random(3);
  const bits = new Float32Array(32_000);
  random.fillBits(bits);
  expect(random.state().counter).toBe(1000);
  expect(bits.filter((b) => b !== 0 && b !== 1)).toHaveLength(0);
  const ones = bits.reduce((sum, b) => sum + b, 0);
  expect(Math.abs(ones - 16_000)).toBeLessThan(5 * Math.sqrt(8000)); // five standard errors
  const values = new Float32Array(10_000);
  random.fillUniform(values, -0.5, 0.25);
  expect(Math.min(...values)).toBeGreaterThanOrEqual(-0.5);
  expect(Math.max(...values)).toBeLessThan(0.25);
  expect(values.reduce((sum, v) => sum + v, 0) / 10_000).toBeCloseTo(-0.125, 1);
});

test("bad arguments are ConfigErrors", () => {
  for (const seed of [1.5, Number.NaN, 2 ** 53]) expect(() => new Random(seed)).toThrow(ConfigError);
  for (const stream of [-1, 0.5, 2 ** 32]) expect(() => new Random(1, stream)).toThrow(ConfigError);
  expect(() => Random.from({ seed: 1, stream: 0, counter: -1 })).toThrow(ConfigError);
  for (const state of [null, undefined, 5]) expect(() => Random.from(state as never)).toThrow(ConfigError);
  for (const [low, high] of [
    [3, 3],
    [0, 2 ** 33],
    [0.5, 3],
    [0, Number.NaN],
  ] as const) {
    expect(() => new Random(1).integer(low, high)).toThrow(ConfigError);
  }
});
