import { describe, expect, test } from "vitest";
import { MetricsTable } from "./metricsTable.js";
import { sampleMetrics, smooth } from "./sampleMetrics.js";

function table(...lines: object[]): MetricsTable {
  const table = new MetricsTable();
  table.append(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return table;
}

describe("metrics as columns", () => {
  test("lines come in pieces of any size", () => {
    const text = '{"iteration":100,"loss":0.5}\n{"iteration":200,"loss":0.25,"accuracy":1}\n';
    for (let cut = 0; cut <= text.length; cut++) {
      const pieces = new MetricsTable();
      pieces.append(text.slice(0, cut));
      pieces.append(text.slice(cut));
      expect([pieces.length, [...pieces.column("loss")], [...pieces.column("accuracy")]]).toEqual([2, [0.5, 0.25], [Number.NaN, 1]]);
    }
  });

  test("a line without end is not counted yet, one that is no metrics never", () => {
    const metrics = table({ iteration: 1 });
    metrics.append('{"iteration":2\nnull\n[]\n"text"\n{"loss":3}\n\n{"iteration":4}');
    expect(metrics.length).toBe(1);
    metrics.append("\n");
    expect([...metrics.column("iteration")]).toEqual([1, 4]);
  });

  test("a number that starts late or stops, and a line's own numbers", () => {
    const lines = Array.from({ length: 1000 }, (_, i) => ({ iteration: i, ...(i === 700 && { late: 7 }) }));
    const metrics = table(...lines);
    expect(metrics.column("late").filter((value) => !Number.isNaN(value))).toEqual(Float64Array.of(7));
    expect(metrics.column("late").length).toBe(1000);
    expect(metrics.column("never").every(Number.isNaN)).toBe(true);
    expect([metrics.line(700), metrics.line(-1), metrics.line(1000)]).toEqual([{ iteration: 700, late: 7 }, { iteration: 999 }, null]);
  });
});

describe("sampling", () => {
  const lines = Array.from({ length: 1000 }, (_, i) => ({ iteration: 10 * (i + 1), loss: i === 500 ? 99 : 1 }));
  const query = { fields: ["loss"], points: 100, smoothing: 0 };

  test("keeps every spike, and stays within the number of points", () => {
    const { iteration, linesPerPoint, series } = sampleMetrics(table(...lines), query);
    expect([iteration.length, linesPerPoint, iteration[0], iteration.at(-1)]).toEqual([100, 10, 100, 10000]);
    const loss = series.loss;
    expect([loss?.max[50], loss?.min[50], loss?.mean[50]]).toEqual([99, 1, 10.8]);
    expect(loss?.max.filter((value) => value !== 1)).toHaveLength(1);
  });

  test("from … to, both included", () => {
    expect(sampleMetrics(table(...lines), { ...query, from: 4990, to: 5010 })).toEqual({
      iteration: [4990, 5000, 5010],
      linesPerPoint: 1,
      series: { loss: { mean: [1, 1, 99], min: [1, 1, 99], max: [1, 1, 99], smooth: [1, 1, 99] } },
    });
    expect(sampleMetrics(table(...lines), { ...query, from: 4991, to: 4999 }).iteration).toEqual([]);
    expect(sampleMetrics(new MetricsTable(), query).iteration).toEqual([]);
  });

  test("smoothing sees every line, not the points", () => {
    const one = sampleMetrics(table(...lines), { ...query, points: 1, smoothing: 0.5 });
    expect(one.series.loss?.smooth[0]).toBeCloseTo(1, 12);
    const upToSpike = sampleMetrics(table(...lines.slice(0, 501)), { ...query, points: 1, smoothing: 0.5 });
    expect(upToSpike.series.loss?.smooth[0]).toBeCloseTo(50, 9); // half the spike, half what came before
  });

  test("smoothing has no pull towards zero at the start, passes gaps, and is off at 0", () => {
    expect([...smooth(Float64Array.of(4, 4, 4), 0.9)]).toEqual([4, 4, 4]);
    expect([...smooth(Float64Array.of(4, Number.NaN, 8), 0.5)].map((value) => Number(value.toFixed(6)))).toEqual([4, 4, 6.666667]);
    expect([...smooth(Float64Array.of(3, 1, 2), 0)]).toEqual([3, 1, 2]);
  });

  test("100,000 lines are read and sampled in a fraction of what a page may take to open", () => {
    const metrics = new MetricsTable();
    const text = Array.from(
      { length: 100_000 },
      (_, i) => `{"iteration":${i},"loss":${Math.random()},"accuracy":${Math.random()},"maxLength":4}\n`,
    ).join("");
    const start = performance.now();
    metrics.append(text);
    sampleMetrics(metrics, { fields: ["loss", "accuracy", "maxLength"], points: 1000, smoothing: 0.9 });
    expect(performance.now() - start).toBeLessThan(2000); // about 300 ms on an idle core
  });
});
