// SAM's memory and SDNC's: what the network needs to know of them, and their states as tensors (models.md §3, §4).
import type { Engine } from "../engine/engine.js";
import { StateError } from "../errors.js";
import { sizeOf, type Tensor } from "../tensor.js";
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
import { checkClock, LoadedState } from "./sparseFromTensors.js";
import { SparseLayout } from "./sparseLayout.js";
import { type ElementState, elementsOf, newSnapshot, snapshotClock } from "./sparseState.js";
import { SparseTape } from "./sparseTape.js";
import { forEachValue, sparseValues } from "./sparseValues.js";

/** Floats beyond which a field is not written out cell by cell: 1 GiB. */
const LARGEST_DENSE = 2 ** 28;

/**
 * Sparse access memory: every access reads and writes a few cells, and costs the same however many there are.
 * Rae et al. 2016, Scaling memory-augmented neural networks with sparse reads and writes.
 */
export class SparseMemory implements Memory {
  readonly sections: readonly InterfaceSection[];
  readonly interfaceWidth: number;
  readonly readBlocks: readonly Block[];
  readonly readWidth: number;
  readonly stateFields: readonly Field[];
  readonly gradientFields: readonly string[] = ["memory", "read_weights", "write_weights"];
  readonly hasClock = true;
  readonly debugFields: readonly Field[];
  protected readonly layout: SparseLayout;

  constructor(options: MemoryOptions, linked = false) {
    this.layout = new SparseLayout(options, linked);
    const { sections, readBlocks, fields } = this.layout;
    this.sections = sections;
    this.interfaceWidth = fields.interfaceWidth;
    this.readBlocks = readBlocks;
    this.readWidth = fields.readWidth;
    this.stateFields = stateFields(options, linked);
    this.debugFields = debugFields(options, linked);
  }

  open(engine: Engine): MemoryTape {
    return new SparseTape(engine, this.layout);
  }

  emptySnapshot(batch: number): MemorySnapshot {
    return this.snapshotFromTensors(new Map(), batch, 0);
  }

  /** Fields that are missing are zero. */
  snapshotFromTensors(tensors: ReadonlyMap<string, FieldValues>, batch: number, clock: number | undefined): MemorySnapshot {
    const states = Array.from({ length: batch }, (_, element) => new LoadedState(this.layout, tensors, element));
    const latest = states.reduce((largest, state) => Math.max(largest, state.latestAccess), 0);
    if (clock !== undefined) checkClock(clock, latest);
    const snapshot = newSnapshot(
      this.layout,
      clock ?? latest,
      states.map((state) => state.cells.length),
    );
    for (const [element, state] of elementsOf(this.layout, snapshot).entries()) states[element]?.fill(state);
    return snapshot;
  }

  tensorFromSnapshot(snapshot: MemorySnapshot, field: string): Tensor {
    const shape = this.shapeOf(field);
    const size = sizeOf(shape);
    if (snapshot.batch * size > LARGEST_DENSE) {
      throw new StateError(
        `${field} [${[snapshot.batch, ...shape].join(", ")}] is too large to write out cell by cell: read it with sparseTensors()`,
      );
    }
    const data = new Float32Array(snapshot.batch * size);
    for (const [element, state] of elementsOf(this.layout, snapshot).entries()) {
      forEachValue(this.layout, state, field, (position, value) => {
        data[element * size + position] = value;
      });
    }
    return { data, shape: [snapshot.batch, ...shape] };
  }

  sparseFromSnapshot(snapshot: MemorySnapshot, field: string, element: number): SparseTensor {
    return sparseValues(this.layout, elementsOf(this.layout, snapshot)[element] as ElementState, field, this.shapeOf(field));
  }

  clockOfSnapshot(snapshot: MemorySnapshot): number {
    return snapshotClock(snapshot);
  }

  private shapeOf(field: string): readonly number[] {
    const found = this.stateFields.find(({ name }) => name === field);
    if (found === undefined) throw new StateError(`internal: ${field} is no field of this memory`);
    return found.shape;
  }
}

/** SDNC's memory: SAM's with temporal links, so that reads can follow the order of writing both ways. */
export class LinkedSparseMemory extends SparseMemory {
  constructor(options: MemoryOptions) {
    super(options, true);
  }
}

function stateFields({ nrCells, cellSize, readHeads }: MemoryOptions, linked: boolean): Field[] {
  const fields = [
    { name: "memory", shape: [nrCells, cellSize] },
    { name: "read_weights", shape: [readHeads, nrCells] },
    { name: "write_weights", shape: [nrCells] },
    { name: "last_access", shape: [nrCells] },
  ];
  if (linked) fields.push({ name: "link_matrix", shape: [nrCells, nrCells] }, { name: "precedence", shape: [nrCells] });
  return fields;
}

function debugFields(options: MemoryOptions, linked: boolean): Field[] {
  const { nrCells, cellSize, readHeads, sparseReads, temporalReads } = options;
  const visible = readHeads * (sparseReads + (linked ? 2 * temporalReads : 0)) + 1;
  const fields = [
    { name: "memory", shape: [nrCells, cellSize] },
    { name: "visible_memory", shape: [visible, cellSize] },
    { name: "read_positions", shape: [visible] },
    { name: "read_weights", shape: [readHeads, nrCells] },
    { name: "write_weights", shape: [nrCells] },
    { name: "usage", shape: [nrCells] },
  ];
  if (linked) {
    fields.push(
      { name: "link_matrix", shape: [visible, visible] },
      { name: "rev_link_matrix", shape: [visible, visible] },
      { name: "precedence", shape: [nrCells] },
    );
  }
  return fields;
}
