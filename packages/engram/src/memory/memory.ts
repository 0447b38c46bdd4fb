// What the network needs of an external memory. DNC, SAM and SDNC memories implement these two interfaces, and the network
// around them knows nothing else about them.
import type { Engine } from "../engine/engine.js";
import type { Tensor } from "../tensor.js";

/** `count` values that lie together: at `from` in the unpadded (state dict) order, at `to` in the engine's padded order. */
export interface Block {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** A named section of the interface vector ξ, in state-dict order; `from` of its blocks counts from the section's own start. */
export interface InterfaceSection {
  readonly name: string;
  readonly size: number;
  readonly blocks: readonly Block[];
}

export interface MemoryOptions {
  readonly nrCells: number;
  readonly cellSize: number;
  readonly readHeads: number;
  readonly sparseReads: number;
  readonly temporalReads: number;
  readonly temporalLinks: number;
  /** How a sparse memory looks for the most similar cells [exact]. */
  readonly index?: "exact" | "quantized";
}

/** One tensor of a memory's state or debug output: its name after the last dot in `state.tensors()`, and its shape for one element. */
export interface Field {
  readonly name: string;
  readonly shape: readonly number[];
}

/** The values of a memory for a whole shard, copied out: ordinary garbage-collected data that nothing changes any more. */
export interface MemorySnapshot {
  readonly batch: number;
  readonly bytes: Uint8Array;
}

/** A state tensor of one element kept as values and their positions: flat indices into its shape (float64: N·N can exceed 2³¹). */
export interface SparseTensor {
  readonly shape: readonly number[];
  readonly positions: Float64Array;
  readonly values: Float32Array;
}

/** A field of a whole batch: [batch, …] dense, or one sparse tensor for each element. */
export type FieldValues = Tensor | readonly SparseTensor[];

/** A kind of memory with its sizes: DNC's (dense), SAM's (sparse) or SDNC's (sparse with links). Pure description, no buffers. */
export interface Memory {
  readonly sections: readonly InterfaceSection[];
  /** Floats of one padded row of ξ, a multiple of 8. */
  readonly interfaceWidth: number;
  /** Where each head's W read values lie in a padded row of r; `readWidth` floats a row, a multiple of 8, padding zero. */
  readonly readBlocks: readonly Block[];
  readonly readWidth: number;
  /** The tensors of one element's state, [N, W] and so on (the batch axis comes in front). Without the clock. */
  readonly stateFields: readonly Field[];
  /** Those of them that carry a gradient. */
  readonly gradientFields: readonly string[];
  /** True when there is one clock for the batch (SAM, SDNC). */
  readonly hasClock: boolean;
  readonly debugFields: readonly Field[];
  /** A memory of one shard on an engine, for one sequence at a time. */
  open(engine: Engine): MemoryTape;
  /** The empty memory of `batch` elements. */
  emptySnapshot(batch: number): MemorySnapshot;
  /** From the unpadded tensors of `stateFields` (checked by the caller), and the clock where there is one. */
  snapshotFromTensors(tensors: ReadonlyMap<string, FieldValues>, batch: number, clock: number | undefined): MemorySnapshot;
  /** The whole state of one field as [batch, …]. */
  tensorFromSnapshot(snapshot: MemorySnapshot, field: string): Tensor;
  /** One field of one element as positions and values. */
  sparseFromSnapshot(snapshot: MemorySnapshot, field: string, element: number): SparseTensor;
  clockOfSnapshot(snapshot: MemorySnapshot): number | undefined;
}

/**
 * The memory of one shard: its present state, and what one sequence of accesses keeps for going back.
 *
 * Life of a call: `reserve` (the only place that allocates, but for a `restore` that needs more), `clear` or `restore` or nothing (go on from the state it holds), `begin`,
 * `forward` once an access, `end`; then, where it was recorded, `beginBackward`, `backward` once an access in reverse,
 * `endBackward`. After `endBackward` the state is again what it was after `end`, to the bit.
 *
 * Rows: a call may order the shard's elements (longest first), so that the elements still running are rows 0 … active-1 of
 * every buffer. `order` gives the element of each row.
 */
export interface MemoryTape {
  /** Makes room for `batch` elements and `accesses` accesses. The state survives when `batch` is as before, else it is empty. */
  reserve(batch: number, accesses: number, record: boolean): void;
  /** Bytes held on the engine. */
  readonly bytes: number;
  /** Frees them. */
  dispose(): void;
  /** Empties the memory and its clock. */
  clear(): void;
  /** A copy of the present state. */
  snapshot(): MemorySnapshot;
  /** Takes over a state of as many elements as were reserved. */
  restore(snapshot: MemorySnapshot): void;

  /** Starts a sequence. `order[row]` = element of a row (`batch` entries, copied). */
  begin(order: Int32Array): void;
  /**
   * The next access (numbered from 0 since `begin`) of rows 0 … active-1.
   * @param reads r, [active, readWidth], written (padding too)
   * @param interfaceVector ξ, [active, interfaceWidth], as the linear layer gave it; activated in place
   */
  forward(active: number, reads: number, interfaceVector: number): void;
  /** Ends the sequence: each element's state is the one after its last access. */
  end(): void;

  /**
   * @param stateGradients with respect to the state after `end`, by field name, in element order; absent ones are zero
   * @param wantsStateGradient whether `stateGradient` will be asked for
   */
  beginBackward(stateGradients: ReadonlyMap<string, FieldValues> | undefined, wantsStateGradient: boolean): void;
  /**
   * Goes back through the latest access not yet gone back through.
   * @param dInterface dξ, [active, interfaceWidth], written (padding too)
   * @param dReads dr, [active, readWidth], read only
   * @param interfaceVector ξ as `forward` left it
   */
  backward(active: number, dInterface: number, dReads: number, interfaceVector: number): void;
  /** Ends going back; the gradients with respect to the state at `begin` can be read until the next `reserve`. */
  endBackward(): void;
  /** One of `gradientFields`, in element order: dense from a dense memory, sparse from a sparse one (never anything sized by N). */
  stateGradient(field: string): FieldValues;

  /** Appends the debug values of the element in `row` after the latest access: writes field after field at its offset. */
  debug(row: number, fields: ReadonlyMap<string, Float32Array>): void;
}
