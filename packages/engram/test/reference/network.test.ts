import { expect, test } from "vitest";
import { centralDifferences, dot } from "../centralDifferences.js";
import { createModel, randomOptions, randomState, randomTensor } from "../wholeModels.js";
import { referenceState, runReference, type Vector, vector } from "./network.js";

const steps = 2;

/** One model of each cell and layout, small enough to move every number of it. */
const options = [
  { rnnType: "lstm", numLayers: 2, shareMemory: true, clip: 0.3 },
  { rnnType: "gru", numLayers: 2, shareMemory: false, independentLinears: true, readFeedback: false },
  { rnnType: "rnn", nonlinearity: "tanh", numHiddenLayers: 2, bias: false, clip: 0 },
] as const;
// Not the SDNC: what its links would gain is left out of its gradients on purpose (models.md §4).
const cases = (["dnc", "sam"] as const).flatMap((type) => options.map((own) => ({ type, ...own })));

// Rounding 1e-16 / 1e-5 and curvature 1e-10, times what two steps of strengths and softmax make of them.
test.each(cases)("the float64 network's gradients are within 1e-6 of central differences: %o", ({ type, ...own }) => {
  const small = { inputSize: 2, hiddenSize: 3, outputSize: 2, nrCells: 4, cellSize: 2, readHeads: 2, sparseReads: 2, numHiddenLayers: 1 };
  const model = createModel(type, { ...randomOptions(3), ...small, temporalReads: 1, temporalLinks: 2, nonlinearity: "tanh", ...own });
  const names = [...model.stateDict().keys()];
  const inputs = Array.from({ length: steps }, (_, t) => randomTensor([2], t).data);
  const dOutputs = Array.from({ length: steps }, (_, t) => randomTensor([2], 10 + t).data);
  const start = referenceState(randomState(model, 1, 5).tensors(), 0);
  const weights = new Map([...model.stateDict()].map(([name, { data }]) => [name, vector(data)]));
  const run = () => runReference(type, model.config, weights, inputs, start);
  const dFinal = randomTensor([model.config.numHiddenLayers * model.config.hiddenSize], 20).data;
  const loss = () => {
    const { outputs, final } = run();
    const h = (final.vectors.get("controller_hidden.0.h") as Vector).value;
    return outputs.reduce((sum, { value }, t) => sum + dot(value, dOutputs[t] as Float32Array), dot(h, dFinal));
  };
  const ran = run();
  for (const [t, { gradient }] of ran.outputs.entries()) gradient.set(dOutputs[t] as Float32Array);
  ran.final.vectors.get("controller_hidden.0.h")?.gradient.set(dFinal);
  ran.back();
  const expectSlopes = (name: string, { value, gradient }: Vector) => {
    const before = value.slice();
    const slopes = centralDifferences((x) => {
      value.set(x);
      return loss();
    }, before);
    value.set(before);
    expect(gradient, name).toBeClose(slopes, { atol: 1e-7, rtol: 1e-6 });
  };
  for (const name of names) expectSlopes(name, weights.get(name) as Vector);
  for (const name of ["controller_hidden.0.h", "memory.0.memory", "read_vectors"]) expectSlopes(name, start.vectors.get(name) as Vector);
});
