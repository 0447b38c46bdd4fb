// A task of one's own in about 30 lines, here reversal: see rows of random bits, then give them back, the last one first.
// node examples/own-task.js
import { DNC, Random } from "engram";
import { evaluate, Trainer } from "engram/train";

const BITS = 5;
const reversal = {
  name: "reversal",
  inputSize: BITS + 1, // the bits, and a marker that says "now you"
  outputSize: BITS,
  loss: "binaryCrossEntropyWithLogits",
  readout: "each", // every step's output is compared with every step's target
  maxLength: 4, // training draws each batch's length from 1 to this

  /** Sequences of `length` rows, the marker, and `length` blank steps in which to answer. All randomness comes from `rng`. */
  batch(rng, batchSize, length) {
    const steps = 2 * length + 1;
    const zeros = (...shape) => ({ data: new Float32Array(shape.reduce((product, size) => product * size)), shape });
    const [input, target, mask] = [zeros(batchSize, steps, BITS + 1), zeros(batchSize, steps, BITS), zeros(batchSize, steps)];
    for (let b = 0; b < batchSize; b++) {
      const first = b * steps;
      for (let t = 0; t < length; t++) {
        const bits = Array.from({ length: BITS }, () => rng.bit());
        input.data.set(bits, (first + t) * (BITS + 1));
        target.data.set(bits, (first + 2 * length - t) * BITS);
      }
      input.data[(first + length) * (BITS + 1) + BITS] = 1;
      mask.data.fill(1, first + length + 1, first + steps); // only the answers count
    }
    return { input, target, mask };
  },

  /** Fraction of the asked bits that are right; an output above 0 means 1. */
  score(output, { target, mask }) {
    const asked = [...target.data.keys()].filter((i) => mask.data[Math.floor(i / BITS)] === 1);
    return { accuracy: asked.filter((i) => output.data[i] > 0 === (target.data[i] === 1)).length / asked.length };
  },
};

const { inputSize, outputSize } = reversal;
const model = new DNC({ inputSize, outputSize, hiddenSize: 64, numHiddenLayers: 1, nrCells: 16, cellSize: 16, readHeads: 1 });
const trainer = new Trainer(model, { loss: reversal.loss, readout: reversal.readout, learningRate: 0.007, clipGradNorm: 10 });
for await (const { iteration, loss } of trainer.run({ task: reversal, iterations: 1200, yieldMs: 500 })) console.log(iteration, loss);
console.log(await evaluate(model, reversal, { lengths: [4], samples: 1000, rng: new Random(1) }));
