// What the weights of one sequence tell of how the memory is used. They can't tell whether the answers need it: that is what
// `engram evaluate RUN --ablate` finds out.

/** A cell counts as written once a step wrote to it with more than this. */
const WRITTEN = 0.1;
/** Heads that read less than this in a step, in all, do not read. */
const READING = 0.01;

export interface MemoryUse {
  readonly cells: number;
  /** Cells written to, in any step. */
  readonly written: number;
  /** Mean of Σ w over the steps: 1 where every step writes with all it has. */
  readonly writing: number;
  /** Cells that a reading head looks at in a step, on average: the exponential of the entropy of its weights. */
  readonly spread: number;
  /** How much reading differs from looking everywhere alike, 0 … 1: total variation distance from uniform weights. */
  readonly concentration: number;
  /** Of what is read at the steps whose answers count, the part from cells written before; NaN where nothing is read then. */
  readonly fromWritten: number;
}

export interface MemoryWeights {
  /** [steps, shown] */
  readonly write: Float32Array;
  /** [steps, heads · shown] */
  readonly read: Float32Array;
  readonly heads: number;
  /** Cells that the weights are of; the others have none. */
  readonly shown: number;
  /** Cells in all. */
  readonly cells: number;
  /** For every step whether its answer counts. */
  readonly asked: readonly boolean[];
}

export function memoryUse({ write, read, heads, shown, cells, asked }: MemoryWeights): MemoryUse {
  const written = new Uint8Array(shown);
  // Means over readings are weighted by how much was read: a head that hardly reads in a step says little.
  let [writing, spread, distance, readMass, askedMass, writtenMass] = [0, 0, 0, 0, 0, 0];
  for (const [t, isAsked] of asked.entries()) {
    for (let head = 0; head < heads; head++) {
      const weights = read.subarray((t * heads + head) * shown, (t * heads + head + 1) * shown);
      const mass = sum(weights);
      if (mass < READING) continue;
      readMass += mass;
      spread += mass * cellsLookedAt(weights, mass);
      distance += mass * fromUniform(weights, mass, cells);
      if (!isAsked) continue;
      askedMass += mass;
      for (const [cell, weight] of weights.entries()) if (written[cell] === 1) writtenMass += weight;
    }
    const weights = write.subarray(t * shown, (t + 1) * shown);
    writing += sum(weights) / asked.length;
    for (const [cell, weight] of weights.entries()) if (weight > WRITTEN) written[cell] = 1;
  }
  return {
    cells,
    written: sum(written),
    writing,
    spread: readMass === 0 ? 0 : spread / readMass,
    concentration: readMass === 0 ? 0 : distance / readMass,
    fromWritten: writtenMass / askedMass,
  };
}

function sum(values: Float32Array | Uint8Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** exp(−Σ p ln p): n where n cells share the weight alike. */
function cellsLookedAt(weights: Float32Array, mass: number): number {
  let entropy = 0;
  for (const weight of weights) if (weight > 0) entropy -= (weight / mass) * Math.log(weight / mass);
  return Math.exp(entropy);
}

/** ½ Σ |p − 1/N|, over its largest possible value 1 − 1/N. */
function fromUniform(weights: Float32Array, mass: number, cells: number): number {
  if (cells < 2) return 1;
  let distance = (cells - weights.length) / cells;
  for (const weight of weights) distance += Math.abs(weight / mass - 1 / cells);
  return distance / 2 / (1 - 1 / cells);
}
