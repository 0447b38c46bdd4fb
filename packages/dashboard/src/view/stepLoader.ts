// Rows of a large tensor, fetched as they are shown and, while somebody scrubs, a little ahead. The newest wish comes first: while somebody scrubs quickly,
// steps passed over meanwhile are not asked for.
import type { Trace } from "../data/trace.js";

/** Kept at most; then those not shown for longest go. */
const MOST_BYTES = 64 << 20;
/** Fetched together: as many steps as fit, so that a small memory comes at once. */
const BLOCK_BYTES = 1 << 22;
const MOST_AT_ONCE = 3;
const AHEAD = 2;
const FLOAT_BYTES = 4;

export class StepLoader {
  readonly #kept = new Map<number, Float32Array>();
  readonly #loading = new Set<number>();
  readonly #blockSteps: number;
  readonly #mostBlocks: number;
  #first: { readonly step: number; readonly values: Float32Array } | undefined;
  #wanted = -1;
  /** Of the last move; 0 before the first. */
  #direction = 0;
  #isClosed = false;

  /**
   * @param rowOf which row of the tensor a step is
   * @param width values of a row
   * @param onLoaded called when a step that was wanted has come
   */
  constructor(
    readonly trace: Trace,
    readonly tensor: string,
    readonly steps: number,
    readonly width: number,
    readonly layers: number,
    readonly layer: number,
    readonly onLoaded: () => void,
  ) {
    const rowBytes = FLOAT_BYTES * width * layers;
    this.#blockSteps = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
    this.#mostBlocks = Math.max(8, Math.floor(MOST_BYTES / (rowBytes * this.#blockSteps)));
  }

  /** Has a step's values here, and no others: enough for a trace that nobody scrubs through before the next one comes. */
  async load(step: number): Promise<void> {
    const row = step * this.layers + this.layer;
    const values = await this.trace.rows(this.tensor, row, row + 1).catch(() => undefined);
    this.#first = values && { step, values };
  }

  /** A step's values if they are here; else they are fetched. */
  at(step: number): Float32Array | undefined {
    if (this.#first?.step === step) return this.#first.values;
    if (this.#wanted >= 0 && step !== this.#wanted) this.#direction = step < this.#wanted ? -1 : 1;
    this.#wanted = step;
    this.#fetchWanted();
    const block = Math.floor(step / this.#blockSteps);
    const kept = this.#kept.get(block);
    if (kept === undefined) return undefined;
    this.#kept.delete(block); // and in again, as the newest
    this.#kept.set(block, kept);
    const row = (step - block * this.#blockSteps) * this.layers + this.layer;
    return kept.subarray(row * this.width, (row + 1) * this.width);
  }

  close(): void {
    this.#isClosed = true;
    this.#kept.clear();
  }

  #fetchWanted(): void {
    const block = Math.floor(this.#wanted / this.#blockSteps);
    const last = Math.floor((this.steps - 1) / this.#blockSteps);
    for (let ahead = 0; ahead <= (this.#direction === 0 ? 0 : AHEAD); ahead++) {
      const next = block + ahead * this.#direction;
      if (next < 0 || next > last || this.#kept.has(next) || this.#loading.has(next)) continue;
      if (this.#loading.size >= MOST_AT_ONCE) return;
      void this.#fetch(next).then(() => this.#tell(next));
    }
  }

  #tell(block: number): void {
    if (!this.#kept.has(block)) return;
    if (block === Math.floor(this.#wanted / this.#blockSteps)) this.onLoaded();
    else this.#fetchWanted();
  }

  async #fetch(block: number): Promise<void> {
    this.#loading.add(block);
    const from = block * this.#blockSteps * this.layers;
    const to = Math.min(this.steps, (block + 1) * this.#blockSteps) * this.layers;
    const values = await this.trace.rows(this.tensor, from, to).catch(() => undefined);
    this.#loading.delete(block);
    if (this.#isClosed || values === undefined) return;
    this.#kept.set(block, values);
    for (const old of this.#kept.keys()) if (this.#kept.size > this.#mostBlocks) this.#kept.delete(old);
  }
}
