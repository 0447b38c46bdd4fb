// One sequence through a model, with what its memory did at every step: from a run's memory file, or from a model in the page.
import type { TraceHeader } from "./api.js";
import { axesOf, pickCells } from "./traceLayout.js";

export interface Trace {
  readonly header: TraceHeader;
  /**
   * Rows `from` … `to`−1 of a tensor, with the cells of the header only.
   * @returns undefined where the tensor is not there (any more)
   */
  rows(name: string, from: number, to: number): Promise<Float32Array | undefined>;
  /** All rows of some of the header's tensors. @returns undefined where they are not there (any more) */
  whole(names: readonly string[]): Promise<ReadonlyMap<string, Float32Array> | undefined>;
}

/** A small trace that came whole, with the cells of its header only. */
export class HeldTrace implements Trace {
  readonly #tensors: ReadonlyMap<string, Float32Array>;

  constructor(
    readonly header: TraceHeader,
    tensors: ReadonlyMap<string, Float32Array>,
  ) {
    this.#tensors = tensors;
  }

  async rows(name: string, from: number, to: number): Promise<Float32Array | undefined> {
    const data = this.#tensors.get(name);
    const width = (data?.length ?? 0) / (this.header.tensors[name]?.[0] ?? 1);
    return data?.subarray(from * width, to * width);
  }

  async whole(): Promise<ReadonlyMap<string, Float32Array>> {
    return this.#tensors;
  }
}

/** A trace whose tensors are at hand as the model gave them. */
export class LocalTrace implements Trace {
  readonly #tensors: ReadonlyMap<string, { readonly data: Float32Array; readonly shape: readonly number[] }>;

  constructor(
    readonly header: TraceHeader,
    tensors: ReadonlyMap<string, { readonly data: Float32Array; readonly shape: readonly number[] }>,
  ) {
    this.#tensors = tensors;
  }

  async rows(name: string, from: number, to: number): Promise<Float32Array | undefined> {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) return undefined;
    const width = tensor.data.length / (tensor.shape[0] ?? 1);
    return pickCells(tensor.data.subarray(from * width, to * width), axesOf(name, this.header), this.header.cells);
  }

  async whole(names: readonly string[]): Promise<ReadonlyMap<string, Float32Array> | undefined> {
    const rows = await Promise.all(names.map((name) => this.rows(name, 0, this.header.tensors[name]?.[0] ?? 0)));
    if (rows.includes(undefined)) return undefined;
    return new Map(names.map((name, i) => [name, rows[i] as Float32Array]));
  }
}
