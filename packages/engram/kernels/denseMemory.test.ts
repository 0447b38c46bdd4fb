import { expect, test } from "vitest";
import { DenseBench, fieldOf, randomDenseState, tensorsOf } from "../test/denseBench.js";
import { seeded, uniform } from "../test/random.js";
import {
  accessBackward,
  accessForward,
  type DenseSizes,
  type DenseState,
  emptyState,
  interfaceSize,
  stateNames,
} from "../test/reference/denseMemory.js";

const sizes = [1, 3, 5, 7, 17, 33];
const heads = [1, 2, 3, 4, 5];
const batch = 2;
const order = Int32Array.from([0, 1]);

// Values are sums of up to 33 products in float32, through exponentials of up to a few units: some tens of roundings of 6e-8.
const forwardTolerance = { rtol: 5e-6, atol: 1e-7 };
// Gradients pass both ways, and some are small differences of larger ones (softmax, norms).
const backwardTolerance = { rtol: 2e-5, atol: 2e-6 };

function randomCase(size: DenseSizes) {
  const random = seeded(size.cells * 10000 + size.width * 100 + size.heads);
  const gradient = () =>
    Object.fromEntries(
      stateNames.map((name) => [name, Float64Array.from(uniform(random, randomDenseState(size)[name].length))]),
    ) as unknown as DenseState;
  return Array.from({ length: batch }, () => ({
    state: randomDenseState(size, random),
    vector: uniform(random, interfaceSize(size), -2, 2),
    dReads: uniform(random, size.heads * size.width),
    dNext: gradient(),
  }));
}

/** @param isEmpty whether it is the first access to empty memories, the gradient with respect to which nobody asks for */
function checkAccess(size: DenseSizes, isEmpty = false): void {
  const elements = randomCase(size).map((each) => (isEmpty ? { ...each, state: emptyState(size) } : each));
  const want = elements.map(({ state, vector }) => accessForward(size, vector, state));
  const bench = new DenseBench(size);
  bench.tape.reserve(batch, 1, true);
  if (!isEmpty) bench.load(elements.map(({ state }) => state));
  bench.tape.begin(order);
  const reads = bench.forward(elements.map(({ vector }) => vector));
  bench.tape.end();
  want.forEach((access, b) => {
    expect(reads[b]).toBeClose(access.reads, forwardTolerance);
  });
  for (const name of stateNames) {
    expect(bench.field(name)).toBeClose(
      want.flatMap(({ next }) => [...next[name]]),
      forwardTolerance,
    );
  }

  const back = want.map((access, b) => {
    const { dReads, dNext } = elements[b] as (typeof elements)[number];
    return accessBackward(access, dReads, dNext);
  });
  bench.tape.beginBackward(
    tensorsOf(
      elements.map(({ dNext }) => dNext),
      size,
    ),
    !isEmpty,
  );
  const dInterface = bench.backward(elements.map(({ dReads }) => dReads));
  bench.tape.endBackward();
  back.forEach((wanted, b) => {
    expect(dInterface[b]).toBeClose(wanted.dInterface, backwardTolerance);
  });
  if (isEmpty) return;
  for (const name of stateNames) {
    const got = bench.tape.stateGradient(fieldOf[name]) as { data: Float32Array };
    expect(got.data).toBeClose(
      back.flatMap(({ dPrev }) => [...dPrev[name]]),
      backwardTolerance,
    );
  }
}

test.each(sizes.flatMap((cells) => sizes.map((width) => [cells, width] as const)))(
  "an access to %i cells of %i agrees with float64, forward and backward, for 1 to 5 heads",
  (cells, width) => {
    for (const numHeads of heads) checkAccess({ cells, width, heads: numHeads });
  },
);

test.each(sizes)("so does the first to %i empty cells, which leaves its links out", (cells) => {
  for (const numHeads of heads) checkAccess({ cells, width: 5, heads: numHeads }, true);
});

test.each([6, 7, 8, 9, 13])("so does one with %i heads", (numHeads) => checkAccess({ cells: 7, width: 5, heads: numHeads }));
