// One recurrent cell over the rows of a shard: its products and its activations, forward and back.
import type { CellKind, CellStep } from "../controllers/cells.js";
import type { Engine } from "../engine/engine.js";
import type { GradientSum } from "../engine/gradientSum.js";
import { addWeightGradients, type GradientSource, type Linear, weightGradientScratch } from "../engine/linear.js";
import type { Cursor, Frame } from "./frame.js";
import type { CellProducts, Network, Widths } from "./network.js";

export class CellSequence {
  /** h [B + rows, Hp] and, for LSTM, c [B + rows, Hp], both beginning with the state before the first step. */
  h = 0;
  c = 0;
  /** What the cell above takes: h after dropout [rows, Hp], or h's own rows. */
  out = 0;
  /** Gradients of h and c, carried back from step to step [B, Hp]. */
  dH = 0;
  dC = 0;
  /** [rows, gates]: preactivations, then activations, then, going back, gradients of the preactivations. */
  private gates = 0;
  /** [rows, Hp] */
  private tanhC = 0;
  private readonly kind: CellKind;
  private readonly widths: Widths;
  private readonly step: CellStep = { gates: 0, h: 0, c: 0, tanhC: 0, hPrev: 0, cPrev: 0 };
  /** Bytes from a row of gates to the first block that hidden weights feed. */
  private readonly hiddenColumn: number;
  /** Whether input and hidden products begin at different blocks of the row, so that neither can begin with all the biases. */
  private readonly splitBlocks: boolean;

  constructor(
    private readonly engine: Engine,
    private readonly network: Network,
    readonly products: CellProducts,
    /** Number of the cell among all of the model, for dropout. */
    private readonly site: number,
    private readonly dropsOut: boolean,
  ) {
    this.kind = network.kind;
    this.widths = network.widths;
    this.hiddenColumn = 4 * network.widths.hidden * Math.min(...network.kind.hiddenBlocks);
    this.splitBlocks = network.kind.blocks !== network.kind.gates;
  }

  layOut(cursor: Cursor, frame: Frame): void {
    const { widths, kind } = this;
    const { batch, totalRows } = frame;
    this.gates = cursor.take(totalRows * widths.gates);
    this.h = cursor.take((batch + totalRows) * widths.hidden);
    if (kind.hasCellState) {
      this.c = cursor.take((batch + totalRows) * widths.hidden);
      this.tanhC = cursor.take(totalRows * widths.hidden);
    }
    this.out = this.dropsOut ? cursor.take(totalRows * widths.hidden) : this.h + 4 * batch * widths.hidden;
    if (!frame.pass.record) return;
    this.dH = cursor.take(batch * widths.hidden);
    this.dC = cursor.take(batch * widths.hidden);
  }

  /** Bytes of scratch that `addGradients` needs. */
  scratchBytes(rows: number): number {
    const { x, below, reads, hidden } = this.products;
    const linears = [x, below, reads, hidden].filter((linear) => linear !== undefined);
    return weightGradientScratch(this.widths.gates, rows, linears);
  }

  /** The part of the gates that needs no step before it, for all steps at once: biases, and the input's product `x` [rows, Xp]. */
  prepare(x: number, rows: number): void {
    const { bias } = this.products;
    if (this.splitBlocks) this.engine.kernels.repeatRow(this.gates, bias.row, rows, this.widths.gates);
    this.addProduct(this.products.x, this.gates, x, this.widths.x, rows);
  }

  /**
   * gates_t = x·W_xᵀ + below·W_bᵀ + r·W_rᵀ + h_{t-1}·W_hᵀ + b, then the cell's own equations.
   * @param reads 0 where r is known to be zero
   */
  forward(frame: Frame, below: number, reads: number): void {
    const { widths, products, kind } = this;
    const step = this.at(frame);
    this.addProduct(products.below, step.gates, below, widths.hidden, frame.rows);
    const stride = 4 * widths.gates;
    if (reads !== 0) products.reads?.forward(step.gates, stride, step.gates, stride, reads, 4 * widths.reads, frame.rows);
    const hidden = step.gates + this.hiddenColumn;
    if (!frame.followsNothing) products.hidden.forward(hidden, stride, hidden, stride, step.hPrev, 4 * widths.hidden, frame.rows);
    kind.forward(step, frame.rows, widths.hidden);
    if (this.dropsOut) this.dropOut(frame, this.out + 4 * widths.hidden * frame.start, step.h);
  }

  /** dH in: the whole gradient of h_t. Leaves those of the gates, and of h and c of the step before. */
  backward(frame: Frame): void {
    const { widths, products, kind } = this;
    const step = this.at(frame);
    kind.backward(step.gates, this.dH, this.dC, step, frame.rows, widths.hidden);
    if (!frame.reachesBack) return;
    const start = kind.keepsHidden ? this.dH : 0;
    products.hidden.backward(this.dH, 4 * widths.hidden, start, step.gates + this.hiddenColumn, 4 * widths.gates, frame.rows);
  }

  /** dInput = start + dGates·W, for one of the cell's input products, after `backward` of the step. */
  backwardInput(frame: Frame, linear: Linear, dInput: number, start: number): void {
    const dGates = this.gates + 4 * this.widths.gates * frame.start;
    linear.backward(dInput, 4 * linear.inputs, start, dGates, 4 * this.widths.gates, frame.rows);
  }

  /** The gradient of the input x, for all rows at once. */
  backwardX(dX: number, rows: number): void {
    this.products.x?.backward(dX, 4 * this.widths.x, 0, this.gates, 4 * this.widths.gates, rows);
  }

  /** out = h times the step's mask / (1 − p); the same going back, on gradients. */
  dropOut(frame: Frame, out: number, input: number): void {
    const { kernels } = this.engine;
    const width = this.widths.hidden;
    const { dropout, firstStep } = frame.pass;
    if (dropout === undefined) {
      if (out !== input) kernels.copyBytes(out, input, 4 * frame.rows * width);
      return;
    }
    const { seedLow, seedHigh, step } = dropout;
    const elements = frame.elements + 4 * frame.start;
    const rate = this.network.config.dropout;
    kernels.dropoutRows(out, input, frame.rows, width, elements, seedLow, seedHigh, step, this.site, firstStep + frame.t, rate);
  }

  /**
   * Adds the gradients of weights and biases over all steps: one product for each of the cell's inputs.
   * @param inputs addresses of the inputs' rows; `zeroReads` first rows of `reads` are zero
   */
  addGradients(
    sum: GradientSum,
    frame: Frame,
    inputs: { x: number; below: number; reads: number; zeroReads: number; hPrev: number },
    scratch: number,
  ): void {
    const { widths, products, engine } = this;
    const hiddenBlock = this.hiddenColumn / 4;
    const sources: GradientSource[] = [];
    if (products.x) sources.push({ linear: products.x, x: inputs.x, xStride: 4 * widths.x, column: 0, zeroRows: 0 });
    if (products.below) sources.push({ linear: products.below, x: inputs.below, xStride: 4 * widths.hidden, column: 0, zeroRows: 0 });
    if (products.reads) {
      sources.push({ linear: products.reads, x: inputs.reads, xStride: 4 * widths.reads, column: 0, zeroRows: inputs.zeroReads });
    }
    const zeroRows = frame.rowsThatFollowNothing;
    sources.push({ linear: products.hidden, x: inputs.hPrev, xStride: 4 * widths.hidden, column: hiddenBlock, zeroRows });
    addWeightGradients(engine, sum, this.gates, widths.gates, frame.totalRows, sources, scratch);
    products.bias.addGradient(sum, this.gates, 4 * widths.gates, frame.totalRows, scratch);
  }

  /** Adds a product over rows of `width` floats to the gates, beginning with the biases where the gates do not hold them yet. */
  private addProduct(linear: Linear | undefined, gates: number, input: number, width: number, rows: number): void {
    const stride = 4 * this.widths.gates;
    if (this.splitBlocks) linear?.forward(gates, stride, gates, stride, input, 4 * width, rows);
    else linear?.forward(gates, stride, this.products.bias.row, 0, input, 4 * width, rows);
  }

  private at(frame: Frame): CellStep {
    const { step, widths } = this;
    const stride = 4 * widths.hidden;
    step.gates = this.gates + 4 * widths.gates * frame.start;
    step.h = this.h + stride * frame.now;
    step.hPrev = this.h + stride * frame.before;
    step.c = this.c + stride * frame.now;
    step.cPrev = this.c + stride * frame.before;
    step.tanhC = this.tanhC + stride * frame.start;
    return step;
  }
}
