// Where the gradients of all weights are added up, laid out as the weights.
import type { Engine } from "./engine.js";

export interface GradientSum {
  /** Address of the gradient of the first weight. */
  readonly at: number;
  readonly bytes: number;
  /**
   * Nothing was added yet, and what lies there is of no use. Who has part of the first addition writes it: that saves clearing the sum
   * and reading it again, which with few rows costs as much as the products.
   */
  isUnset: boolean;
}

/** Makes a sum that is unset 0: where nothing is to be added, or not to every weight. */
export function clearUnset(engine: Engine, sum: GradientSum): void {
  if (!sum.isUnset) return;
  engine.kernels.fillZero(sum.at, sum.bytes);
  sum.isUnset = false;
}
