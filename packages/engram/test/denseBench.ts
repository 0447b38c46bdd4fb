// A workbench for the DNC memory: random states, and a tape on an engine of its own driven with plain unpadded rows.
import { Engine } from "../src/engine/engine.js";
import { DenseMemory } from "../src/memory/dense.js";
import type { Block, MemoryTape } from "../src/memory/memory.js";
import type { Tensor } from "../src/tensor.js";
import { seeded, uniform } from "./random.js";
import { type DenseSizes, type DenseState, emptyState } from "./reference/denseMemory.js";

/** The reference's names of what the library calls… */
export const fieldOf = {
  memory: "memory",
  linkMatrix: "link_matrix",
  precedence: "precedence",
  readWeights: "read_weights",
  writeWeights: "write_weights",
  usage: "usage_vector",
} as const;

const names = Object.keys(fieldOf) as (keyof DenseState)[];

/** A state that could have come about: weights ≥ 0 that sum to less than 1, no link to oneself, values exact in float32. */
export function randomDenseState(sizes: DenseSizes, random = seeded(1)): DenseState {
  const { cells } = sizes;
  const state = emptyState(sizes);
  const fill = (values: Float64Array, low: number, high: number) => values.set(uniform(random, values.length, low, high));
  fill(state.memory, -1, 1);
  fill(state.linkMatrix, 0, 0.9 / cells);
  for (let i = 0; i < cells; i++) state.linkMatrix[i * cells + i] = 0;
  fill(state.precedence, 0, 0.9 / cells);
  fill(state.readWeights, 0, 0.9 / cells);
  fill(state.writeWeights, 0, 0.9 / cells);
  fill(state.usage, 0, 1);
  return state;
}

/** The states of a batch as the tensors that the library takes. */
export function tensorsOf(states: readonly DenseState[], sizes: DenseSizes): Map<string, Tensor> {
  const { stateFields } = new DenseMemory(optionsOf(sizes));
  return new Map(
    names.map((name) => {
      const shape = stateFields.find((field) => field.name === fieldOf[name])?.shape ?? [];
      return [fieldOf[name], { data: Float32Array.from(states.flatMap((state) => [...state[name]])), shape: [states.length, ...shape] }];
    }),
  );
}

export function optionsOf({ cells, width, heads }: DenseSizes) {
  return { nrCells: cells, cellSize: width, readHeads: heads };
}

export class DenseBench {
  readonly engine = Engine.create();
  readonly memory: DenseMemory;
  readonly tape: MemoryTape;
  private readonly vectors: { at: number; count: number }[] = [];

  constructor(readonly sizes: DenseSizes) {
    this.memory = new DenseMemory(optionsOf(sizes));
    this.tape = this.memory.open(this.engine);
  }

  /** Sets every element's state. */
  load(states: readonly DenseState[]): void {
    this.tape.restore(this.memory.snapshotFromTensors(tensorsOf(states, this.sizes), states.length));
  }

  /** One field of the present states, [batch, …]. */
  field(name: keyof DenseState): Float32Array {
    return this.memory.tensorFromSnapshot(this.tape.snapshot(), fieldOf[name]).data;
  }

  /** The next access of rows with these unpadded ξ; gives their read vectors, unpadded. */
  forward(vectors: readonly ArrayLike<number>[]): Float32Array[] {
    const { interfaceWidth, readWidth, readBlocks } = this.memory;
    const at = this.room(vectors.length * interfaceWidth, 0);
    const reads = this.room(vectors.length * readWidth, Number.NaN);
    const rows = this.engine.f32(at, vectors.length * interfaceWidth);
    vectors.forEach((vector, row) => {
      for (const block of this.interfaceBlocks()) move(vector, block.from, rows, row * interfaceWidth + block.to, block.count);
    });
    this.tape.forward(vectors.length, reads, at);
    this.vectors.push({ at, count: vectors.length });
    return vectors.map((_, row) => unpad(this.engine.f32(reads + 4 * row * readWidth, readWidth), readBlocks));
  }

  /** Back through the latest access not yet gone back through; gives dξ of its rows, unpadded. */
  backward(dReads: readonly ArrayLike<number>[]): Float32Array[] {
    const { interfaceWidth, readWidth, readBlocks } = this.memory;
    const { at, count } = this.vectors.pop() as { at: number; count: number };
    const dInterface = this.room(count * interfaceWidth, Number.NaN);
    const gradients = this.room(count * readWidth, 0);
    const rows = this.engine.f32(gradients, count * readWidth);
    dReads.forEach((dRead, row) => {
      for (const block of readBlocks) move(dRead, block.from, rows, row * readWidth + block.to, block.count);
    });
    this.tape.backward(count, dInterface, gradients, at);
    return Array.from({ length: count }, (_, row) => {
      const padded = this.engine.f32(dInterface + 4 * row * interfaceWidth, interfaceWidth);
      return unpad(padded, this.interfaceBlocks());
    });
  }

  /** All bytes that the latest snapshot holds, for comparing to the bit. */
  bits(): Uint8Array {
    return this.tape.snapshot().bytes;
  }

  private interfaceBlocks(): Block[] {
    let start = 0;
    return this.memory.sections.flatMap(({ blocks, size }) => {
      start += size;
      return blocks.map((block) => ({ ...block, from: start - size + block.from }));
    });
  }

  private room(count: number, fill: number): number {
    const at = this.engine.allocate(4 * count);
    this.engine.f32(at, count).fill(fill);
    return at;
  }
}

function move(from: ArrayLike<number>, fromStart: number, to: Float32Array, toStart: number, count: number): void {
  for (let i = 0; i < count; i++) to[toStart + i] = from[fromStart + i] as number;
}

/** The values of the blocks in their own order; all the rest must be zero. */
function unpad(padded: Float32Array, blocks: readonly Block[]): Float32Array {
  const rest = padded.slice();
  const out = new Float32Array(blocks.reduce((sum, { count }) => sum + count, 0));
  for (const { from, to, count } of blocks) {
    move(padded, to, out, from, count);
    rest.fill(0, to, to + count);
  }
  if (rest.some((x) => x !== 0)) throw new Error(`padding is not zero: ${rest}`);
  return out;
}
