// Truncated backpropagation: streams without end are learned from in pieces. With carryState each step goes on from the state that the
// last one left, while gradients stay within the piece. node examples/truncated-backpropagation.js
import { DNC, Random } from "engram";
import { Trainer } from "engram/train";

const STREAMS = 16;
const STEPS = 8; // of a piece
const DELAY = 3; // the answer at each step is the bit of so many steps before, often one of the piece before

/** Cuts STREAMS endless random sequences into pieces [STREAMS, STEPS, 1] of input and target. */
function* pieces(rng) {
  const past = Array.from({ length: STREAMS }, () => new Array(DELAY).fill(0));
  for (;;) {
    const shape = [STREAMS, STEPS, 1];
    const [input, target] = [new Float32Array(STREAMS * STEPS), new Float32Array(STREAMS * STEPS)];
    for (let i = 0; i < input.length; i++) {
      const bits = past[Math.floor(i / STEPS)];
      input[i] = rng.bit();
      bits.push(input[i]);
      target[i] = bits.shift();
    }
    yield { input: { data: input, shape }, target: { data: target, shape } };
  }
}

for (const carryState of [true, false]) {
  const model = new DNC({ inputSize: 1, hiddenSize: 32, numHiddenLayers: 1, nrCells: 8, cellSize: 8, readHeads: 1, seed: 1 });
  const trainer = new Trainer(model, { carryState, learningRate: 0.01, clipGradNorm: 10 });
  const losses = [];
  for (const piece of pieces(new Random(1))) {
    losses.push(trainer.step(piece).loss);
    if (losses.length === 600) break;
  }
  const loss = losses.slice(-100).reduce((sum, one) => sum + one) / 100;
  console.log(`carryState ${carryState}: loss ${loss.toFixed(3)}`);
}
// Without the state, the first DELAY answers of each piece are a guess: ln 2 for each of them.
console.log(`a guess at them: ${((DELAY / STEPS) * Math.log(2)).toFixed(3)}`);
