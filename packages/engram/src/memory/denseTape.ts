// A sequence of accesses to the DNC memories of one shard.
//
// Recording: record 0 holds the states at the start, record t + 1 those after access t with what that access saved, every record
// one block per row; so going back finds the states before and after each access, and row r's last state is in the record after its
// last access. Not recording: the states are changed in place, in the order of the rows.
import { descriptorBytes, type Engine } from "../engine/engine.js";
import type { Tensor } from "../tensor.js";
import { readBatch, readField, writeBatch } from "./denseFields.js";
import type { DenseLayout } from "./denseLayout.js";
import type { FieldValues, MemorySnapshot, MemoryTape } from "./memory.js";

/** A block on the engine that grows and never shrinks; growing loses what it held. */
class Room {
  at = 0;
  bytes = 0;

  constructor(private readonly engine: Engine) {}

  ensure(bytes: number): void {
    if (bytes <= this.bytes) return;
    this.dispose();
    this.at = this.engine.allocate(bytes);
    this.bytes = bytes;
  }

  dispose(): void {
    if (this.at !== 0) this.engine.free(this.at);
    this.at = 0;
    this.bytes = 0;
  }
}

/** Where the present states are: nowhere yet (all empty), in `home`, or in the records of the latest sequence. */
type Whereabouts = "empty" | "home" | "records";

export class DenseTape implements MemoryTape {
  private batch = 0;
  private isRecording = false;
  private whereabouts: Whereabouts = "empty";
  /** The element in each row of `home`, and in each row of the present sequence. */
  private homeOrder = new Int32Array(0);
  private order = new Int32Array(0);
  /** Accesses made by each row since `begin`, while recording. */
  private accessesOfRow = new Int32Array(0);
  /** Accesses made, or left to go back through. */
  private access = 0;
  /** Whether the sequence began with empty memories, and whether going back must give the gradients with respect to them all the same. */
  private beganEmpty = false;
  private wantsStateGradient = true;
  private readonly home: Room;
  private readonly records: Room;
  private readonly gradients: Room;
  private readonly scratch: Room;
  private readonly stateBytes: number;
  private readonly recordBytes: number;
  /** Two DenseLayout descriptors: for records, and for states in place. */
  private recordLayout = 0;
  private homeLayout = 0;

  constructor(
    private readonly engine: Engine,
    private readonly layout: DenseLayout,
  ) {
    this.home = new Room(engine);
    this.records = new Room(engine);
    this.gradients = new Room(engine);
    this.scratch = new Room(engine);
    this.stateBytes = 4 * layout.stateFloats;
    this.recordBytes = 4 * layout.recordFloats;
  }

  get bytes(): number {
    return this.home.bytes + this.records.bytes + this.gradients.bytes + this.scratch.bytes;
  }

  reserve(batch: number, accesses: number, record: boolean): void {
    if (batch !== this.batch) this.resize(batch);
    this.isRecording = record;
    if (!record) return;
    const bytes = (accesses + 1) * batch * this.recordBytes;
    if (bytes > this.records.bytes) {
      this.settle();
      this.records.ensure(bytes);
    }
    this.gradients.ensure(batch * this.stateBytes);
  }

  private resize(batch: number): void {
    this.batch = 0; // should there be too little memory, the next `reserve` comes here again
    this.whereabouts = "empty";
    this.planScratch();
    this.home.ensure((batch + 1) * this.stateBytes); // one more, to swap rows with
    this.homeOrder = Int32Array.from({ length: batch }, (_, row) => row);
    this.order = this.homeOrder.slice();
    this.accessesOfRow = new Int32Array(batch);
    this.batch = batch;
  }

  /** The descriptors lie behind scratch. */
  private planScratch(): void {
    if (this.scratch.bytes > 0) return;
    const bytes = descriptorBytes("DenseLayout");
    this.scratch.ensure(4 * this.layout.scratchFloats + 2 * bytes);
    this.recordLayout = this.scratch.at + 4 * this.layout.scratchFloats;
    this.homeLayout = this.recordLayout + bytes;
    this.engine.writeDescriptor(this.recordLayout, "DenseLayout", this.layout.descriptor(true));
    this.engine.writeDescriptor(this.homeLayout, "DenseLayout", this.layout.descriptor(false));
  }

  dispose(): void {
    for (const room of [this.home, this.records, this.gradients, this.scratch]) room.dispose();
    this.batch = 0;
    this.whereabouts = "empty";
  }

  clear(): void {
    this.whereabouts = "empty";
  }

  snapshot(): MemorySnapshot {
    const size = 4 * this.layout.snapshotFloats;
    const bytes = new Uint8Array(this.batch * size);
    this.settle();
    if (this.whereabouts === "home") {
      this.homeOrder.forEach((element, row) => {
        bytes.set(this.engine.u8(this.homeRow(row), size), element * size);
      });
    }
    return { batch: this.batch, bytes };
  }

  restore({ bytes }: MemorySnapshot): void {
    const size = 4 * this.layout.snapshotFloats;
    for (let row = 0; row < this.batch; row++) {
      this.homeOrder[row] = row;
      this.engine.u8(this.homeRow(row), size).set(bytes.subarray(row * size, (row + 1) * size));
    }
    this.engine.kernels.denseRestore(this.homeLayout, this.home.at, this.batch);
    this.whereabouts = "home";
  }

  begin(order: Int32Array): void {
    this.settle();
    this.order.set(order);
    this.access = 0;
    this.beganEmpty = this.whereabouts === "empty";
    if (this.isRecording) this.beginRecords();
    else this.beginInPlace();
  }

  forward(active: number, reads: number, interfaceVector: number): void {
    const { kernels } = this.engine;
    const scratch = this.scratch.at;
    const isEmpty = this.beganEmpty && this.access === 0 ? 1 : 0;
    if (this.isRecording) {
      const prev = this.recordAt(this.access);
      const next = this.recordAt(++this.access);
      kernels.denseForward(this.recordLayout, reads, interfaceVector, next, prev, next + this.stateBytes, scratch, active, isEmpty);
      this.accessesOfRow.fill(this.access, 0, active);
    } else {
      const states = this.home.at;
      const saved = scratch + 4 * this.layout.savedInScratch;
      this.access++;
      kernels.denseForward(this.homeLayout, reads, interfaceVector, states, states, saved, scratch, active, isEmpty);
    }
  }

  end(): void {
    if (this.isRecording) this.whereabouts = "records";
  }

  beginBackward(stateGradients: ReadonlyMap<string, FieldValues> | undefined, wantsStateGradient: boolean): void {
    const { layout, batch, engine, gradients } = this;
    this.wantsStateGradient = wantsStateGradient;
    engine.kernels.fillZero(gradients.at, batch * this.stateBytes);
    const values = engine.f32(gradients.at, batch * layout.stateFloats);
    for (const [name, tensor] of stateGradients ?? []) {
      writeBatch(layout.stateField(name), values, layout.stateFloats, tensor, batch, this.rowOfElement());
    }
  }

  backward(active: number, dInterface: number, dReads: number, interfaceVector: number): void {
    const next = this.recordAt(this.access);
    const prev = this.recordAt(--this.access);
    this.engine.kernels.denseBackward(
      this.recordLayout,
      dInterface,
      this.gradients.at,
      dReads,
      interfaceVector,
      next,
      prev,
      next + this.stateBytes,
      this.scratch.at,
      active,
      this.access === 0 && this.beganEmpty && !this.wantsStateGradient ? 1 : 0,
    );
  }

  endBackward(): void {
    // Going back only read the records, and the gradients are where `stateGradient` looks for them.
  }

  stateGradient(name: string): Tensor {
    const { layout, batch, engine } = this;
    const values = engine.f32(this.gradients.at, batch * layout.stateFloats);
    return readBatch(layout.stateField(name), values, layout.stateFloats, batch, this.rowOfElement());
  }

  debug(row: number, fields: ReadonlyMap<string, Float32Array>): void {
    const at = this.isRecording ? this.lastRecordOf(row) : this.homeRow(row);
    const state = this.engine.f32(at, this.layout.stateFloats);
    for (const field of this.layout.stateFields) {
      const out = fields.get(field.name);
      if (out !== undefined) readField(field, state, 0, out, 0);
    }
  }

  private beginRecords(): void {
    const { kernels } = this.engine;
    const { batch, recordBytes } = this;
    this.accessesOfRow.fill(0);
    if (this.whereabouts === "empty") {
      kernels.fillZero(this.records.at, batch * recordBytes);
      kernels.denseRestore(this.recordLayout, this.records.at, batch);
      return;
    }
    for (let row = 0; row < batch; row++) {
      const from = this.homeOrder.indexOf(this.order[row] as number);
      kernels.copyBytes(this.records.at + row * recordBytes, this.homeRow(from), this.stateBytes);
    }
  }

  private beginInPlace(): void {
    if (this.whereabouts === "empty") {
      this.engine.kernels.fillZero(this.home.at, this.batch * this.stateBytes);
      this.engine.kernels.denseRestore(this.homeLayout, this.home.at, this.batch);
      this.homeOrder.set(this.order);
      this.whereabouts = "home";
    }
    for (let row = 0; row < this.batch; row++) {
      const element = this.order[row] as number;
      if (this.homeOrder[row] !== element) this.swapHomeRows(row, this.homeOrder.indexOf(element));
    }
  }

  private swapHomeRows(a: number, b: number): void {
    const { kernels } = this.engine;
    const spare = this.homeRow(this.batch);
    kernels.copyBytes(spare, this.homeRow(a), this.stateBytes);
    kernels.copyBytes(this.homeRow(a), this.homeRow(b), this.stateBytes);
    kernels.copyBytes(this.homeRow(b), spare, this.stateBytes);
    const element = this.homeOrder[a] as number;
    this.homeOrder[a] = this.homeOrder[b] as number;
    this.homeOrder[b] = element;
  }

  /** Brings the states home from the records of the latest sequence. Done only when somebody needs them there. */
  private settle(): void {
    if (this.whereabouts !== "records") return;
    for (let row = 0; row < this.batch; row++) this.engine.kernels.copyBytes(this.homeRow(row), this.lastRecordOf(row), this.stateBytes);
    this.homeOrder.set(this.order);
    this.whereabouts = "home";
  }

  private homeRow(row: number): number {
    return this.home.at + row * this.stateBytes;
  }

  private recordAt(access: number): number {
    return this.records.at + access * this.batch * this.recordBytes;
  }

  private lastRecordOf(row: number): number {
    return this.recordAt(this.accessesOfRow[row] as number) + row * this.recordBytes;
  }

  private rowOfElement(): Int32Array {
    const rows = new Int32Array(this.batch);
    this.order.forEach((element, row) => {
      rows[element] = row;
    });
    return rows;
  }
}
