// The DNC's memory (models.md §2): every cell takes part in every access. What it holds and how it travels is here; a sequence of
// accesses is in denseTape.ts, the mathematics in kernels/denseMemory.ts.
import type { Engine } from "../engine/engine.js";
import { sizeOf, type Tensor } from "../tensor.js";
import { readBatch, readField, writeBatch } from "./denseFields.js";
import { DenseLayout } from "./denseLayout.js";
import { DenseTape } from "./denseTape.js";
import type {
  Block,
  Field,
  FieldValues,
  InterfaceSection,
  Memory,
  MemoryOptions,
  MemorySnapshot,
  MemoryTape,
  SparseTensor,
} from "./memory.js";

export class DenseMemory implements Memory {
  readonly sections: readonly InterfaceSection[];
  readonly interfaceWidth: number;
  readonly readBlocks: readonly Block[];
  readonly readWidth: number;
  readonly stateFields: readonly Field[];
  readonly gradientFields: readonly string[];
  readonly debugFields: readonly Field[];
  readonly hasClock = false;
  private readonly layout: DenseLayout;

  constructor(options: Pick<MemoryOptions, "nrCells" | "cellSize" | "readHeads">) {
    this.layout = new DenseLayout(options);
    const { sections, interfaceWidth, readBlocks, readWidth, stateFields } = this.layout;
    this.sections = sections;
    this.interfaceWidth = interfaceWidth;
    this.readBlocks = readBlocks;
    this.readWidth = readWidth;
    this.stateFields = stateFields.map(({ name, shape }) => ({ name, shape }));
    this.gradientFields = stateFields.map(({ name }) => name);
    this.debugFields = this.stateFields;
  }

  open(engine: Engine): MemoryTape {
    return new DenseTape(engine, this.layout);
  }

  emptySnapshot(batch: number): MemorySnapshot {
    return { batch, bytes: new Uint8Array(4 * batch * this.layout.snapshotFloats) };
  }

  snapshotFromTensors(tensors: ReadonlyMap<string, FieldValues>, batch: number): MemorySnapshot {
    const snapshot = this.emptySnapshot(batch);
    const values = floatsOf(snapshot);
    for (const [name, tensor] of tensors) writeBatch(this.layout.stateField(name), values, this.layout.snapshotFloats, tensor, batch);
    return snapshot;
  }

  tensorFromSnapshot(snapshot: MemorySnapshot, name: string): Tensor {
    const field = this.layout.stateField(name);
    return readBatch(field, floatsOf(snapshot), this.layout.snapshotFloats, snapshot.batch);
  }

  sparseFromSnapshot(snapshot: MemorySnapshot, name: string, element: number): SparseTensor {
    const field = this.layout.stateField(name);
    const dense = new Float32Array(sizeOf(field.shape));
    readField(field, floatsOf(snapshot), element * this.layout.snapshotFloats, dense, 0);
    const positions = Float64Array.from([...dense.keys()].filter((flat) => dense[flat] !== 0));
    return { shape: field.shape, positions, values: Float32Array.from(positions, (flat) => dense[flat] as number) };
  }

  clockOfSnapshot(): undefined {
    return undefined;
  }
}

function floatsOf({ bytes }: MemorySnapshot): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
}
