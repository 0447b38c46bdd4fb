// A tensor of a state, or of its gradients: whole, or what of it is not zero.
import type { Tensor } from "../tensor.js";

/** A tensor of a batch of which most values are zero: the others with their positions, `rank` indices each, in order. */
export interface SparseStateTensor {
  readonly shape: readonly number[];
  /** [count, rank], row-major. */
  readonly positions: Int32Array;
  readonly values: Float32Array;
}

export type StateTensor = Tensor | SparseStateTensor;
