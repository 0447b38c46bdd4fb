// An LSTM of a case's size in TensorFlow.js (WASM backend), timed for the benchmark: answers the same requests as peer.py, one JSON
// object a line. It has the controller's cells and the output layer and no memory at all: what is compared with it does more.
import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { serve } from "../serve.js";

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs");
const wasm = require("@tensorflow/tfjs-backend-wasm");

wasm.setWasmPaths(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")) + sep);
await tf.setBackend("wasm");
await tf.ready();

class Subject {
  constructor({ batchSize: B, sequenceLength: T, options }) {
    const { inputSize: X, hiddenSize: H, outputSize: O = X, numLayers = 1, numHiddenLayers = 2 } = options;
    this.model = tf.sequential();
    for (let cell = 0; cell < numLayers * numHiddenLayers; cell++) {
      const first = cell === 0 ? { inputShape: [T, X] } : {};
      this.model.add(
        tf.layers.lstm({
          ...first,
          units: H,
          returnSequences: true,
          recurrentActivation: "sigmoid",
          recurrentInitializer: "glorotUniform",
        }),
      );
    }
    this.model.add(tf.layers.dense({ units: O }));
    this.optimizer = tf.train.adam(1e-3);
    const bits = (shape, seed) => tf.randomUniform(shape, 0, 1, "float32", seed).greater(0.5).cast("float32");
    this.input = bits([B, T, X], 1);
    this.target = bits([B, T, O], 2);
  }

  /** Forward, loss, backward, Adam; the loss as a number. */
  train() {
    const loss = () => tf.losses.sigmoidCrossEntropy(this.target, this.model.apply(this.input, { training: true }));
    const cost = this.optimizer.minimize(loss, true);
    const value = cost.dataSync()[0];
    cost.dispose();
    return value;
  }

  check() {
    const losses = [1, 2, 3, 4].map(() => this.train());
    if (!losses.every(Number.isFinite)) throw new Error(`a loss is not finite: ${losses}`);
    if (!(losses.at(-1) < losses[0])) throw new Error(`the loss does not fall: ${losses}`);
    return { losses, parameters: this.model.countParams() };
  }

  measure(repetitions, seconds) {
    const times = [];
    const cpuTimes = [];
    const end = performance.now() + 1000 * seconds;
    while (times.length < repetitions && (times.length < 3 || performance.now() < end)) {
      const cpu = process.cpuUsage();
      const start = performance.now();
      this.train();
      times.push(performance.now() - start);
      const { user, system } = process.cpuUsage(cpu);
      cpuTimes.push((user + system) / 1000);
    }
    return { times, cpuTimes, peakBytes: process.memoryUsage().rss };
  }
}

let subject;
await serve({
  hello: () => ({ version: tf.version.tfjs, backend: tf.getBackend() }),
  prepare: (request) => {
    if (request.case.measure !== "train") throw new Error("only training is compared with TensorFlow.js");
    subject = new Subject(request.case);
    return subject.check();
  },
  measure: ({ repetitions, seconds }) => subject.measure(repetitions, seconds),
});
