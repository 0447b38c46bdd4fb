// Debug output: what the memory of the batch's first element holds after every access (models.md §5), and beside it the gates,
// modes and strengths that the interface asked for.
import type { Engine } from "../engine/engine.js";
import type { InterfaceSection } from "../memory/memory.js";
import { sizeOf, type Tensor } from "../tensor.js";
import type { Network } from "./network.js";
import type { AccessWatcher } from "./sequences.js";
import type { ShardSequence } from "./shardSequence.js";

/** Keys, queries and vectors are left out: they are as wide as a cell and say little by themselves. */
const small = (section: InterfaceSection) => !/(keys?|query|vector)$/.test(section.name);

export class DebugRecorder implements AccessWatcher {
  private readonly rows: Map<string, Float32Array>[] = [];
  private readonly sections: readonly InterfaceSection[];

  constructor(
    private readonly engine: Engine,
    private readonly network: Network,
    /** Length of the batch's first element. */
    private readonly length: number,
  ) {
    this.sections = network.memory.sections.filter(small);
  }

  afterAccess(sequence: ShardSequence, layer: number): void {
    const { frame } = sequence;
    if (frame.pass.firstStep + frame.t >= this.length) {
      this.rows.push(this.frozen());
      return;
    }
    const row = frame.schedule.order.indexOf(0);
    const values = new Map<string, Float32Array>();
    for (const { name, shape } of this.network.memory.debugFields) values.set(name, new Float32Array(sizeOf(shape)));
    const shares = this.network.config.shareMemory;
    sequence.memories[shares ? 0 : layer]?.debug(row, values);
    this.addInterface(sequence, layer, row, values);
    this.rows.push(values);
  }

  /** One row for each access, [rows, …] each; empty when the memory was never accessed. */
  tensors(): Map<string, Tensor> {
    const tensors = new Map<string, Tensor>();
    const names = [...this.network.memory.debugFields, ...this.sections].map(({ name }) => name);
    for (const name of names) {
      const width = this.rows[0]?.get(name)?.length ?? 0;
      const data = new Float32Array(this.rows.length * width);
      for (const [i, row] of this.rows.entries()) data.set(row.get(name) as Float32Array, i * width);
      if (width > 0) tensors.set(name, { data, shape: [this.rows.length, width] });
    }
    return tensors;
  }

  /** Past its length the element's state stays: that of the latest access to the same memory. */
  private frozen(): Map<string, Float32Array> {
    const { shareMemory, numLayers } = this.network.config;
    return this.rows[this.rows.length - (shareMemory ? 1 : numLayers)] as Map<string, Float32Array>;
  }

  private addInterface(sequence: ShardSequence, layer: number, row: number, values: Map<string, Float32Array>): void {
    const width = this.network.widths.interface;
    const { frame, layers } = sequence;
    const xi = this.engine.f32((layers[layer]?.interface ?? 0) + 4 * width * (frame.start + row), width);
    for (const { name, size, blocks } of this.sections) {
      const section = new Float32Array(size);
      for (const { from, to, count } of blocks) section.set(xi.subarray(to, to + count), from);
      values.set(name, section);
    }
  }
}
