// One case on our side: its model, trainer and data, the checks before it is timed, and the timing.
import { DNC, SAM, SDNC, State, tensor } from "engram";
import { Trainer } from "engram/train";
import { checkAgainstReference, checkLearning } from "./checks.js";
import { peakBytes, randomBits, seeded } from "./subjectData.js";

const classes = { dnc: DNC, sam: SAM, sdnc: SDNC };

/** A state in which every cell was written: SAM only, one element. */
function filledState(model) {
  const { nrCells: N, cellSize: W, readHeads: R, hiddenSize: H, numHiddenLayers, numLayers } = model.config;
  const random = seeded(7);
  const entries = [
    ["memory.0.memory", [1, N, W], () => random() - 0.5],
    ["memory.0.read_weights", [1, R, N], () => 0],
    ["memory.0.write_weights", [1, N], () => 0],
    ["memory.0.last_access", [1, N], (i) => i + 1],
    ["memory.0.clock", [1], () => N],
    ["read_vectors", [1, R * W], () => 0],
  ];
  for (let layer = 0; layer < numLayers; layer++) {
    for (const part of ["h", "c"]) entries.push([`controller_hidden.${layer}.${part}`, [numHiddenLayers, 1, H], () => 0]);
  }
  const make = ([name, shape, value]) => [
    name,
    tensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => value(i)),
      shape,
    ),
  ];
  return State.from(model, new Map(entries.map(make)));
}

function create({ model, options }, threads) {
  const made = new classes[model]({ ...options, seed: 1 });
  const trainer = new Trainer(made, { optimizer: "adam", learningRate: 1e-3, loss: "binaryCrossEntropyWithLogits", threads });
  return { model: made, trainer, startBytes: made.memoryUsage() };
}

export class Subject {
  /** @param given a case of cases.js */
  constructor(given, threads) {
    this.case = given;
    this.threads = threads;
    const { inputSize: X, outputSize: O = X } = given.options;
    const steps = given.measure === "step" ? 1 : given.sequenceLength;
    this.input = randomBits([given.batchSize, steps, X], 1);
    this.target = randomBits([given.batchSize, steps, O], 2);
    this.stepInput = tensor(this.input.data.slice(0, given.batchSize * X), [given.batchSize, X]);
  }

  async prepare() {
    const { measure, trained = 0, streamed = 0, filled = false } = this.case;
    const checked = await this.check();
    Object.assign(this, create(this.case, this.threads));
    if (this.threads > 1) await this.trainer.ready();
    this.trainLong(trained);
    if (measure !== "train") this.model.eval();
    if (measure === "step") this.state = filled ? filledState(this.model) : this.model.initialState(this.case.batchSize);
    for (let i = 0; i < streamed; i++) this.step();
    return { ...checked, parameters: this.model.numParameters, startBytes: this.startBytes };
  }

  /** On a model of its own, so that what checking needs does not show in the memory of the one that is measured. */
  async check() {
    const { model, trainer } = create(this.case, this.threads);
    const worst = checkAgainstReference(this.case, model);
    if (this.threads > 1) await trainer.ready();
    const losses = checkLearning(trainer, this.input, this.target);
    trainer.dispose();
    model.dispose();
    return { worst, losses };
  }

  /** A copy task at a high learning rate on a few sequences: weights grow, gates saturate, tiny values appear. */
  trainLong(steps) {
    if (steps === 0) return;
    const { sequenceLength: T, options } = this.case;
    const half = T >> 1;
    this.trainer.learningRate = 1e-2;
    for (let i = 0; i < steps; i++) {
      const input = randomBits([4, T, options.inputSize], 100 + i);
      const target = tensor(new Float32Array(input.data.length), input.shape);
      const row = options.inputSize;
      for (let element = 0; element < 4; element++) {
        const start = element * T * row;
        input.data.fill(0, start + half * row, start + T * row);
        target.data.set(input.data.subarray(start, start + (T - half) * row), start + half * row);
      }
      this.trainer.step({ input, target });
    }
    this.trainer.learningRate = 1e-3;
  }

  train() {
    this.trainer.step({ input: this.input, target: this.target });
  }

  forward() {
    this.model.forward(this.input, undefined, { resetExperience: true });
  }

  step() {
    this.model.step(this.stepInput, this.state);
  }

  /** Each time is that of one run, in ms; runs of microseconds are timed many together. */
  measure(repetitions, seconds) {
    const run = this[this.case.measure].bind(this);
    const together = (calls) => {
      const cpu = process.cpuUsage();
      const start = performance.now();
      for (let i = 0; i < calls; i++) run();
      const time = performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      return { time: time / calls, cpu: (user + system) / 1000 / calls };
    };
    let calls = 1;
    while (together(calls).time * calls < 1) calls *= 2;
    const samples = [];
    const end = performance.now() + 1000 * seconds;
    while (samples.length < repetitions && (samples.length < 3 || performance.now() < end)) samples.push(together(calls));
    return {
      times: samples.map((sample) => sample.time),
      cpuTimes: samples.map((sample) => sample.cpu),
      peakBytes: peakBytes(),
      memory: this.model.memoryUsage(),
    };
  }
}
