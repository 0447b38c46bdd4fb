import { Model } from "./model.js";
import type { DNCOptions } from "./options.js";

/**
 * Differentiable Neural Computer: a recurrent controller with a memory that it writes by content or to free cells, and reads by content
 * or in the order of writing (Graves et al. 2016, Hybrid computing using a neural network with dynamic external memory).
 * A step costs O(N²): for up to some hundreds of cells.
 * @throws {ConfigError} for an unknown, missing or impossible option, at construction
 */
export class DNC extends Model {
  constructor(options: DNCOptions) {
    super("dnc", options);
  }
}
