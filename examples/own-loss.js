// A loss of one's own: forward gives outputs, backward takes the loss's gradient with respect to them, update does the rest.
// Here Huber's loss, on the largest number seen so far. node examples/own-loss.js
import { DNC, randn } from "engram";
import { Trainer } from "engram/train";

/** Σ of error² / 2 near zero and of |error| beyond 1, averaged; and its gradient. */
function huber(output, target) {
  const gradient = new Float32Array(output.length);
  let loss = 0;
  for (let i = 0; i < output.length; i++) {
    const error = output[i] - target[i];
    loss += Math.abs(error) <= 1 ? error ** 2 / 2 : Math.abs(error) - 0.5;
    gradient[i] = Math.min(1, Math.max(-1, error)) / output.length;
  }
  return { loss: loss / output.length, gradient };
}

const [B, T] = [32, 10];
const model = new DNC({ inputSize: 1, hiddenSize: 32, numHiddenLayers: 1, nrCells: 4, cellSize: 4, readHeads: 1 });
const trainer = new Trainer(model, { learningRate: 0.01, clipGradNorm: 1 });
for (let step = 1; step <= 400; step++) {
  const input = randn([B, T, 1], step);
  const largestSoFar = input.data.map((_, i) => Math.max(...input.data.subarray(i - (i % T), i + 1)));
  const { output } = model.forward(input);
  const { loss, gradient } = huber(output.data, largestSoFar);
  model.zeroGrad(); // backward adds to what is there
  model.backward({ data: gradient, shape: output.shape });
  trainer.update();
  if (step % 100 === 0) console.log(step, loss);
}
