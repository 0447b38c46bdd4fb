// Numerical gradients, to check the backward pass of the float64 twins.

/**
 * ∂f/∂x by central differences. In float64, for f and x around 1, the truncation (step²) and rounding (1e-16/step) errors are
 * both near 1e-10 with the default step.
 */
export function centralDifferences(f: (x: Float64Array) => number, x: ArrayLike<number>, step = 1e-5): Float64Array {
  const at = Float64Array.from(x);
  return Float64Array.from({ length: x.length }, (_, i) => {
    const value = at[i] as number;
    at[i] = value + step;
    const above = f(at);
    at[i] = value - step;
    const below = f(at);
    at[i] = value;
    return (above - below) / (2 * step);
  });
}

/** Σ a·b, the loss whose gradient with respect to `a` is `b`. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
