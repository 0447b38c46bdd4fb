// The readouts 'sum' and 'last' of a shard, taken from its outputs pass by pass, and their gradients given back pass by pass: a
// sequence may be walked in one pass, or in several that are run forward again one by one going back (`recompute`).
//
// Scratch: prediction and dPrediction [batch, 8], the number of each element's last row in the pass [batch] (i32), and the batch
// element of each place [batch] (i32). Elements keep their places, the longest first (kernels/readouts.ts).
import type { Kernels } from "../engine/kernels.generated.js";

/** Bytes of a prediction's row (kernels/readouts.ts). */
const PREDICTION_BYTES = 32;

/** Bytes of scratch for a shard of `batch` elements. */
export function readoutBytes(batch: number): number {
  return batch * (2 * PREDICTION_BYTES + 8);
}

/** Packed rows of one pass (addresses): output and its gradient [rows, PAD8(O)], and each row's batch element (i32). */
export interface PassRows {
  readonly output: number;
  readonly dOutput: number;
  readonly elements: number;
  readonly rows: number;
}

/** Predictions (addresses), as rows of one value each. */
export interface Predictions {
  readonly prediction: number;
  readonly dPrediction: number;
  /** Each one's natural row: its batch element. */
  readonly elements: number;
  readonly batch: number;
}

export class RunningReadout {
  private readonly dPrediction: number;
  private readonly lastRow: number;
  private readonly elements: number;
  private isEmpty = true;

  constructor(
    private readonly kernels: Kernels,
    private readonly kind: "sum" | "last",
    private readonly outputSize: number,
    private readonly batch: number,
    private readonly prediction: number,
  ) {
    this.dPrediction = prediction + PREDICTION_BYTES * batch;
    this.lastRow = this.dPrediction + PREDICTION_BYTES * batch;
    this.elements = this.lastRow + 4 * batch;
  }

  /** Takes in the next pass. @param active elements that run in its first step */
  add({ output, elements, rows }: PassRows, active: number): void {
    const { kernels, kind, batch, prediction, outputSize } = this;
    if (this.isEmpty) {
      // The rows of the first step are one for each element, in order of place.
      kernels.copyBytes(this.elements, elements, 4 * batch);
      kernels.fillZero(prediction, PREDICTION_BYTES * batch);
      this.isEmpty = false;
    }
    if (kind === "sum") kernels.sumReadout(prediction, output, elements, rows, outputSize);
    else kernels.lastReadout(prediction, this.lastRow, output, elements, rows, outputSize, active);
  }

  /** After the last pass. */
  end(): Predictions {
    const { prediction, dPrediction, elements, batch } = this;
    if (this.kind === "sum") this.kernels.sumReadoutEnd(prediction, batch);
    return { prediction, dPrediction, elements, batch };
  }

  /**
   * Writes dOutput of a pass from the gradients of the predictions.
   * @param later elements that still run in the pass after it: their last row is there
   */
  spread({ output, dOutput, elements, rows }: PassRows, active: number, later: number): void {
    const { kernels, kind, dPrediction, outputSize, lastRow } = this;
    if (kind === "sum") {
      kernels.sumReadoutBackward(dOutput, dPrediction, elements, rows, outputSize);
      return;
    }
    // A pass that is run again has its own rows; the predictions are what they were.
    kernels.lastReadout(this.prediction, lastRow, output, elements, rows, outputSize, active);
    const ended = dPrediction + PREDICTION_BYTES * later;
    kernels.lastReadoutBackward(dOutput, ended, lastRow + 4 * later, rows, outputSize, active - later);
  }
}
