// Everything of a trace that is shown over time, loaded at once: some hundred values a step. What is larger comes step by step
// (stepLoader.ts).
import type { MemoryWeights } from "../data/memoryUse.js";
import type { Trace } from "../data/trace.js";
import { traceSizes } from "../data/traceLayout.js";
import type { Matrix } from "./matrix.js";
import type { TimePanel } from "./timePanels.js";
import { shownCells } from "./timePanels.js";

export class TimeData {
  readonly #tensors: ReadonlyMap<string, Float32Array>;

  private constructor(
    readonly trace: Trace,
    readonly steps: number,
    readonly layers: number,
    tensors: ReadonlyMap<string, Float32Array>,
  ) {
    this.#tensors = tensors;
  }

  /** @returns undefined when the trace is not there any more */
  static async load(trace: Trace, panels: readonly TimePanel[]): Promise<TimeData | undefined> {
    const { steps, layers } = traceSizes(trace.header);
    const named = panels.flatMap(({ sources }) => sources.map(({ tensor }) => tensor));
    const names = new Set([...named, "mask", "target", "output", "debug.write_weights", "debug.read_weights"]);
    const present = [...names].filter((name) => name in trace.header.tensors);
    const tensors = await trace.whole(present);
    return tensors && new TimeData(trace, steps, layers, tensors);
  }

  /** A panel's values, a row each, a column each step. Of several layers the one that is asked for. */
  matrix(panel: TimePanel, layer: number): Matrix {
    const values = new Float32Array(panel.rowNames.length * this.steps).fill(Number.NaN);
    let row = 0;
    for (const { tensor, from, count } of panel.sources) {
      const perStep = tensor.startsWith("debug.") ? this.layers : 1;
      const data = this.#tensors.get(tensor) ?? new Float32Array(0);
      const width = data.length / (perStep * this.steps);
      for (let i = 0; i < count; i++, row++) {
        for (let t = 0; t < this.steps; t++)
          values[row * this.steps + t] = data[(t * perStep + (perStep > 1 ? layer : 0)) * width + from + i] ?? Number.NaN;
      }
    }
    return { rows: row, columns: this.steps, values };
  }

  /** A row of a tensor at a step; empty where it is not there. */
  row(tensor: string, step: number, layer: number): Float32Array {
    const data = this.#tensors.get(tensor);
    if (data === undefined) return new Float32Array(0);
    const width = data.length / (this.layers * this.steps);
    const row = step * this.layers + layer;
    return data.subarray(row * width, (row + 1) * width);
  }

  /** For every step whether its output counts. */
  asked(): boolean[] {
    const mask = this.#tensors.get("mask") ?? new Float32Array(0);
    const width = mask.length / this.steps;
    return Array.from({ length: this.steps }, (_, t) => mask.subarray(t * width, (t + 1) * width).some((value) => value !== 0));
  }

  /** Where the answer is one number: what it should be, and the outputs that count added up. */
  answer(): { readonly target: number; readonly answer: number } | undefined {
    const target = this.#tensors.get("target");
    const [output, mask] = [this.#tensors.get("output"), this.#tensors.get("mask")];
    if (target?.length !== 1 || output === undefined || mask === undefined) return undefined;
    return { target: target[0] as number, answer: output.reduce((sum, value, i) => sum + value * (mask[i] ?? 0), 0) };
  }

  weights(layer: number): MemoryWeights {
    const { header } = this.trace;
    const { heads, cells } = traceSizes(header);
    const ofLayer = (tensor: string) => {
      const rows = Array.from({ length: this.steps }, (_, t) => this.row(tensor, t, layer));
      const all = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
      for (const [t, row] of rows.entries()) all.set(row, t * row.length);
      return all;
    };
    const [write, read] = [ofLayer("debug.write_weights"), ofLayer("debug.read_weights")];
    return { write, read, heads, shown: shownCells(header).length, cells, asked: this.asked() };
  }
}
