import { expect, test } from "vitest";
import { KernelBench } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";
import { philox4x32Reference } from "../test/reference/philox.js";

interface Draw {
  elements: number[];
  size: number;
  seed: readonly [number, number];
  step: number;
  site: number;
  t: number;
  rate: number;
}

const draw: Draw = { elements: [4, 0, 7], size: 24, seed: [11, 22], step: 3, site: 2, t: 5, rate: 0.25 };

function dropout(x: Float32Array, { elements, size, seed, step, site, t, rate }: Draw, inPlace = false): Float32Array {
  const bench = new KernelBench();
  const at = bench.put(x);
  const out = inPlace ? at : bench.room(x.length);
  bench.kernels.dropoutRows(out, at, elements.length, size, bench.putInts(elements), ...seed, step, site, t, rate);
  return bench.take(out, x.length);
}

/** Whether each column of each row stays, from the counter that dropout.ts documents. */
function reference({ elements, size, seed, step, site, t, rate }: Draw): boolean[] {
  return elements.flatMap((element) =>
    Array.from({ length: size }, (_, j) => {
      const block = 4 * Math.floor(j / 16) + (j % 4);
      const words = philox4x32Reference([element, t, site * 2 ** 16 + block, step + 1], seed);
      return ((words[Math.floor(j / 4) % 4] as number) >>> 8) / 2 ** 24 >= rate;
    }),
  );
}

test.each([8, 16, 24, 40])("dropout of rows of %i keeps what the documented counter says, scaled by 1/(1 − rate)", (size) => {
  for (const rate of [0, 0.25, 0.9, 1]) {
    const here = { ...draw, size, rate };
    const x = uniform(seeded(size), 3 * size, 1, 2);
    const scale = Math.fround(1 / Math.fround(1 - Math.fround(rate)));
    const want = Float32Array.from(reference(here), (kept, i) => (kept ? (x[i] as number) * scale : 0));
    expect(dropout(x, here)).toEqual(want);
    expect(dropout(x, here, true)).toEqual(want);
  }
});

test("an element's mask does not depend on the rows around it", () => {
  const x = new Float32Array(24).fill(1);
  const together = dropout(new Float32Array(72).fill(1), draw);
  draw.elements.forEach((element, row) => {
    expect(dropout(x, { ...draw, elements: [element] })).toEqual(together.subarray(24 * row, 24 * row + 24));
  });
});

test("masks of another seed, step, site, element or time are independent: half of a quarter's zeros agree by chance", () => {
  const size = 4096;
  const ones = new Float32Array(size).fill(1);
  const base: Draw = { ...draw, elements: [1], size, rate: 0.5 };
  const others: Partial<Draw>[] = [{ seed: [12, 22] }, { seed: [11, 23] }, { step: 4 }, { site: 3 }, { elements: [2] }, { t: 6 }];
  const mask = dropout(ones, base);
  for (const other of others) {
    const agree = dropout(ones, { ...base, ...other }).filter((v, i) => v === mask[i]).length;
    expect(Math.abs(agree / size - 0.5), JSON.stringify(other)).toBeLessThan(5 * Math.sqrt(0.25 / size)); // five standard errors
  }
});

test("the fraction dropped is the rate", () => {
  const size = 100_000 & ~15;
  for (const rate of [0.1, 0.5]) {
    const kept = dropout(new Float32Array(size).fill(1), { ...draw, elements: [1], size, rate }).filter((v) => v !== 0).length;
    expect(Math.abs(kept / size - (1 - rate))).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / size)); // five standard errors
  }
});
