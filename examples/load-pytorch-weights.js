// Runs a DNC that was trained with the Python package `dnc` (pytorch-dnc). There, after training:
//
//   from safetensors.torch import save_file
//   save_file(rnn.state_dict(), "dnc.safetensors")
//
// and here, with the options of the Python constructor that are not the defaults, in camelCase:
//
//   node examples/load-pytorch-weights.js dnc.safetensors '{ "inputSize": 64, "hiddenSize": 128, "nrCells": 100, "cellSize": 32 }'
import { readFileSync } from "node:fs";
import { randn } from "engram";
import { loadPyTorchWeights } from "engram/files";

const [file, options] = process.argv.slice(2);
if (file === undefined || options === undefined) throw new Error("give a safetensors file and the model's options as JSON");

// The model is a DNC with readFeedback: false, which is how the Python package computes.
const model = loadPyTorchWeights(readFileSync(file), JSON.parse(options), file).eval();
console.log(`${model.numParameters} parameters from ${file}`);

const input = randn([1, 3, model.config.inputSize], 1); // [batch, time, inputSize]
const { output, state } = model.forward(input);
console.log("output", output.shape, output.data);
console.log("read vectors", state.readVectors.data);
