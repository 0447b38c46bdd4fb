// Cuts metrics down to what a chart of some hundred pixels can show, so that a page never asks for a long run whole. Every point
// keeps the least and the greatest of its lines, so that no spike is lost; smoothing sees every line.
import type { MetricsQuery, SampledMetrics, SampledSeries } from "./api.js";
import type { MetricsTable } from "./metricsTable.js";

export function sampleMetrics(table: MetricsTable, query: MetricsQuery): SampledMetrics {
  const iterations = table.column("iteration");
  const first = query.from === undefined ? 0 : lowerBound(iterations, query.from);
  const end = query.to === undefined ? iterations.length : lowerBound(iterations, Math.floor(query.to) + 1);
  const linesPerPoint = Math.max(1, Math.ceil((end - first) / Math.max(1, query.points)));
  const points = Math.ceil((end - first) / linesPerPoint);
  const bounds = Array.from({ length: points + 1 }, (_, i) => Math.min(end, first + i * linesPerPoint));
  return {
    iteration: bounds.slice(1).map((bound) => iterations[bound - 1] as number),
    linesPerPoint,
    series: Object.fromEntries(query.fields.map((name) => [name, sampleSeries(table.column(name), bounds, query.smoothing)])),
  };
}

/** @param bounds where each point's lines begin, and where the last one's end */
function sampleSeries(values: Float64Array, bounds: readonly number[], smoothing: number): SampledSeries {
  const smoothed = smooth(values, smoothing);
  const series = {
    mean: [] as (number | null)[],
    min: [] as (number | null)[],
    max: [] as (number | null)[],
    smooth: [] as (number | null)[],
  };
  for (let i = 0; i + 1 < bounds.length; i++) {
    const [from, to] = [bounds[i] as number, bounds[i + 1] as number];
    const { count, sum, min, max } = summarize(values, from, to);
    series.mean.push(count === 0 ? null : sum / count);
    series.min.push(count === 0 ? null : min);
    series.max.push(count === 0 ? null : max);
    series.smooth.push(count === 0 ? null : (smoothed[to - 1] as number));
  }
  return series;
}

function summarize(values: Float64Array, from: number, to: number) {
  let [count, sum, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = from; i < to; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value)) continue;
    count++;
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { count, sum, min, max };
}

/**
 * A moving average with exponentially falling weights, without the pull towards 0 at its start: s[i] = Σ wʲ x[i−j] / Σ wʲ.
 * Where a line has no value the last average stays.
 * @param weight w, from 0 (the values themselves) to below 1
 */
export function smooth(values: Float64Array, weight: number): Float64Array {
  const out = new Float64Array(values.length);
  let [sum, weights] = [0, 0];
  for (const [i, value] of values.entries()) {
    if (!Number.isNaN(value)) {
      sum = weight * sum + value;
      weights = weight * weights + 1;
    }
    out[i] = sum / weights;
  }
  return out;
}

/** The first position whose value is `bound` or more, in rising values. */
function lowerBound(values: Float64Array, bound: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
