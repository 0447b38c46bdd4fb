import { expect, test } from "vitest";
import { KernelBench, padRows } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";

const sizes = [1, 3, 5, 7, 17, 33];
const shapes = sizes.flatMap((rows) => sizes.map((width) => [rows, width] as const));

/** A shuffled order of `rows` out of `rows + 2` row numbers. */
function someRows(rows: number, random: () => number): number[] {
  const all = Array.from({ length: rows + 2 }, (_, i) => i);
  return Array.from({ length: rows }, () => all.splice(Math.floor(random() * all.length), 1)[0] as number);
}

test.each([4, 8, 16, 36, 100])("addRows and scaleRows touch each of %i floats once", (count) => {
  const bench = new KernelBench();
  const random = seeded(count);
  const [a, b] = [uniform(random, count), uniform(random, count)];
  const [at, sum] = [bench.put(a), bench.put(b)];
  const scaled = bench.room(count + 4);
  bench.kernels.addRows(sum, at, count);
  bench.kernels.scaleRows(scaled, at, 3, count);
  expect(bench.take(sum, count)).toEqual(b.map((v, i) => v + (a[i] as number)));
  expect(bench.take(scaled, count)).toEqual(a.map((v) => 3 * v));
  expect(bench.take(scaled + 4 * count, 4)).toEqual(new Float32Array(4).fill(Number.NaN));
});

test.each([1, 3, 17])("repeatRow writes the row %i times and nothing beyond", (rows) => {
  const bench = new KernelBench();
  const row = uniform(seeded(rows), 12);
  const out = bench.room(12 * rows + 4);
  bench.kernels.repeatRow(out, bench.put(row), rows, 12);
  for (let i = 0; i < rows; i++) expect(bench.take(out + 48 * i, 12)).toEqual(row);
  expect(bench.take(out + 48 * rows, 4)).toEqual(new Float32Array(4).fill(Number.NaN));
});

test.each(shapes)("columnSums of %i rows × %i columns adds the rows in order", (rows, width) => {
  const random = seeded(rows * 100 + width);
  const padded = (width + 3) & ~3;
  const stride = padded + 4;
  const [x, start] = [uniform(random, rows * padded), uniform(random, padded)];
  const bench = new KernelBench();
  const out = bench.put(start);
  bench.kernels.columnSums(out, bench.put(padRows(x, padded, stride)), 4 * stride, rows, padded);
  const want = start.map((value, j) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum = Math.fround(sum + (x[row * padded + j] as number));
    return value + sum;
  });
  expect(bench.take(out, padded)).toEqual(want);
});

test.each(shapes)("gatherRows and scatterRows copy %i rows × %i columns exactly", (rows, width) => {
  const random = seeded(rows * 100 + width);
  const index = someRows(rows, random);
  const stride = (width + 7) & ~7;
  const bench = new KernelBench();
  const x = uniform(random, (rows + 2) * width);
  const row = (i: number) => x.subarray(i * width, (i + 1) * width);

  const gathered = bench.room(rows * stride);
  bench.kernels.gatherRows(gathered, 4 * stride, bench.put(x), 4 * width, bench.putInts(index), rows, width);
  const chosen = Float32Array.from(index.flatMap((i) => [...row(i)]));
  expect(bench.take(gathered, rows * stride)).toEqual(padRows(chosen, width, stride));

  const back = bench.room((rows + 2) * width);
  bench.kernels.scatterRows(back, 4 * width, gathered, 4 * stride, bench.putInts(index), rows, width);
  const want = x.map((value, i) => (index.includes(Math.floor(i / width)) ? value : Number.NaN));
  expect(bench.take(back, (rows + 2) * width)).toEqual(want);
});

test.each(shapes)("clearBlock zeroes %i rows × %i columns of a larger matrix and nothing else", (rows, width) => {
  const outStride = width + 3;
  const before = uniform(seeded(rows * 100 + width), rows * outStride);
  const bench = new KernelBench();
  const out = bench.put(before);
  bench.kernels.clearBlock(out + 8, 4 * outStride, rows, width);
  const want = before.map((value, i) => ((i % outStride) - 2 >= 0 && (i % outStride) - 2 < width ? 0 : value));
  expect(bench.take(out, rows * outStride)).toEqual(want);
});

test.each(shapes)("scatterBlock adds %i rows × %i columns into a block of a larger matrix and nothing else", (rows, width) => {
  const random = seeded(rows * 100 + width);
  const [outStride, stride] = [width + 3, (width + 7) & ~7];
  const before = uniform(random, rows * outStride);
  const x = uniform(random, rows * width);
  const bench = new KernelBench();
  const out = bench.put(before);
  bench.kernels.scatterBlock(out + 8, 4 * outStride, bench.put(padRows(x, width, stride)), 4 * stride, rows, width);
  const want = before.map((value, i) => {
    const [row, column] = [Math.floor(i / outStride), (i % outStride) - 2];
    return column >= 0 && column < width ? value + (x[row * width + column] as number) : value;
  });
  expect(bench.take(out, rows * outStride)).toEqual(want);
});
