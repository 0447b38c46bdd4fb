import { Model } from "./model.js";
import type { SDNCOptions } from "./options.js";

/**
 * Sparse Differentiable Neural Computer: a SAM that also reads in the order of writing, along the strongest temporal links of each cell
 * (Rae et al. 2016, Scaling memory-augmented neural networks with sparse reads and writes).
 * @throws {ConfigError} for an unknown, missing or impossible option, at construction
 */
export class SDNC extends Model {
  constructor(options: SDNCOptions) {
    super("sdnc", options);
  }
}
