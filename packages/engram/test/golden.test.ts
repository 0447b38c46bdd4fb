// Whole models against the golden cases: computed in float64 by an independent implementation (test/golden/README.md says how, and
// where the tolerances come from).
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readSafetensors } from "../src/files/safetensors.js";
import type { ForwardOptions } from "../src/models/calls.js";
import { DNC } from "../src/models/dnc.js";
import type { Model } from "../src/models/model.js";
import type { DNCOptions } from "../src/models/options.js";
import { SAM } from "../src/models/sam.js";
import { SDNC } from "../src/models/sdnc.js";
import { State } from "../src/models/state.js";
import type { Tensor } from "../src/tensor.js";

const folder = new URL("golden/", import.meta.url);
const models: Record<string, new (options: DNCOptions) => Model> = { DNC, SAM, SDNC };
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".safetensors"))
  .map((name) => name.replace(".safetensors", ""));

interface Case {
  readonly tensors: Map<string, Tensor>;
  readonly model: string;
  readonly config: DNCOptions;
  readonly call: ForwardOptions & { debug?: boolean };
}

function read(name: string): Case {
  const { tensors, metadata } = readSafetensors(readFileSync(new URL(`${name}.safetensors`, folder)));
  const [model, config, call] = [metadata.model, metadata.config, metadata.call] as [string, string, string];
  return { tensors, model, config: JSON.parse(config), call: JSON.parse(call) };
}

/** Tensors under a prefix, by the rest of their name. */
function under(tensors: Map<string, Tensor>, prefix: string): Map<string, Tensor> {
  return new Map([...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

function largest(data: Float32Array): number {
  return data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** Outputs, states and debug tensors: 2e-5 of the largest wanted value, at least of 1; positions and access times are exact. */
function expectValue(name: string, got: Tensor | undefined, want: Tensor): void {
  if (got === undefined) throw new Error(`${name} is missing`);
  const exact = /read_positions|last_access/.test(name);
  expect({ name, shape: got.shape }).toEqual({ name, shape: want.shape });
  expect(got.data, name).toBeClose(want.data, { atol: exact ? 0 : 2e-5 * Math.max(1, largest(want.data)) });
}

test.each(names)("%s agrees with the float64 reference", (name) => {
  const { tensors, model: type, config, call } = read(name);
  const Type = models[type];
  if (Type === undefined) throw new Error(`no model ${type}`);
  const model = new Type({ ...config, debug: call.debug ?? false });
  model.loadStateDict(under(tensors, "param."));
  const init = under(tensors, "init.");
  const state = init.size > 0 ? State.from(model, init) : undefined;
  const { debug: _debug, ...options } = call;
  const x = tensors.get("x") as Tensor;
  const result = model.forward(x, state, options);
  const { inputGrad } = model.backward(tensors.get("dy") as Tensor);

  expectValue("y", result.output, tensors.get("y") as Tensor);
  const final = result.state.tensors();
  for (const [key, want] of under(tensors, "final.")) expectValue(`final.${key}`, final.get(key), want);
  for (const [key, want] of under(tensors, "debug.")) expectValue(`debug.${key}`, result.debug?.get(key), want);

  const gradients = under(tensors, "grad.");
  const dx = tensors.get("dx") as Tensor;
  const most = Math.max(largest(dx.data), ...[...gradients.values()].map(({ data }) => largest(data)));
  // The Python package adds cosine's ε elsewhere, and its gradients on empty rows differ by as much.
  const rtol = name.startsWith("pytorch_dnc") ? 2e-3 : 2e-4;
  const scale = (want: Tensor) => ({ atol: rtol * Math.max(largest(want.data), most / 100) });
  expect(inputGrad.data, "dx").toBeClose(dx.data, scale(dx));
  for (const [key, want] of gradients) expect(model.gradients().get(key)?.data ?? [], `grad.${key}`).toBeClose(want.data, scale(want));
});
