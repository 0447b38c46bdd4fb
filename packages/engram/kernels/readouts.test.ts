import { describe, expect, test } from "vitest";
import { KernelBench, padRows } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";

const pad8 = (n: number) => (n + 7) & ~7;

/** Packed rows of elements that run so many steps: step after step, the longest element first. */
function pack(lengths: readonly number[], firstElement: number) {
  const order = lengths.map((_, b) => b).sort((a, b) => (lengths[b] as number) - (lengths[a] as number) || a - b);
  const rows: { element: number; t: number }[] = [];
  for (let t = 0; t < Math.max(...lengths); t++) {
    for (const b of order) if ((lengths[b] as number) > t) rows.push({ element: b, t });
  }
  return { order, rows, elements: rows.map(({ element }) => element + firstElement) };
}

describe.each([[[1]], [[3]], [[2, 2, 2]], [[1, 4, 2, 4]], [[5, 1, 1, 3, 7]]])("elements of %j steps", (lengths) => {
  test.each([1, 3, 5, 8, 17, 33])("%i channels: readouts are the float64 sums, their gradients spread back", (size) => {
    const bench = new KernelBench();
    const { order, rows, elements } = pack(lengths, 10);
    const values = uniform(seeded(size), rows.length * size, -2, 2);
    const at = (row: number, j: number) => values[row * size + j] as number;
    const rowSum = (row: number) => Array.from({ length: size }, (_, j) => at(row, j)).reduce((sum, v) => sum + v, 0);
    const padded = padRows(values, size, pad8(size)).map((v, i) => (i % pad8(size) < size ? v : Number.NaN)); // padding must not count
    const out = bench.put(padded);
    const ids = bench.putInts(elements);
    const batch = lengths.length;
    const prediction = bench.room(8 * batch);
    const lastRow = bench.room(batch);
    const firstOf8 = (v: number, i: number) => (i % 8 === 0 ? v : 0);

    const rowsOf = (element: number) => rows.flatMap((row, i) => (row.element === element ? [i] : []));
    const wantSum = order.map((element) => Math.fround(rowsOf(element).reduce((sum, row) => sum + rowSum(row), 0)));
    const wantLast = order.map((element) => Math.fround(rowSum(rowsOf(element).at(-1) as number)));
    const half = rows.findIndex(({ t }) => t >= Math.max(...lengths) / 2); // in two goes, as a walk in passes does
    const stepsOf = (from: number, count: number) => [out + 4 * pad8(size) * from, ids + 4 * from, count, size] as const;
    bench.kernels.fillZero(prediction, 32 * batch);
    for (const [from, count] of half < 0
      ? [[0, rows.length] as const]
      : ([
          [0, half],
          [half, rows.length - half],
        ] as const)) {
      bench.kernels.sumReadout(prediction, ...stepsOf(from, count));
    }
    bench.kernels.sumReadoutEnd(prediction, batch);
    const gotSum = bench.take(prediction, 8 * batch);
    bench.kernels.lastReadout(prediction, lastRow, out, ids, rows.length, size, batch);
    const gotLast = bench.take(prediction, 8 * batch);
    // Sums of up to 231 float64 terms, rounded once to float32: they may differ by one unit in the last place.
    const spread = (want: number[]) => Float32Array.from({ length: 8 * batch }, (_, i) => firstOf8(want[i >> 3] as number, i));
    expect(gotSum).toBeClose(spread(wantSum), { rtol: 2 ** -23, scale: "element" });
    expect(gotLast).toBeClose(spread(wantLast), { rtol: 2 ** -23, scale: "element" });

    const dPrediction = bench.put(spread(order.map((_, p) => p + 1.5)));
    const dOut = bench.room(rows.length * pad8(size));
    const gradientOf = (row: number) => order.indexOf((rows[row] as { element: number }).element) + 1.5;
    const wantRows = (isIn: (row: number) => boolean) =>
      Float32Array.from({ length: rows.length * pad8(size) }, (_, i) => {
        const row = Math.floor(i / pad8(size));
        return i % pad8(size) < size && isIn(row) ? gradientOf(row) : 0;
      });
    bench.kernels.sumReadoutBackward(dOut, dPrediction, ids, rows.length, size);
    expect(bench.take(dOut, rows.length * pad8(size))).toEqual(wantRows(() => true));
    bench.kernels.lastReadoutBackward(dOut, dPrediction, lastRow, rows.length, size, batch);
    expect(bench.take(dOut, rows.length * pad8(size))).toEqual(
      wantRows((row) => rows[row]?.t === (lengths[rows[row]?.element as number] as number) - 1),
    );
  });
});

test("a thousand steps add up without losing small terms", () => {
  const bench = new KernelBench();
  const rows = 1000;
  const prediction = bench.room(8);
  const out = bench.put(padRows(new Float32Array(rows).fill(0.1), 1, 8));
  bench.kernels.fillZero(prediction, 32);
  bench.kernels.sumReadout(prediction, out, bench.putInts(new Array(rows).fill(3)), rows, 1);
  bench.kernels.sumReadoutEnd(prediction, 1);
  expect(bench.take(prediction, 1)[0]).toBe(Math.fround(1000 * Math.fround(0.1)));
});
