import { Model } from "./model.js";
import type { SAMOptions } from "./options.js";

/**
 * Sparse Access Memory: each head reads the K cells most like its query, and writes go to the cells just read or to the one that was
 * least recently accessed (Rae et al. 2016, Scaling memory-augmented neural networks with sparse reads and writes).
 * A step's cost does not depend on N, but on the cells touched so far.
 * @throws {ConfigError} for an unknown, missing or impossible option, at construction
 */
export class SAM extends Model {
  constructor(options: SAMOptions) {
    super("sam", options);
  }
}
