// Runs a sparse memory and its float64 reference side by side on the same interface vectors.
import { Engine } from "../src/engine/engine.js";
import type { FieldValues, MemorySnapshot, MemoryTape, SparseTensor } from "../src/memory/memory.js";
import { LinkedSparseMemory, SparseMemory } from "../src/memory/sparse.js";
import { sizeOf, type Tensor } from "../src/tensor.js";
import {
  emptyState,
  interfaceSize,
  type SparseAccess,
  type SparseGradient,
  type SparseOptions,
  type SparseState,
  sparseAccess,
  sparseAccessBackward,
} from "./reference/sparseMemory.js";

export const referenceFields = {
  memory: "memory",
  read_weights: "readWeights",
  write_weights: "writeWeights",
  last_access: "lastAccess",
  link_matrix: "linkMatrix",
  precedence: "precedence",
} as const satisfies Record<string, keyof SparseState>;

export type StateField = keyof typeof referenceFields;

export function memoryOf(options: SparseOptions): SparseMemory {
  return options.temporalReads > 0 ? new LinkedSparseMemory(options) : new SparseMemory(options);
}

/** One sequence: for each access the unpadded ξ of its active elements; element e is active in the first lengths[e] accesses. */
export interface Sequence {
  readonly lengths: readonly number[];
  /** [access][element] */
  readonly xi: readonly (readonly Float32Array[])[];
}

/** Uniform in -1 … 1; strengths and gates `sharpness` times that, so that weights below the threshold of an access come up. */
export function randomSequence(options: SparseOptions, lengths: readonly number[], next: () => number, sharpness = 2): Sequence {
  const { cellSize, readHeads } = options;
  const strengths = readHeads * cellSize;
  const writeVector = strengths + readHeads;
  const isVector = (i: number) => i < strengths || (i >= writeVector && i < writeVector + cellSize);
  const random = () => Float32Array.from({ length: interfaceSize(options) }, (_, i) => (isVector(i) ? 1 : sharpness) * (2 * next() - 1));
  return { lengths, xi: Array.from({ length: Math.max(...lengths) }, () => lengths.map(random)) };
}

/** A tape on an engine with buffers for whole sequences, and its state and clock mirrored by the reference. */
export class SparseBench {
  readonly memory: SparseMemory;
  readonly engine = Engine.create();
  readonly tape: MemoryTape;
  clock = 0;
  /** Of the latest sequence, by element. */
  accesses: SparseAccess[][] = [];
  reads: Float32Array[][] = [];
  private ownStates: SparseState[] | undefined;
  private interfaces: number[] = [];
  private order = new Int32Array(0);

  constructor(
    readonly options: SparseOptions,
    readonly batch: number,
  ) {
    this.memory = memoryOf(options);
    this.tape = this.memory.open(this.engine);
  }

  /** The reference's states: dense, so made when first asked for. */
  get states(): SparseState[] {
    this.ownStates ??= Array.from({ length: this.batch }, () => emptyState(this.options));
    return this.ownStates;
  }

  /** Starts both from the same tensors. */
  restore(tensors: ReadonlyMap<string, Tensor>, clock?: number): void {
    const snapshot = this.memory.snapshotFromTensors(tensors, this.batch, clock);
    this.tape.reserve(this.batch, 0, false);
    this.tape.restore(snapshot);
    this.clock = this.memory.clockOfSnapshot(snapshot);
    this.ownStates = this.states.map((_, e) => {
      const state = emptyState(this.options);
      for (const [name, field] of Object.entries(referenceFields)) {
        const size = state[field].length;
        const tensor = tensors.get(name);
        if (tensor !== undefined) state[field].set(tensor.data.subarray(e * size, (e + 1) * size));
      }
      return state;
    });
  }

  /** Runs a sequence on the kernels alone. */
  run({ lengths, xi }: Sequence, record: boolean): void {
    const { engine, memory, tape } = this;
    const active = (t: number) => lengths.filter((length) => length > t).length;
    this.order = Int32Array.from(lengths, (_, e) => e).sort((a, b) => (lengths[b] as number) - (lengths[a] as number) || a - b);
    tape.reserve(this.batch, xi.length, record);
    tape.begin(this.order);
    this.reads = lengths.map(() => []);
    this.interfaces = [];
    for (const [t, vectors] of xi.entries()) {
      const rows = active(t);
      const padded = engine.allocate(4 * rows * memory.interfaceWidth);
      const reads = engine.allocate(4 * rows * memory.readWidth);
      engine.f32(reads, rows * memory.readWidth).fill(Number.NaN);
      for (let row = 0; row < rows; row++) this.putInterface(padded, row, vectors[this.order[row] as number] as Float32Array);
      tape.forward(rows, reads, padded);
      for (let row = 0; row < rows; row++) this.reads[this.order[row] as number]?.push(this.takeReads(reads, row));
      this.interfaces.push(padded);
      engine.free(reads);
    }
    tape.end();
  }

  /** The reference's run of the same sequence, from its own state. */
  runReference({ lengths, xi }: Sequence): void {
    this.accesses = lengths.map(() => []);
    for (const vectors of xi) {
      this.clock++;
      for (const [e, accesses] of this.accesses.entries()) {
        if (accesses.length >= (lengths[e] as number)) continue;
        const access = sparseAccess(this.options, this.states[e] as SparseState, vectors[e] as Float32Array, this.clock);
        accesses.push(access);
        this.states[e] = access.after;
      }
    }
  }

  /** Goes back on the kernels. dReads [access][element]; gives dξ likewise. */
  back(
    { lengths }: Sequence,
    dReads: readonly (readonly Float32Array[])[],
    gradients?: ReadonlyMap<string, FieldValues>,
  ): Float32Array[][] {
    const { engine, memory, tape } = this;
    const dXi: Float32Array[][] = dReads.map(() => []);
    tape.beginBackward(gradients, true);
    for (let t = dReads.length - 1; t >= 0; t--) {
      const rows = lengths.filter((length) => length > t).length;
      const dr = engine.allocate(4 * rows * memory.readWidth);
      const padded = engine.allocate(4 * rows * memory.interfaceWidth);
      engine.f32(padded, rows * memory.interfaceWidth).fill(Number.NaN);
      for (let row = 0; row < rows; row++) this.putReads(dr, row, dReads[t]?.[this.order[row] as number] as Float32Array);
      tape.backward(rows, padded, dr, this.interfaces[t] as number);
      for (let row = 0; row < rows; row++) (dXi[t] as Float32Array[])[this.order[row] as number] = this.takeInterface(padded, row);
      engine.free(dr);
      engine.free(padded);
    }
    tape.endBackward();
    for (const pointer of this.interfaces) engine.free(pointer);
    this.interfaces = [];
    return dXi;
  }

  /** Goes back through the reference's latest run. */
  backReference(dReads: readonly (readonly Float32Array[])[], dAfter: readonly SparseGradient[]) {
    return this.accesses.map((accesses, e) => {
      let dState = dAfter[e] as SparseGradient;
      const dXi: Float64Array[] = [];
      for (let t = accesses.length - 1; t >= 0; t--) {
        const back = sparseAccessBackward(this.options, accesses[t] as SparseAccess, dReads[t]?.[e] as Float32Array, dState);
        dXi[t] = back.dXi;
        dState = back.dBefore;
      }
      return { dXi, dState };
    });
  }

  /** The kernels' state, dense. */
  tensor(field: StateField, snapshot: MemorySnapshot = this.tape.snapshot()): Float32Array {
    return this.memory.tensorFromSnapshot(snapshot, field).data;
  }

  /** The reference's state as one array for the batch. */
  reference(field: StateField): Float64Array {
    return Float64Array.from(this.states.flatMap((state) => Array.from(state[referenceFields[field]])));
  }

  private putInterface(at: number, row: number, values: Float32Array): void {
    const { memory } = this;
    const to = this.engine.f32(at + 4 * row * memory.interfaceWidth, memory.interfaceWidth);
    let from = 0;
    for (const { size, blocks } of memory.sections) {
      for (const block of blocks) to.set(values.subarray(from + block.from, from + block.from + block.count), block.to);
      from += size;
    }
  }

  private takeInterface(at: number, row: number): Float32Array {
    const { memory } = this;
    const padded = this.engine.f32(at + 4 * row * memory.interfaceWidth, memory.interfaceWidth);
    const values = new Float32Array(interfaceSize(this.options));
    let from = 0;
    for (const { size, blocks } of memory.sections) {
      for (const block of blocks) values.set(padded.subarray(block.to, block.to + block.count), from + block.from);
      from += size;
    }
    if (padded.some((value) => Number.isNaN(value))) throw new Error("backward left a part of dξ unwritten");
    return values;
  }

  private putReads(at: number, row: number, values: Float32Array): void {
    const { readWidth, readBlocks } = this.memory;
    const to = this.engine.f32(at + 4 * row * readWidth, readWidth);
    for (const block of readBlocks) to.set(values.subarray(block.from, block.from + block.count), block.to);
  }

  private takeReads(at: number, row: number): Float32Array {
    const { readWidth, readBlocks } = this.memory;
    const padded = this.engine.f32(at + 4 * row * readWidth, readWidth);
    const values = new Float32Array(this.options.readHeads * this.options.cellSize);
    let sum = 0;
    for (const block of readBlocks) {
      values.set(padded.subarray(block.to, block.to + block.count), block.from);
      sum += block.count;
    }
    if (padded.some((value) => Number.isNaN(value)) || sum !== values.length) throw new Error("forward left a part of r unwritten");
    return values;
  }
}

/** A sparse gradient or state field of one element written out. */
export function denseOf({ shape, positions, values }: SparseTensor): Float32Array {
  const dense = new Float32Array(sizeOf(shape));
  for (const [i, position] of positions.entries()) dense[position] = values[i] as number;
  return dense;
}

export function zeroGradient(options: SparseOptions): SparseGradient {
  const { memory, readWeights, writeWeights } = emptyState(options);
  return { memory, readWeights, writeWeights };
}
