// Trains the model that the page runs, and saves it beside the page: node examples/web-page/train.js
import { writeFileSync } from "node:fs";
import { DNC, Random } from "engram";
import { saveModel } from "engram/files";
import { createTask } from "engram/tasks";
import { evaluate, Trainer } from "engram/train";

const task = createTask("copy");
const model = new DNC({ inputSize: 6, outputSize: 5, hiddenSize: 64, numHiddenLayers: 1, nrCells: 16, cellSize: 16, readHeads: 1 });
const trainer = new Trainer(model, { learningRate: 0.007, clipGradNorm: 10 });
for await (const { iteration, loss } of trainer.run({ task, iterations: 1000, yieldMs: 500 })) console.log(iteration, loss);
console.log(await evaluate(model, task, { lengths: [4], samples: 1000, rng: new Random(1) }));
writeFileSync(new URL("model.safetensors", import.meta.url), saveModel(model));
