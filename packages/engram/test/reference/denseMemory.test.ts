import { expect, test } from "vitest";
import { randomDenseState } from "../denseBench.js";
import { seeded, uniform } from "../random.js";
import { accessBackward, accessForward, type DenseSizes, type DenseState, interfaceSize, stateNames } from "./denseMemory.js";

const cases: DenseSizes[] = [
  { cells: 1, width: 3, heads: 1 },
  { cells: 5, width: 3, heads: 2 },
  { cells: 7, width: 2, heads: 3 },
];

// The slope over ±1e-5 in float64 is off by rounding 1e-16 · |loss| / 1e-5 and by curvature 1e-10 · |loss'''|.
test.each(cases)("the float64 reference's gradients are within 1e-6 of central differences at %o", (sizes) => {
  const random = seeded(sizes.cells);
  const vector = Float64Array.from(uniform(random, interfaceSize(sizes)));
  const state = randomDenseState(sizes, random);
  const dReads = uniform(random, sizes.heads * sizes.width);
  const dNext = Object.fromEntries(stateNames.map((name) => [name, Float64Array.from(uniform(random, state[name].length))]));
  const loss = () => {
    const { reads, next } = accessForward(sizes, vector, state);
    let sum = reads.reduce((total, r, i) => total + r * (dReads[i] as number), 0);
    for (const name of stateNames) sum += next[name].reduce((total, x, i) => total + x * (dNext[name]?.[i] as number), 0);
    return sum;
  };
  const slopes = (values: Float64Array) =>
    values.map((x, i) => {
      values[i] = x + 1e-5;
      const above = loss();
      values[i] = x - 1e-5;
      const below = loss();
      values[i] = x;
      return (above - below) / 2e-5;
    });

  const { dInterface, dPrev } = accessBackward(accessForward(sizes, vector, state), dReads, dNext as unknown as DenseState);
  expect(dInterface).toBeClose(slopes(vector), { atol: 1e-8, rtol: 1e-6 });
  for (const name of stateNames) {
    const diagonal = (i: number) => name === "linkMatrix" && i % (sizes.cells + 1) === 0; // 0 whatever went before
    expect(dPrev[name]).toBeClose(
      slopes(state[name]).map((slope, i) => (diagonal(i) ? 0 : slope)),
      { atol: 1e-8, rtol: 1e-6 },
    );
  }
});
