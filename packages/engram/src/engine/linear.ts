// Linear maps whose weights lie unpadded in the weight arena, in state-dict layout, while their inputs and outputs are rows in
// the engine's padded layouts. Packing the weights once a training step turns every product into panels for one kernel.
import type { Engine } from "./engine.js";
import type { GradientSum } from "./gradientSum.js";

export const pad4 = (n: number): number => (n + 3) & ~3;
export const pad8 = (n: number): number => (n + 7) & ~7;

/** Columns of a panel of the gemm kernel. */
const PANEL = 8;

/** Rows summed at a time in a weight gradient: a panel of 8 columns of so many rows (16 KiB) stays in the first-level cache. */
const CHUNK_ROWS = 512;

/** A block of a weight matrix: W[rows, columns] at `offset` floats of the arena, `stride` floats a row. */
export interface WeightBlock {
  readonly offset: number;
  readonly stride: number;
  readonly rows: number;
  readonly columns: number;
  /** Where its rows lie among the padded outputs, and its columns among the padded inputs. */
  readonly output: number;
  readonly input: number;
}

/** Where `count` values of a bias vector at `offset` floats of the arena lie among the padded outputs. */
export interface BiasBlock {
  readonly offset: number;
  readonly count: number;
  readonly output: number;
}

/** y = x·Wᵀ for rows x [.., inputs] and y [.., outputs], both padded layouts; `outputs` and row strides are multiples of 8. */
export class Linear {
  readonly forwardBytes: number;
  readonly backwardBytes: number;
  /** Scratch that its gradient is summed in; none where the products can add to the unpadded gradients themselves. */
  readonly gradientBytes: number;
  private readonly blocks: readonly WeightBlock[];
  private forwardPanels = 0;
  private backwardPanels = 0;

  constructor(
    private readonly engine: Engine,
    readonly inputs: number,
    readonly outputs: number,
    blocks: readonly WeightBlock[],
  ) {
    this.blocks = joined(blocks);
    this.forwardBytes = 4 * pad8(outputs) * inputs;
    this.backwardBytes = 4 * pad8(inputs) * outputs;
    const wholePanels = this.blocks.every(({ input, columns }) => input % PANEL === 0 && columns % PANEL === 0);
    this.gradientBytes = wholePanels ? 0 : 4 * pad8(inputs) * outputs;
  }

  /** Places the packed panels (zeroed memory of forwardBytes and backwardBytes). */
  place(forwardPanels: number, backwardPanels: number): void {
    this.forwardPanels = forwardPanels;
    this.backwardPanels = backwardPanels;
  }

  packForward(weights: number): void {
    const { kernels } = this.engine;
    for (const b of this.blocks) {
      kernels.packTransposed(this.forwardPanels, this.inputs, b.output, b.input, weights + 4 * b.offset, 4 * b.stride, b.rows, b.columns);
    }
  }

  packBackward(weights: number): void {
    const { kernels } = this.engine;
    for (const b of this.blocks) {
      kernels.packPlain(this.backwardPanels, this.outputs, b.input, b.output, weights + 4 * b.offset, 4 * b.stride, b.rows, b.columns);
    }
  }

  /** y = start + x·Wᵀ; see the gemm kernel for `start`. Strides in bytes. */
  forward(y: number, yStride: number, start: number, startStride: number, x: number, xStride: number, rows: number): void {
    this.engine.kernels.gemm(y, yStride, start, startStride, x, xStride, this.forwardPanels, rows, this.outputs, this.inputs);
  }

  /** dx = start + dy·W */
  backward(dx: number, dxStride: number, start: number, dy: number, dyStride: number, rows: number): void {
    this.engine.kernels.gemm(dx, dxStride, start, dxStride, dy, dyStride, this.backwardPanels, rows, this.inputs, this.outputs);
  }

  /**
   * Adds dyᵀ·x to the gradients: to `padded` [outputs, pad8(inputs)], or without one (`gradientBytes` 0) to the unpadded `sum` itself.
   * @param isFirst nothing was added to `padded` yet, nor, if it is unset, to `sum`
   * @param dy transposed, rows of `dyStride` bytes
   * @param panels x, packed
   */
  addGradient(sum: GradientSum, padded: number, isFirst: boolean, dy: number, dyStride: number, panels: number, terms: number): void {
    const { kernels } = this.engine;
    if (this.gradientBytes > 0) {
      const stride = 4 * pad8(this.inputs);
      kernels.gemm(padded, stride, isFirst ? 0 : padded, stride, dy, dyStride, panels, this.outputs, this.inputs, terms);
      return;
    }
    const startsAnew = isFirst && sum.isUnset;
    for (const b of this.blocks) {
      const to = sum.at + 4 * b.offset;
      const from = dy + dyStride * b.output;
      const start = startsAnew ? 0 : to;
      kernels.gemm(to, 4 * b.stride, start, 4 * b.stride, from, dyStride, panels + 4 * terms * b.input, b.rows, b.columns, terms);
    }
  }

  /** Adds nothing: what `addGradient` does for no rows. */
  addNoGradient(sum: GradientSum, padded: number): void {
    if (this.gradientBytes > 0) this.engine.kernels.fillZero(padded, this.gradientBytes);
    else if (sum.isUnset) this.clearGradient(sum);
  }

  /** Adds the gradient summed in `padded` to the unpadded `sum`. */
  scatterGradient(sum: GradientSum, padded: number): void {
    if (this.gradientBytes === 0) return;
    if (sum.isUnset) this.clearGradient(sum);
    const stride = 4 * pad8(this.inputs);
    for (const b of this.blocks) {
      const from = padded + b.output * stride + 4 * b.input;
      this.engine.kernels.scatterBlock(sum.at + 4 * b.offset, 4 * b.stride, from, stride, b.rows, b.columns);
    }
  }

  private clearGradient(sum: GradientSum): void {
    for (const b of this.blocks) this.engine.kernels.clearBlock(sum.at + 4 * b.offset, 4 * b.stride, b.rows, b.columns);
  }
}

/** Blocks that lie side by side, or one below the other, in the arena and in the padded layouts alike are one. */
function joined(blocks: readonly WeightBlock[]): WeightBlock[] {
  const all: WeightBlock[] = [];
  for (const block of blocks) {
    let next = block;
    for (let last = all.at(-1); last !== undefined; last = all.at(-1)) {
      const both = join(last, next);
      if (both === undefined) break;
      all.pop();
      next = both;
    }
    all.push(next);
  }
  return all;
}

function join(a: WeightBlock, b: WeightBlock): WeightBlock | undefined {
  if (a.stride !== b.stride) return undefined;
  const beside = b.offset === a.offset + a.columns && b.input === a.input + a.columns && b.output === a.output && b.rows === a.rows;
  if (beside) return { ...a, columns: a.columns + b.columns };
  const below =
    b.offset === a.offset + a.rows * a.stride && b.output === a.output + a.rows && b.input === a.input && b.columns === a.columns;
  return below ? { ...a, rows: a.rows + b.rows } : undefined;
}

/** The sum of one or more bias vectors as one padded row. */
export class Bias {
  readonly bytes: number;
  /** Address of the row, for the gemm kernel's `start`. */
  row = 0;

  constructor(
    private readonly engine: Engine,
    readonly outputs: number,
    private readonly blocks: readonly BiasBlock[],
  ) {
    this.bytes = 4 * outputs;
  }

  pack(weights: number): void {
    const { kernels } = this.engine;
    kernels.fillZero(this.row, this.bytes);
    for (const b of this.blocks) kernels.scatterBlock(this.row + 4 * b.output, this.bytes, weights + 4 * b.offset, this.bytes, 1, b.count);
  }

  /** Adds the column sums of dy [rows, outputs] to the biases' gradients; `padded` is scratch of `bytes`. */
  addGradient(sum: GradientSum, dy: number, dyStride: number, rows: number, padded: number): void {
    const { kernels } = this.engine;
    if (this.blocks.length === 0) return;
    kernels.fillZero(padded, this.bytes);
    kernels.columnSums(padded, dy, dyStride, rows, this.outputs);
    for (const b of this.blocks) {
      const to = sum.at + 4 * b.offset;
      if (sum.isUnset) kernels.fillZero(to, 4 * b.count);
      kernels.scatterBlock(to, this.bytes, padded + 4 * b.output, this.bytes, 1, b.count);
    }
  }
}

/** One input of a weight gradient: the linear map, and the rows it was given. */
export interface GradientSource {
  readonly linear: Linear;
  readonly x: number;
  readonly xStride: number;
  /** The map's outputs are columns column … column + outputs - 1 of dy. */
  readonly column: number;
  /** So many rows of x at the start are known to be zero and add nothing. */
  readonly zeroRows: number;
}

/** Bytes of scratch that `addWeightGradients` needs. */
export function weightGradientScratch(dyColumns: number, rows: number, linears: readonly Linear[]): number {
  const chunk = Math.min(CHUNK_ROWS, rows);
  const widest = linears.reduce((most, linear) => Math.max(most, pad8(linear.inputs)), 0);
  const sums = linears.reduce((bytes, linear) => bytes + linear.gradientBytes, 0);
  return 4 * chunk * (dyColumns + widest) + sums;
}

/**
 * Adds dyᵀ·x to the gradients of every source, as one product over all rows each. dy [rows, dyColumns] is transposed once
 * for all of them.
 */
export function addWeightGradients(
  engine: Engine,
  sum: GradientSum,
  dy: number,
  dyColumns: number,
  rows: number,
  sources: readonly GradientSource[],
  scratch: number,
): void {
  if (rows === 0) return; // every element of the pass ended before it
  const { kernels } = engine;
  const transposed = scratch;
  const chunk = Math.min(CHUNK_ROWS, rows);
  const panels = transposed + 4 * chunk * dyColumns;
  const widest = sources.reduce((most, { linear }) => Math.max(most, pad8(linear.inputs)), 0);
  const firstPadded = panels + 4 * chunk * widest;
  for (let from = 0; from < rows; from += chunk) {
    const count = Math.min(chunk, rows - from);
    kernels.transposeRows(transposed, 4 * count, dy + 4 * dyColumns * from, 4 * dyColumns, count, dyColumns);
    let padded = firstPadded;
    for (const { linear, x, xStride, column, zeroRows } of sources) {
      const skipped = Math.min(Math.max(zeroRows - from, 0), count);
      if (skipped < count) {
        const terms = count - skipped;
        kernels.packPlain(panels, terms, 0, 0, x + xStride * (from + skipped), xStride, terms, pad4(linear.inputs));
        linear.addGradient(sum, padded, from === 0, transposed + 4 * (count * column + skipped), 4 * count, panels, terms);
      } else if (from === 0) {
        linear.addNoGradient(sum, padded);
      }
      padded += linear.gradientBytes;
    }
  }
  let padded = firstPadded;
  for (const { linear } of sources) {
    linear.scatterGradient(sum, padded);
    padded += linear.gradientBytes;
  }
}
