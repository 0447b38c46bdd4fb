// The parameters of a model: names, shapes and initial values as models.md and the Python package's state dict have them, and
// where each lies in the flat weight arena.
import type { CellKind } from "../controllers/cells.js";
import type { Memory } from "../memory/memory.js";
import { Random } from "../random.js";
import { sizeOf } from "../tensor.js";
import type { ModelConfig } from "./options.js";

export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Floats before it in the arena. */
  readonly offset: number;
  readonly count: number;
  /** Initial values are drawn from U(−bound, bound). */
  readonly bound: number;
}

/** Name of layer l's memory in the state dict. */
export function memoryName(config: ModelConfig, layer: number): string {
  return `rnn_layer_memory_${config.shareMemory ? "shared" : layer}`;
}

export function cellName(kind: CellKind, layer: number): string {
  return `${kind.prefix}_layer_${layer}`;
}

/** Values a cell takes besides its own hidden state: [x, r] below, [h, r] of the layer below, or the h of the cell below. */
export function cellInputSize(config: ModelConfig, layer: number, cell: number): number {
  const { inputSize, hiddenSize, readHeads, cellSize } = config;
  if (cell > 0) return hiddenSize;
  return (layer === 0 ? inputSize : hiddenSize) + readHeads * cellSize;
}

/** Every parameter in arena order. */
export function parameterTable(config: ModelConfig, kind: CellKind, memory: Memory): Parameter[] {
  const { hiddenSize, numLayers, numHiddenLayers, readHeads, cellSize, outputSize } = config;
  const table: Parameter[] = [];
  let offset = 0;
  const add = (name: string, shape: readonly number[], bound: number) => {
    const count = sizeOf(shape);
    table.push({ name, shape, offset, count, bound });
    offset += count;
  };
  const addLinear = (name: string, outputs: number, inputs: number) => {
    add(`${name}.weight`, [outputs, inputs], Math.sqrt(6 / inputs));
    add(`${name}.bias`, [outputs], 1 / Math.sqrt(inputs));
  };
  const recurrent = 1 / Math.sqrt(hiddenSize);
  const gateRows = kind.gates * hiddenSize;
  for (let l = 0; l < numLayers; l++) {
    for (let k = 0; k < numHiddenLayers; k++) {
      add(`${cellName(kind, l)}.weight_ih_l${k}`, [gateRows, cellInputSize(config, l, k)], recurrent);
      add(`${cellName(kind, l)}.weight_hh_l${k}`, [gateRows, hiddenSize], recurrent);
      if (!config.bias) continue;
      add(`${cellName(kind, l)}.bias_ih_l${k}`, [gateRows], recurrent);
      add(`${cellName(kind, l)}.bias_hh_l${k}`, [gateRows], recurrent);
    }
  }
  for (let m = 0; m < (config.shareMemory ? 1 : numLayers); m++) {
    const name = memoryName(config, m);
    if (config.independentLinears) {
      for (const section of memory.sections) addLinear(`${name}.${section.name}_transform`, section.size, hiddenSize);
    } else {
      const size = memory.sections.reduce((sum, section) => sum + section.size, 0);
      addLinear(`${name}.interface_weights`, size, hiddenSize);
    }
  }
  addLinear("output", outputSize, hiddenSize + readHeads * cellSize);
  return table;
}

/** Draws the initial weights, parameter after parameter from one stream of the seeded generator. */
export function initialise(weights: Float32Array, table: readonly Parameter[], seed: number): void {
  const random = new Random(seed);
  for (const { offset, count, bound } of table) random.fillUniform(weights.subarray(offset, offset + count), -bound, bound);
}
