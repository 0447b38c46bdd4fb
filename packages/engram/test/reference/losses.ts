// Float64 twins of the loss kernels, written as the formulas are. One output row each: loss and gradient with respect to y.

export interface RowLoss {
  readonly loss: number;
  readonly gradient: number[];
}

/** Value by value, with weights m: Σ m·l, m·dl/dy. */
function valueByValue(
  y: readonly number[],
  t: readonly number[],
  m: readonly number[],
  loss: (y: number, t: number) => number,
  gradient: (y: number, t: number) => number,
): RowLoss {
  return {
    loss: y.reduce((sum, yj, j) => sum + (m[j] as number) * loss(yj, t[j] as number), 0),
    gradient: y.map((yj, j) => (m[j] as number) * gradient(yj, t[j] as number)),
  };
}

export function binaryCrossEntropy(y: readonly number[], t: readonly number[], m: readonly number[]): RowLoss {
  const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  return valueByValue(
    y,
    t,
    m,
    (yj, tj) => tj * softplus(-yj) + (1 - tj) * softplus(yj), // −ln σ(y) = softplus(−y)
    (yj, tj) => (1 - tj) / (1 + Math.exp(-yj)) - tj / (1 + Math.exp(yj)),
  );
}

export function meanSquaredError(y: readonly number[], t: readonly number[], m: readonly number[]): RowLoss {
  return valueByValue(
    y,
    t,
    m,
    (yj, tj) => (yj - tj) ** 2,
    (yj, tj) => 2 * (yj - tj),
  );
}

/** t: probabilities; one weight m for the row. */
export function softmaxCrossEntropy(y: readonly number[], t: readonly number[], m: number): RowLoss {
  const largest = Math.max(...y);
  const logSum = Math.log(y.reduce((sum, yj) => sum + Math.exp(yj - largest), 0));
  const logP = y.map((yj) => yj - largest - logSum);
  const total = t.reduce((sum, tj) => sum + tj, 0);
  return {
    loss: m * t.reduce((sum, tj, j) => sum - (tj === 0 ? 0 : tj * (logP[j] as number)), 0),
    gradient: logP.map((lp, j) => m * (Math.exp(lp) * total - (t[j] as number))),
  };
}
