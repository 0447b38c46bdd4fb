// One step of each optimizer over a contiguous range of the flat weight arena, in one pass. Update rules and their order are
// PyTorch's (torch.optim, the single-tensor form); two roundings differ: divisions by a scalar are products with its inverse,
// and products are not fused with sums.
//
// All buffers f32, `count` floats each (any number), at any multiple of four bytes: a range starts where a parameter does. The last
// 1 … 3 elements are read and written lane by lane, so neighbours of the range are never touched. Each element is updated by
// itself: how an arena is cut into ranges does not change a bit. Weights and moments are updated in place, gradients read only.
// Moments below TINY are written as +0: they decay geometrically where gradients stay zero, and would end as denormals.
//
// Scalars arrive computed in float64 by the caller. `weightDecay` is the L2 kind, added to the gradient: 0 adds nothing.
// A moment pointer of 0 means that this moment is not kept.
import { flushTiny, floats, loadLanes, splat, storeLanes } from "./simd";

// @ts-ignore: decorator
@inline
function decayed(gradient: v128, weight: v128, weightDecay: f32): v128 {
  return f32x4.add(gradient, f32x4.mul(weight, splat(weightDecay)));
}

/** old · keep + x · share, without what is tiny. */
// @ts-ignore: decorator
@inline
function average(old: v128, keep: f32, x: v128, share: f32): v128 {
  return flushTiny(f32x4.add(f32x4.mul(old, splat(keep)), f32x4.mul(x, splat(share))));
}

/** old · keep + x² · share, without what is tiny. */
// @ts-ignore: decorator
@inline
function averageSquare(old: v128, keep: f32, x: v128, share: f32): v128 {
  return flushTiny(f32x4.add(f32x4.mul(old, splat(keep)), f32x4.mul(f32x4.mul(x, splat(share)), x)));
}

/** weight − rate · x / y */
// @ts-ignore: decorator
@inline
function movedByQuotient(weight: v128, rate: f32, x: v128, y: v128): v128 {
  return f32x4.sub(weight, f32x4.div(f32x4.mul(x, splat(rate)), y));
}

/**
 * Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) and AMSGrad (Reddi et al. 2018).
 * keepWeight = 1 − lr · decay of AdamW, else 1. stepSize = lr / (1 − β1ᵗ), rootScale = 1 / √(1 − β2ᵗ); shares are 1 − β.
 * maxExpAvgSq is kept for AMSGrad only.
 */
export function adam(
  weights: usize, gradients: usize, expAvg: usize, expAvgSq: usize, maxExpAvgSq: usize, count: i32,
  stepSize: f32, rootScale: f32, beta1: f32, share1: f32, beta2: f32, share2: f32, eps: f32, weightDecay: f32, keepWeight: f32,
): void {
  const end = floats(count & ~3);
  for (let at: usize = 0; at < end; at += 16) {
    adamLanes(
      weights + at, gradients + at, expAvg + at, expAvgSq + at, maxExpAvgSq == 0 ? 0 : maxExpAvgSq + at, 4,
      stepSize, rootScale, beta1, share1, beta2, share2, eps, weightDecay, keepWeight,
    );
  }
  if ((count & 3) > 0) {
    adamLanes(
      weights + end, gradients + end, expAvg + end, expAvgSq + end, maxExpAvgSq == 0 ? 0 : maxExpAvgSq + end, count & 3,
      stepSize, rootScale, beta1, share1, beta2, share2, eps, weightDecay, keepWeight,
    );
  }
}

// @ts-ignore: decorator
@inline
function adamLanes(
  weights: usize, gradients: usize, expAvg: usize, expAvgSq: usize, maxExpAvgSq: usize, lanes: i32,
  stepSize: f32, rootScale: f32, beta1: f32, share1: f32, beta2: f32, share2: f32, eps: f32, weightDecay: f32, keepWeight: f32,
): void {
  const w = loadLanes(weights, lanes);
  const g = decayed(loadLanes(gradients, lanes), w, weightDecay);
  const m = average(loadLanes(expAvg, lanes), beta1, g, share1);
  storeLanes(expAvg, m, lanes);
  let v = averageSquare(loadLanes(expAvgSq, lanes), beta2, g, share2);
  storeLanes(expAvgSq, v, lanes);
  if (maxExpAvgSq != 0) {
    v = f32x4.max(loadLanes(maxExpAvgSq, lanes), v);
    storeLanes(maxExpAvgSq, v, lanes);
  }
  const root = f32x4.add(f32x4.mul(f32x4.sqrt(v), splat(rootScale)), splat(eps));
  storeLanes(weights, movedByQuotient(f32x4.mul(w, splat(keepWeight)), stepSize, m, root), lanes);
}

/** Adamax (Kingma and Ba 2015, Section 7.1). stepSize = lr / (1 − β1ᵗ). */
export function adamax(
  weights: usize, gradients: usize, expAvg: usize, expInf: usize, count: i32,
  stepSize: f32, beta1: f32, share1: f32, beta2: f32, eps: f32, weightDecay: f32,
): void {
  const end = floats(count & ~3);
  for (let at: usize = 0; at < end; at += 16) {
    adamaxLanes(weights + at, gradients + at, expAvg + at, expInf + at, 4, stepSize, beta1, share1, beta2, eps, weightDecay);
  }
  if ((count & 3) > 0) {
    adamaxLanes(weights + end, gradients + end, expAvg + end, expInf + end, count & 3, stepSize, beta1, share1, beta2, eps, weightDecay);
  }
}

// @ts-ignore: decorator
@inline
function adamaxLanes(
  weights: usize, gradients: usize, expAvg: usize, expInf: usize, lanes: i32,
  stepSize: f32, beta1: f32, share1: f32, beta2: f32, eps: f32, weightDecay: f32,
): void {
  const w = loadLanes(weights, lanes);
  const g = decayed(loadLanes(gradients, lanes), w, weightDecay);
  const m = average(loadLanes(expAvg, lanes), beta1, g, share1);
  storeLanes(expAvg, m, lanes);
  // At least eps, so never tiny.
  const u = f32x4.max(f32x4.mul(loadLanes(expInf, lanes), splat(beta2)), f32x4.add(f32x4.abs(g), splat(eps)));
  storeLanes(expInf, u, lanes);
  storeLanes(weights, movedByQuotient(w, stepSize, m, u), lanes);
}

/** RMSprop (Hinton's lecture notes; centered: Graves 2013). gradAvg is kept when centered, momentumBuffer with momentum; share = 1 − α. */
export function rmsprop(
  weights: usize, gradients: usize, squareAvg: usize, gradAvg: usize, momentumBuffer: usize, count: i32,
  learningRate: f32, alpha: f32, share: f32, eps: f32, momentum: f32, weightDecay: f32,
): void {
  const end = floats(count & ~3);
  for (let at: usize = 0; at < end; at += 16) {
    rmspropLanes(
      weights + at, gradients + at, squareAvg + at, gradAvg == 0 ? 0 : gradAvg + at, momentumBuffer == 0 ? 0 : momentumBuffer + at, 4,
      learningRate, alpha, share, eps, momentum, weightDecay,
    );
  }
  if ((count & 3) > 0) {
    rmspropLanes(
      weights + end, gradients + end, squareAvg + end, gradAvg == 0 ? 0 : gradAvg + end, momentumBuffer == 0 ? 0 : momentumBuffer + end, count & 3,
      learningRate, alpha, share, eps, momentum, weightDecay,
    );
  }
}

// @ts-ignore: decorator
@inline
function rmspropLanes(
  weights: usize, gradients: usize, squareAvg: usize, gradAvg: usize, momentumBuffer: usize, lanes: i32,
  learningRate: f32, alpha: f32, share: f32, eps: f32, momentum: f32, weightDecay: f32,
): void {
  const w = loadLanes(weights, lanes);
  const g = decayed(loadLanes(gradients, lanes), w, weightDecay);
  let variance = averageSquare(loadLanes(squareAvg, lanes), alpha, g, share);
  storeLanes(squareAvg, variance, lanes);
  if (gradAvg != 0) {
    const mean = average(loadLanes(gradAvg, lanes), alpha, g, share);
    storeLanes(gradAvg, mean, lanes);
    // Not below 0: for a steady gradient the difference is rounding error of either sign, and PyTorch's root of it may be NaN.
    variance = f32x4.max(f32x4.sub(variance, f32x4.mul(mean, mean)), splat(0));
  }
  const root = f32x4.add(f32x4.sqrt(variance), splat(eps));
  if (momentumBuffer == 0) {
    storeLanes(weights, movedByQuotient(w, learningRate, g, root), lanes);
    return;
  }
  const b = flushTiny(f32x4.add(f32x4.mul(loadLanes(momentumBuffer, lanes), splat(momentum)), f32x4.div(g, root)));
  storeLanes(momentumBuffer, b, lanes);
  storeLanes(weights, f32x4.sub(w, f32x4.mul(b, splat(learningRate))), lanes);
}

/**
 * Gradient descent, with momentum where momentumBuffer is kept: b = momentum · b + share · g, share = 1 − dampening, and the
 * weights move along ownShare · g + bufferShare · b: (0, 1) is plain momentum, (1, momentum) is Nesterov's.
 */
export function sgd(
  weights: usize, gradients: usize, momentumBuffer: usize, count: i32,
  learningRate: f32, momentum: f32, share: f32, ownShare: f32, bufferShare: f32, weightDecay: f32,
): void {
  const end = floats(count & ~3);
  for (let at: usize = 0; at < end; at += 16) {
    sgdLanes(
      weights + at, gradients + at, momentumBuffer == 0 ? 0 : momentumBuffer + at, 4,
      learningRate, momentum, share, ownShare, bufferShare, weightDecay,
    );
  }
  if ((count & 3) > 0) {
    sgdLanes(
      weights + end, gradients + end, momentumBuffer == 0 ? 0 : momentumBuffer + end, count & 3,
      learningRate, momentum, share, ownShare, bufferShare, weightDecay,
    );
  }
}

// @ts-ignore: decorator
@inline
function sgdLanes(
  weights: usize, gradients: usize, momentumBuffer: usize, lanes: i32,
  learningRate: f32, momentum: f32, share: f32, ownShare: f32, bufferShare: f32, weightDecay: f32,
): void {
  const w = loadLanes(weights, lanes);
  let g = decayed(loadLanes(gradients, lanes), w, weightDecay);
  if (momentumBuffer != 0) {
    const b = average(loadLanes(momentumBuffer, lanes), momentum, g, share);
    storeLanes(momentumBuffer, b, lanes);
    g = f32x4.add(f32x4.mul(g, splat(ownShare)), f32x4.mul(b, splat(bufferShare)));
  }
  storeLanes(weights, f32x4.sub(w, f32x4.mul(g, splat(learningRate))), lanes);
}

/** Adagrad (Duchi et al. 2011). learningRate is already decayed: lr / (1 + (t − 1) · lrDecay). */
export function adagrad(
  weights: usize, gradients: usize, sum: usize, count: i32,
  learningRate: f32, eps: f32, weightDecay: f32,
): void {
  const end = floats(count & ~3);
  for (let at: usize = 0; at < end; at += 16) adagradLanes(weights + at, gradients + at, sum + at, 4, learningRate, eps, weightDecay);
  if ((count & 3) > 0) adagradLanes(weights + end, gradients + end, sum + end, count & 3, learningRate, eps, weightDecay);
}

// @ts-ignore: decorator
@inline
function adagradLanes(weights: usize, gradients: usize, sum: usize, lanes: i32, learningRate: f32, eps: f32, weightDecay: f32): void {
  const w = loadLanes(weights, lanes);
  const g = decayed(loadLanes(gradients, lanes), w, weightDecay);
  const s = averageSquare(loadLanes(sum, lanes), 1, g, 1);
  storeLanes(sum, s, lanes);
  storeLanes(weights, movedByQuotient(w, learningRate, g, f32x4.add(f32x4.sqrt(s), splat(eps))), lanes);
}

/** Adadelta (Zeiler 2012). share = 1 − ρ. */
export function adadelta(
  weights: usize, gradients: usize, squareAvg: usize, accDelta: usize, count: i32,
  learningRate: f32, rho: f32, share: f32, eps: f32, weightDecay: f32,
): void {
  const end = floats(count & ~3);
  for (let at: usize = 0; at < end; at += 16) {
    adadeltaLanes(weights + at, gradients + at, squareAvg + at, accDelta + at, 4, learningRate, rho, share, eps, weightDecay);
  }
  if ((count & 3) > 0) {
    adadeltaLanes(weights + end, gradients + end, squareAvg + end, accDelta + end, count & 3, learningRate, rho, share, eps, weightDecay);
  }
}

// @ts-ignore: decorator
@inline
function adadeltaLanes(
  weights: usize, gradients: usize, squareAvg: usize, accDelta: usize, lanes: i32,
  learningRate: f32, rho: f32, share: f32, eps: f32, weightDecay: f32,
): void {
  const w = loadLanes(weights, lanes);
  const g = decayed(loadLanes(gradients, lanes), w, weightDecay);
  const v = averageSquare(loadLanes(squareAvg, lanes), rho, g, share);
  storeLanes(squareAvg, v, lanes);
  const a = loadLanes(accDelta, lanes);
  const ratio = f32x4.div(f32x4.sqrt(f32x4.add(a, splat(eps))), f32x4.sqrt(f32x4.add(v, splat(eps))));
  const delta = f32x4.mul(ratio, g);
  storeLanes(accDelta, averageSquare(a, rho, delta, share), lanes);
  storeLanes(weights, f32x4.sub(w, f32x4.mul(delta, splat(learningRate))), lanes);
}
