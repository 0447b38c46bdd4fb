// What a model's forward and backward take and give.
import type { Tensor } from "../tensor.js";
import type { State } from "./state.js";
import type { StateTensor } from "./stateTensor.js";

export interface ForwardOptions {
  /** Empty the memory first, keeping controller state and read vectors [false]. */
  resetExperience?: boolean;
  /** Whether layers access the memory; without, r = 0 and the memory stays as it was [true]. */
  passThroughMemory?: boolean;
  /** Valid steps of each batch element [B], each 1 … T [all T]. */
  lengths?: ArrayLike<number>;
}

export interface ForwardResult {
  /** [B, T, O], or [T, B, O] with batchFirst false; 0 past an element's length. */
  readonly output: Tensor;
  readonly state: State;
  /** With the option `debug`: the memory of the first batch element after each access, see models.md §5. */
  readonly debug?: Map<string, Tensor>;
}

export interface BackwardOptions {
  /** The forward result to go back through [the latest]. */
  of?: ForwardResult;
  /** Gradient of the loss with respect to the final state, named as `state.tensors()`; what is missing is zero. */
  stateGrad?: ReadonlyMap<string, StateTensor>;
}

export interface BackwardResult {
  readonly inputGrad: Tensor;
  /**
   * Gradient with respect to the state the call began with. A sparse memory's parts are sparse. Of a call that was given no state it
   * can be read until the next forward.
   * @throws {StateError} when it is read later
   */
  readonly stateGrad: Map<string, StateTensor>;
}
