import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readSafetensors } from "../packages/engram/src/files/index.js";
import { referenceForward } from "./reference.js";

const folder = new URL("../packages/engram/test/golden/", import.meta.url);
const defaults = { rnnType: "lstm", numLayers: 1, numHiddenLayers: 2, clip: 20, nrCells: 5, readHeads: 2, cellSize: 10 };
const sparseDefaults = { sparseReads: 4, temporalReads: 4, temporalLinks: 8 };

function goldenCase(file) {
  const { tensors, metadata } = readSafetensors(readFileSync(new URL(file, folder)));
  const config = { ...defaults, ...sparseDefaults, ...JSON.parse(metadata.config) };
  return { file, tensors, model: metadata.model.toLowerCase(), config, call: JSON.parse(metadata.call) };
}

/** What the benchmark's reference computes: a fresh state, LSTM cells with biases, one linear layer, one memory. */
function isCovered({ tensors, config, call }) {
  const plain = config.rnnType === "lstm" && !config.independentLinears && config.shareMemory !== false && config.bias !== false;
  const fresh = ![...tensors.keys()].some((name) => name.startsWith("init."));
  return plain && fresh && call.lengths === undefined && call.passThroughMemory !== false;
}

const covered = readdirSync(folder)
  .filter((file) => file.endsWith(".safetensors") && !file.startsWith("pytorch_"))
  .map(goldenCase)
  .filter(isCovered);

// The golden cases are float64 results stored as float32: half a unit in the last place of values below 1, on weights and outputs.
test.each(covered.map((each) => [each.file, each]))("%s: the float64 reference agrees with the golden case to 1e-7", (_, golden) => {
  const { tensors, config, model } = golden;
  const parameters = new Map([...tensors].filter(([name]) => name.startsWith("param.")).map(([name, value]) => [name.slice(6), value]));
  const [x, y] = [tensors.get("x"), tensors.get("y")];
  const [B, T, X] = x.shape;
  for (let element = 0; element < B; element++) {
    const rows = Array.from({ length: T }, (_, t) => [...x.data.subarray((element * T + t) * X, (element * T + t + 1) * X)]);
    const output = referenceForward(model, config, parameters, rows).flat();
    const width = y.shape[2];
    expect(output).toBeClose(y.data.slice(element * T * width, (element + 1) * T * width), { atol: 1e-7 });
  }
});
