// Floating-point operations of a model's matrix products, counted from its sizes: the numerator of the share of the roofline.
// Only products with weights count (input, recurrent, interface, output); activations and the memory access do not, so a share of
// 100 % cannot be reached by a model that has a memory.

const gatesOf = { lstm: 4, gru: 3, rnn: 1 };

/** Size of the interface vector (models.md: sections of each memory). */
export function interfaceSize(model, { cellSize: W, readHeads: R }) {
  if (model === "dnc") return R * W + 3 * W + 5 * R + 3;
  const sparse = R * W + R + W + 2;
  return model === "sam" ? sparse : sparse + 3 * R;
}

/** Multiply-adds of one element and one time step, by kind of product. */
export function productsOfStep(model, options) {
  const { inputSize: X, hiddenSize: H, cellSize: W, readHeads: R, outputSize: O = X, numLayers = 1, numHiddenLayers = 2 } = options;
  const gates = gatesOf[options.rnnType ?? "lstm"] * H;
  const products = { input: 0, recurrent: 0, interface: 0, output: O * (H + R * W) };
  for (let layer = 0; layer < numLayers; layer++) {
    for (let cell = 0; cell < numHiddenLayers; cell++) {
      const width = cell > 0 ? H : (layer === 0 ? X : H) + R * W;
      products.input += gates * width;
      products.recurrent += gates * H;
    }
    products.interface += interfaceSize(model, options) * H;
  }
  return products;
}

/** Multiply-adds of one element that need not be done at the first step from the empty state: with h and read vectors of the step before. */
function productsWithNothing({ hiddenSize: H, cellSize: W, readHeads: R, numLayers = 1, numHiddenLayers = 2, rnnType = "lstm" }) {
  return gatesOf[rnnType] * H * (numLayers * numHiddenLayers * H + R * W);
}

/**
 * Flops of the products done in what a case times: one training step (forward, and twice as much again for the gradients of inputs, the
 * call's own apart, and of weights), one forward pass, or one time step. All but the last begin with the empty state.
 */
export function productFlops({ model, measure, batchSize, sequenceLength, options }) {
  const multiplyAdds = Object.values(productsOfStep(model, options)).reduce((sum, n) => sum + n, 0);
  if (measure === "step") return 2 * multiplyAdds * batchSize;
  const forward = multiplyAdds * sequenceLength - productsWithNothing(options);
  const { inputSize, hiddenSize, rnnType = "lstm" } = options;
  const inputGradient = gatesOf[rnnType] * hiddenSize * inputSize * sequenceLength;
  return 2 * batchSize * (measure === "train" ? 3 * forward - inputGradient : forward);
}
