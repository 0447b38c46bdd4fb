// A sparse memory of one shard on an engine, and what one sequence of accesses keeps for going back (see kernels/sparseMemory.ts).
import { Block } from "../engine/block.js";
import { descriptorBytes, type Engine } from "../engine/engine.js";
import type { Kernels } from "../engine/kernels.generated.js";
import { ElementRows, LINKS_BYTES, ROWS_BYTES } from "./elementRows.js";
import type { FieldValues, MemorySnapshot, MemoryTape } from "./memory.js";
import { writeDebug } from "./sparseDebug.js";
import { SparseGradients } from "./sparseGradients.js";
import type { Scratch, SparseLayout } from "./sparseLayout.js";
import { elementsOf, newSnapshot, PARTS, snapshotClock } from "./sparseState.js";

export class SparseTape implements MemoryTape {
  private readonly fixed: Block;
  private readonly recording: Block;
  private readonly gradients: SparseGradients;
  private elements: ElementRows[] = [];
  private batch = 0;
  private accesses = 0;
  private isRecording = false;
  private clock = 0;
  /** Active rows of each access since `begin`. */
  private readonly active: number[] = [];
  private remaining = 0;
  private readonly access: Kernels["sparseForward"];
  private readonly accessBackward: Kernels["sparseBackward"];
  // Addresses
  private descriptor = 0;
  private order = 0;
  private rows = 0;
  /** [B] records: each element's state. */
  private states = 0;
  /** [accesses + 1, B] records, the first of them the state at `begin`; [accesses, B] saved rows. */
  private records = 0;
  private saved = 0;

  constructor(
    private readonly engine: Engine,
    private readonly layout: SparseLayout,
  ) {
    this.fixed = new Block(engine);
    this.recording = new Block(engine);
    this.gradients = new SparseGradients(engine, layout);
    const { kernels } = engine;
    this.access = layout.linked ? kernels.linkedForward : kernels.sparseForward;
    this.accessBackward = layout.linked ? kernels.linkedBackward : kernels.sparseBackward;
  }

  reserve(batch: number, accesses: number, record: boolean): void {
    if (batch !== this.batch) this.open(batch);
    this.accesses = accesses;
    this.isRecording = record;
    for (const rows of this.elements) {
      rows.releaseUsedRows();
      rows.grow(rows.touched, accesses * this.layout.newRows);
    }
    if (record) this.placeRecording();
  }

  /** Empty memories for `batch` elements. */
  private open(batch: number): void {
    this.dispose();
    const { fields, linked } = this.layout;
    let links = 0;
    let scratch: Scratch | undefined;
    let nominees: number[] = [];
    this.fixed.place((take) => {
      this.descriptor = take(descriptorBytes("SparseMemory") / 4);
      this.order = take(batch);
      this.rows = take((batch * ROWS_BYTES) / 4);
      links = linked ? take((batch * LINKS_BYTES) / 4) : 0;
      this.states = take((batch * fields.recordBytes) / 4);
      scratch = this.layout.takeScratch(take);
      nominees = Array.from({ length: fields.codeBytes > 0 ? 4 : 0 }, () => take(5 * fields.compared + 16));
    });
    const arrays = { rows: this.rows, rowsBytes: ROWS_BYTES, links, linksBytes: LINKS_BYTES, order: this.order };
    this.engine.writeDescriptor(this.descriptor, "SparseMemory", { ...fields, ...arrays, ...(scratch as unknown as Scratch) });
    if (fields.codeBytes > 0) this.openIndex(scratch as unknown as Scratch, nominees);
    this.elements = Array.from({ length: batch }, (_, e) => {
      const structs = { memory: this.descriptor, rows: this.rows + e * ROWS_BYTES, links: links + e * LINKS_BYTES };
      return new ElementRows(this.engine, this.layout, structs, this.states + e * fields.recordBytes);
    });
    this.batch = batch;
  }

  private openIndex({ rotation, nominees }: Scratch, arrays: readonly number[]): void {
    const values = this.layout.rotation;
    this.engine.f32(rotation, values.length).set(values);
    for (const i of [0, 1]) {
      const [rows, scores] = arrays.slice(2 * i) as [number, number];
      this.engine.writeDescriptor(nominees + i * descriptorBytes("Nominees"), "Nominees", {
        count: 0,
        wanted: 0,
        above: 0,
        full: 0,
        rows,
        scores,
      });
    }
  }

  private placeRecording(): void {
    const { batch, accesses, layout } = this;
    const { wordWidth, fields } = layout;
    const slots = layout.usedRows(accesses);
    const placed = this.elements.map(() => ({ usedRows: 0, work: 0, workNorms: 0 }));
    this.recording.place((take) => {
      this.records = take(((accesses + 1) * batch * fields.recordBytes) / 4);
      this.saved = take((accesses * batch * fields.savedBytes) / 4);
      this.gradients.place(take, batch);
      for (const [e, rows] of this.elements.entries()) {
        const used = Math.min(slots, rows.room);
        placed[e] = { usedRows: take(used), work: take(used * 2 * wordWidth), workNorms: take(used) };
      }
    });
    for (const [e, rows] of this.elements.entries()) rows.setSlots(placed[e] as (typeof placed)[number]);
  }

  get bytes(): number {
    return this.elements.reduce((sum, rows) => sum + rows.bytes, this.fixed.bytes + this.recording.bytes);
  }

  dispose(): void {
    for (const rows of this.elements) rows.free();
    this.fixed.free();
    this.recording.free();
    this.elements = [];
    this.batch = this.clock = 0;
  }

  clear(): void {
    this.clock = 0;
    for (const rows of this.elements) rows.clear();
  }

  snapshot(): MemorySnapshot {
    const touched = this.elements.map((rows) => rows.touched);
    const snapshot = newSnapshot(this.layout, this.clock, touched);
    for (const [e, copy] of elementsOf(this.layout, snapshot).entries()) {
      const state = (this.elements[e] as ElementRows).state();
      for (const part of PARTS) copy.parts[part].ints.set(state.parts[part].ints);
      copy.clearUnused();
    }
    return snapshot;
  }

  /** May allocate too: the state's rows and those of the reserved accesses must fit. */
  restore(snapshot: MemorySnapshot): void {
    this.clock = snapshotClock(snapshot);
    for (const [e, state] of elementsOf(this.layout, snapshot).entries()) {
      const rows = this.elements[e] as ElementRows;
      rows.clear();
      rows.grow(state.touched, this.accesses * this.layout.newRows);
      rows.load(state);
    }
    if (this.isRecording) this.placeRecording();
  }

  begin(order: Int32Array): void {
    this.engine.i32(this.order, this.batch).set(order);
    this.active.length = 0;
    if (!this.isRecording) return;
    for (const rows of this.elements) rows.releaseUsedRows();
    this.engine.u8(this.records, this.recordStride).set(this.engine.u8(this.states, this.recordStride));
  }

  /** Bytes of one access's records and of its saved rows. */
  private get recordStride(): number {
    return this.batch * this.layout.fields.recordBytes;
  }

  private get savedStride(): number {
    return this.batch * this.layout.fields.savedBytes;
  }

  forward(active: number, reads: number, interfaceVector: number): void {
    const access = this.active.length;
    this.active.push(active);
    this.clock++;
    const previous = this.isRecording ? this.records + access * this.recordStride : this.states;
    const records = this.isRecording ? previous + this.recordStride : this.states;
    const saved = this.isRecording ? this.saved + access * this.savedStride : 0;
    this.access(this.descriptor, reads, interfaceVector, records, previous, saved, this.clock, active);
  }

  end(): void {
    this.remaining = this.active.length;
    if (!this.isRecording) return;
    const { stateBytes, fields } = this.layout;
    for (let row = 0; row < this.batch; row++) {
      const at = this.elementAt(row) * fields.recordBytes;
      const last = this.records + this.accessesOf(row) * this.recordStride + at;
      this.engine.u8(this.states + at, stateBytes).set(this.engine.u8(last, stateBytes));
    }
  }

  private elementAt(row: number): number {
    return this.engine.i32(this.order, this.batch)[row] as number;
  }

  /** Accesses of a row since `begin`: rows drop out from the end. */
  private accessesOf(row: number): number {
    let count = this.active.length;
    while (count > 0 && (this.active[count - 1] as number) <= row) count--;
    return count;
  }

  beginBackward(stateGradients: ReadonlyMap<string, FieldValues> = new Map()): void {
    this.gradients.begin(this.elements, stateGradients);
  }

  backward(active: number, dInterface: number, dReads: number, interfaceVector: number): void {
    this.remaining--;
    const previous = this.records + this.remaining * this.recordStride;
    const saved = this.saved + this.remaining * this.savedStride;
    const { dEntries, dWrites } = this.gradients;
    this.accessBackward(
      this.descriptor,
      dInterface,
      dReads,
      dEntries,
      dWrites,
      interfaceVector,
      previous + this.recordStride,
      previous,
      saved,
      active,
    );
  }

  /** Nothing is to be restored: backward worked on copies. */
  endBackward(): void {}

  stateGradient(field: string): FieldValues {
    return this.gradients.read(this.elements, field, (element) => this.records + element * this.layout.fields.recordBytes);
  }

  debug(row: number, fields: ReadonlyMap<string, Float32Array>): void {
    const element = this.elementAt(row);
    const at = element * this.layout.fields.recordBytes;
    const accesses = this.accessesOf(row);
    const record = this.isRecording ? this.records + accesses * this.recordStride : this.states;
    const now = this.clock - (this.active.length - accesses);
    writeDebug(this.engine, this.layout, (this.elements[element] as ElementRows).state(record + at), record + at, now, fields);
  }
}
