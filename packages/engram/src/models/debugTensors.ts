// Debug output: what the memory of the batch's first element holds after every access (models.md §5), and beside it the gates,
// modes and strengths that the interface asked for.
import type { Engine } from "../engine/engine.js";
import { StateError } from "../errors.js";
import type { InterfaceSection } from "../memory/memory.js";
import { sizeOf, type Tensor, zeros } from "../tensor.js";
import type { Network } from "./network.js";
import type { AccessWatcher } from "./sequences.js";
import type { ShardSequence } from "./shardSequence.js";

/** Keys, queries and vectors are left out: they are as wide as a cell and say little by themselves. */
const small = (section: InterfaceSection) => !/(keys?|query|vector)$/.test(section.name);

/** Floats beyond which there is no debug output: 1 GiB, as of a state's field. */
const LARGEST_DEBUG = 2 ** 28;

export class DebugRecorder implements AccessWatcher {
  private readonly fields: ReadonlyMap<string, Tensor>;
  private readonly sections: readonly InterfaceSection[];
  /** Accesses so far. */
  private access = 0;

  /**
   * Room for every access of a call; the batch's first element runs `length` steps.
   * @throws {StateError} when that is too much
   */
  constructor(
    where: string,
    private readonly engine: Engine,
    private readonly network: Network,
    accesses: number,
    private readonly length: number,
  ) {
    const { memory } = network;
    this.sections = memory.sections.filter(small);
    const widths = new Map([
      ...memory.debugFields.map(({ name, shape }) => [name, sizeOf(shape)] as const),
      ...this.sections.map(({ name, size }) => [name, size] as const),
    ]);
    const floats = accesses * [...widths.values()].reduce((sum, width) => sum + width, 0);
    if (floats > LARGEST_DEBUG) {
      throw new StateError(
        `${where}: debug of ${accesses} accesses takes ${Math.ceil(floats / 2 ** 18)} MiB and may take ${LARGEST_DEBUG / 2 ** 18}: ` +
          "run fewer steps at a time, or a model of fewer cells, or one with debug: false",
      );
    }
    this.fields = new Map([...widths].map(([name, width]) => [name, zeros([accesses, width])]));
  }

  afterAccess(sequence: ShardSequence, layer: number): void {
    const { frame } = sequence;
    if (frame.pass.firstStep + frame.t < this.length) this.write(sequence, layer);
    else this.repeat();
    this.access++;
  }

  /** One row for each access, [accesses, …] each; none when the memory was never accessed. */
  tensors(): Map<string, Tensor> {
    return this.access === 0 ? new Map() : new Map(this.fields);
  }

  private row(name: string, access = this.access): Float32Array {
    const { data, shape } = this.fields.get(name) as Tensor;
    const width = shape[1] as number;
    return data.subarray(access * width, (access + 1) * width);
  }

  private write(sequence: ShardSequence, layer: number): void {
    const { memory, config } = this.network;
    const row = sequence.frame.schedule.order.indexOf(0);
    const values = new Map(memory.debugFields.map(({ name }) => [name, this.row(name)]));
    sequence.memories[config.shareMemory ? 0 : layer]?.debug(row, values);
    this.writeInterface(sequence, layer, row);
  }

  /** Past its length the element's state stays: that of the latest access to the same memory. */
  private repeat(): void {
    const { shareMemory, numLayers } = this.network.config;
    const latest = this.access - (shareMemory ? 1 : numLayers);
    for (const name of this.fields.keys()) this.row(name).set(this.row(name, latest));
  }

  private writeInterface(sequence: ShardSequence, layer: number, row: number): void {
    const width = this.network.widths.interface;
    const { frame, layers } = sequence;
    const xi = this.engine.f32((layers[layer]?.interface ?? 0) + 4 * width * (frame.start + row), width);
    for (const { name, blocks } of this.sections) {
      const section = this.row(name);
      for (const { from, to, count } of blocks) section.set(xi.subarray(to, to + count), from);
    }
  }
}
