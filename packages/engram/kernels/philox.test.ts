import { expect, test } from "vitest";
import { KernelBench } from "../test/kernelBench.js";
import { normalReference, philox4x32Reference, streamReference } from "../test/reference/philox.js";

// Random123's kat_vectors for philox4x32 with 10 rounds: counter, key, words.
test.each([
  ["00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  ["ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  ["243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
])("the reference gives the published words for counter %s and key %s", (counter, key, words) => {
  const parse = (text: string) => text.split(" ").map((word) => Number.parseInt(word, 16));
  expect(philox4x32Reference(parse(counter), parse(key))).toEqual(parse(words));
});

// count, seedLow, seedHigh, stream, offset
const draws: [number, number, number, number, number][] = [
  [64, 0, 0, 0, 0],
  [1, 5, 0, 0, 0],
  [3, 1, 2, 3, 5],
  [7, 0xffffffff, 0xffffffff, 0xffffffff, 2],
  [17, 0x243f6a88, 0x85a308d3, 7, 15],
  [33, 9, 0, 1, 1_000_003],
  [40, 9, 0, 1, 0xffffff00],
];

/** What a kernel writes to `count` floats, with a check that it writes nothing around them. */
function drawn(kernel: "philoxUniform" | "philoxNormal", [count, seedLow, seedHigh, stream, offset]: (typeof draws)[number]): Float32Array {
  const bench = new KernelBench();
  const out = bench.room(count + 24) + 48;
  bench.kernels[kernel](out, count, seedLow, seedHigh, stream, offset);
  const around = [...bench.take(out - 48, 12), ...bench.take(out + 4 * count, 12)];
  expect(around.filter((v) => !Number.isNaN(v))).toEqual([]);
  return bench.take(out, count);
}

test.each(draws)("%i uniform numbers for seed (%i, %i), stream %i, offset %i are those of the reference", (...draw) => {
  const [count, seedLow, seedHigh, stream, offset] = draw;
  const want = streamReference(count, [seedLow, seedHigh], stream, offset).map((word) => (word >>> 8) / 2 ** 24);
  expect([...drawn("philoxUniform", draw)]).toEqual(want);
});

// Rounding u (6e-8) moves the radius r by 6e-8/r: below 1e-5 for r > 0.006, as in all of these draws.
test.each(draws)("%i normal numbers for seed (%i, %i), stream %i, offset %i are within 1e-5 of the reference", (...draw) => {
  const [count, seedLow, seedHigh, stream, offset] = draw;
  expect(drawn("philoxNormal", draw)).toBeClose(normalReference(count, [seedLow, seedHigh], stream, offset), { atol: 1e-5 });
});

test("normal numbers have the moments and tails of the normal distribution", () => {
  const count = 200_000;
  const x = drawn("philoxNormal", [count, 42, 0, 0, 0]);
  const moment = (power: number) => x.reduce((sum, v) => sum + v ** power, 0) / count;
  // Five standard errors: sqrt(Var(x^p) / count) with Var 1, 2, 15, 96.
  const errors = [1, 2, 15, 96].map((variance) => 5 * Math.sqrt(variance / count));
  [0, 1, 0, 3].forEach((want, i) => {
    expect(Math.abs(moment(i + 1) - want)).toBeLessThan(errors[i] as number);
  });
  expect(x.filter((v) => Math.abs(v) > 3).length / count).toBeCloseTo(0.0027, 3);
});
