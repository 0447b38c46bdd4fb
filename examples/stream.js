// Streaming: values come in one step at a time, and step() answers each with nothing allocated. node examples/stream.js
import { DNC, zeros } from "engram";
import { createTask } from "engram/tasks";
import { Trainer } from "engram/train";

const model = new DNC({ inputSize: 6, outputSize: 5, hiddenSize: 64, numHiddenLayers: 1, nrCells: 16, cellSize: 16, readHeads: 1 });
const trainer = new Trainer(model, { learningRate: 0.007, clipGradNorm: 10 });
for await (const { iteration, loss } of trainer.run({ task: createTask("copy"), iterations: 1000, yieldMs: 500 }))
  console.log(iteration, loss);

const state = model.initialState(1); // one stream; step() moves its state on in place
const input = zeros([1, 6]);
function step(...values) {
  input.data.set(values);
  const { data } = model.step(input, state); // written again by the next step
  return Array.from(data, (value) => (value > 0 ? 1 : 0)).join(" ");
}

const rows = [
  [1, 0, 1, 1, 0],
  [0, 1, 1, 0, 0],
  [1, 1, 0, 0, 1],
];
for (const row of rows) step(...row, 0);
step(0, 0, 0, 0, 0, 1); // the end marker: now repeat
for (const row of rows) console.log(`saw ${row.join(" ")}, recalled ${step(0, 0, 0, 0, 0, 0)}`);
