// Brings the page up to date when something changed: one update at a time, paced, unless the reader would wait for it.
import { Pace } from "./pace.js";

export class Follower {
  readonly #pace = new Pace();
  readonly #changed = new Set<number>();
  #isUrgent = false;
  #isBusy = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param update shows what is new of the runs of these numbers, and resolves once it is seen */
  constructor(readonly update: (runs: readonly number[]) => Promise<void>) {}

  /** A run changed. @param isUrgent shown without a rest before it: a run that has ended, something that came into sight */
  change(run: number, isUrgent: boolean): void {
    this.#changed.add(run);
    this.#isUrgent ||= isUrgent;
    this.#schedule();
  }

  /** The reader is about to need what changed. */
  hurry(): void {
    this.#isUrgent = this.#changed.size > 0;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isBusy || this.#changed.size === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#run(), this.#isUrgent ? 0 : this.#pace.wait(performance.now()));
  }

  async #run(): Promise<void> {
    const runs = [...this.#changed];
    this.#changed.clear();
    this.#isUrgent = false;
    this.#isBusy = true;
    const start = performance.now();
    try {
      await this.update(runs);
    } finally {
      const end = performance.now();
      this.#pace.spend(end - start, end);
      this.#isBusy = false;
      this.#schedule(); // what changed meanwhile
    }
  }
}
