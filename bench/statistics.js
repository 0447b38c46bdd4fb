// Summaries of timings, and the exponent of a power law through a sweep.

/** The value below which a fraction `q` of `values` lies, linear between neighbours. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

export const median = (values) => quantile(values, 0.5);

/** Median, quartiles and smallest of timings. The spread is half the distance of the quartiles, as a part of the median. */
export function summarize(times) {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => quantile(times, q));
  return { median: middle, low, high, smallest: Math.min(...times), spread: (high - low) / (2 * middle), samples: times.length };
}

/** Least squares of log y = log c + e·log x over points [x, y]: `{ exponent, factor, largestResidual }`, the residual as a ratio. */
export function fitPower(points) {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)]);
  const meanX = logs.reduce((sum, [x]) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, [, y]) => sum + y, 0) / logs.length;
  let products = 0;
  let squares = 0;
  for (const [x, y] of logs) {
    products += (x - meanX) * (y - meanY);
    squares += (x - meanX) ** 2;
  }
  const exponent = products / squares;
  const offset = meanY - exponent * meanX;
  const largestResidual = Math.exp(Math.max(...logs.map(([x, y]) => Math.abs(y - offset - exponent * x))));
  return { exponent, factor: Math.exp(offset), largestResidual };
}
