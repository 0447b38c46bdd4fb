// One layer over the rows of a shard: the controller's cells one above the other, the clamp, the interface and the memory access
// (models.md §1, steps 2 to 5), forward and back.
import type { Engine } from "../engine/engine.js";
import type { GradientSum } from "../engine/gradientSum.js";
import { addWeightGradients, weightGradientScratch } from "../engine/linear.js";
import type { MemoryTape } from "../memory/memory.js";
import { CellSequence } from "./cellSequence.js";
import type { Cursor, Frame } from "./frame.js";
import type { LayerProducts, Network, Widths } from "./network.js";

export class LayerSequence {
  readonly cells: CellSequence[];
  /** The controller's output h, clamped [rows, Hp]. */
  clamped = 0;
  /** r [B + rows, RWp], beginning with the read vectors before the first step. */
  reads = 0;
  /** ξ [rows, Ip], as the memory activated it. */
  interface = 0;
  /** Gradients of h and r as the layer gave them: all rows for the last layer, the present step's for the others. */
  dClamped = 0;
  dReads = 0;
  private dInterface = 0;
  private dHidden = 0;
  private readonly top: CellSequence;
  private readonly widths: Widths;
  private readonly isLast: boolean;

  constructor(
    private readonly engine: Engine,
    private readonly network: Network,
    private readonly products: LayerProducts,
    private readonly index: number,
    private readonly memory: MemoryTape,
    private readonly below: LayerSequence | undefined,
  ) {
    const { numHiddenLayers, numLayers, dropout } = network.config;
    this.widths = network.widths;
    this.isLast = index === numLayers - 1;
    const topCell = products.cells.length - 1;
    this.cells = products.cells.map(
      (cell, k) => new CellSequence(engine, network, cell, index * numHiddenLayers + k, dropout > 0 && k < topCell),
    );
    this.top = this.cells[topCell] as CellSequence;
  }

  layOut(cursor: Cursor, frame: Frame): void {
    const { widths } = this;
    const { batch, totalRows, pass } = frame;
    for (const cell of this.cells) cell.layOut(cursor, frame);
    this.clamped = this.network.config.clip > 0 ? cursor.take(totalRows * widths.hidden) : this.top.out;
    this.interface = cursor.take(totalRows * widths.interface);
    this.reads = cursor.take((batch + totalRows) * widths.reads);
    if (!pass.record) return;
    const gradientRows = this.isLast ? totalRows : batch;
    this.dInterface = cursor.take(totalRows * widths.interface);
    this.dClamped = cursor.take(gradientRows * widths.hidden);
    this.dReads = cursor.take(gradientRows * widths.reads);
    this.dHidden = cursor.take(batch * widths.hidden);
  }

  scratchBytes(rows: number): number {
    const { products, widths } = this;
    return Math.max(
      weightGradientScratch(widths.interface, rows, [products.interface]),
      4 * Math.max(widths.gates, widths.interface),
      ...this.cells.map((cell) => cell.scratchBytes(rows)),
    );
  }

  /** @param readsBefore r that the lowest cell takes: of the layer below, or the last layer's of the step before; 0 where it is known to be zero */
  forward(frame: Frame, readsBefore: number): void {
    const { widths, products, engine } = this;
    const hidden = 4 * widths.hidden * frame.start;
    let below = this.below === undefined ? 0 : this.below.clamped + hidden;
    for (const cell of this.cells) {
      cell.forward(frame, below, readsBefore);
      below = cell.out + hidden;
    }
    const { clip } = this.network.config;
    const clamped = this.clamped + hidden;
    if (clip > 0) engine.kernels.clampForward(clamped, this.top.h + 4 * widths.hidden * frame.now, clip, frame.rows * widths.hidden);
    const reads = this.reads + 4 * widths.reads * frame.now;
    if (!frame.pass.passThroughMemory) {
      engine.kernels.fillZero(reads, 4 * frame.rows * widths.reads);
      return;
    }
    const xi = this.interface + 4 * widths.interface * frame.start;
    products.interface.forward(xi, 4 * widths.interface, products.interfaceBias.row, 0, clamped, 4 * widths.hidden, frame.rows);
    this.memory.forward(frame.rows, reads, xi);
    frame.pass.afterAccess?.(this.index);
  }

  /** @param dReadsBefore the gradient of `readsBefore`: added to with `accumulate`, else written; 0 where nobody wants it */
  backward(frame: Frame, dReadsBefore: number, accumulate: boolean): void {
    const { widths, products, engine, top } = this;
    const { clip } = this.network.config;
    const row = this.isLast ? frame.start : 0;
    const dClamped = this.dClamped + 4 * widths.hidden * row;
    if (frame.pass.passThroughMemory) {
      const dXi = this.dInterface + 4 * widths.interface * frame.start;
      this.memory.backward(frame.rows, dXi, this.dReads + 4 * widths.reads * row, this.interface + 4 * widths.interface * frame.start);
      products.interface.backward(dClamped, 4 * widths.hidden, dClamped, dXi, 4 * widths.interface, frame.rows);
    }
    const count = frame.rows * widths.hidden;
    if (clip > 0) engine.kernels.clampBackward(dClamped, dClamped, top.h + 4 * widths.hidden * frame.now, clip, count);
    engine.kernels.addRows(top.dH, dClamped, count);
    for (let k = this.cells.length - 1; k >= 0; k--) this.backwardCell(frame, k, dReadsBefore, accumulate);
  }

  private backwardCell(frame: Frame, k: number, dReadsBefore: number, accumulate: boolean): void {
    const cell = this.cells[k] as CellSequence;
    const { products } = cell;
    cell.backward(frame);
    if (products.reads && dReadsBefore !== 0) cell.backwardInput(frame, products.reads, dReadsBefore, accumulate ? dReadsBefore : 0);
    if (!products.below) return;
    const lower = this.cells[k - 1];
    if (lower === undefined) {
      cell.backwardInput(frame, products.below, (this.below as LayerSequence).dClamped, 0);
    } else if (frame.pass.dropout === undefined) {
      cell.backwardInput(frame, products.below, lower.dH, lower.dH);
    } else {
      cell.backwardInput(frame, products.below, this.dHidden, 0);
      lower.dropOut(frame, this.dHidden, this.dHidden);
      this.engine.kernels.addRows(lower.dH, this.dHidden, frame.rows * this.widths.hidden);
    }
  }

  /**
   * Adds the layer's weight gradients over all steps.
   * @param readsBefore the rows of `readsBefore` of every step, one after the other
   * @param zeroReads so many of them, at the start, are zero
   * @param previousHidden scratch [rows, Hp] for elements of different lengths
   */
  addGradients(
    sum: GradientSum,
    frame: Frame,
    x: number,
    readsBefore: number,
    zeroReads: number,
    previousHidden: number,
    scratch: number,
  ): void {
    const { widths, products, engine, network } = this;
    let below = this.below === undefined ? 0 : this.below.clamped;
    for (const cell of this.cells) {
      const hPrev = frame.previousRows(cell.h, widths.hidden, previousHidden, false);
      cell.addGradients(sum, frame, { x, below, reads: readsBefore, zeroReads, hPrev }, scratch);
      below = cell.out;
    }
    if (!frame.pass.passThroughMemory) return;
    const source = { linear: products.interface, x: this.clamped, xStride: 4 * widths.hidden, column: 0, zeroRows: 0 };
    // To a shared memory's weights the layers below have added already.
    const interfaceSum = network.config.shareMemory && this.index > 0 ? { ...sum, isUnset: false } : sum;
    addWeightGradients(engine, interfaceSum, this.dInterface, widths.interface, frame.totalRows, [source], scratch);
    products.interfaceBias.addGradient(interfaceSum, this.dInterface, 4 * widths.interface, frame.totalRows, scratch);
  }
}
