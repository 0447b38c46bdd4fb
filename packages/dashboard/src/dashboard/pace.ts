// How often the page may bring itself up to date. Where training has all processors busy, what the page takes is taken from training: so
// an update is followed by a rest that is long beside it.

/** Of the time, for updates as the page sees them. With the server's part and that of the browser's other processes it is about twice that. */
const SHARE = 0.005;
/** However slow the updates are, the reader is not left without one for longer. */
const LONGEST_REST_MS = 10_000;
/** At the start, when a run changes most and a short one is soon over, so many follow without a rest. */
const AT_ONCE = 5;

export class Pace {
  #left = AT_ONCE;
  #restsUntil = Number.NEGATIVE_INFINITY;

  /** Milliseconds until the next update may begin. @param now in milliseconds */
  wait(now: number): number {
    return Math.max(0, this.#restsUntil - now);
  }

  /** An update ended now that took so long. */
  spend(ms: number, now: number): void {
    if (this.#left > 0) this.#left--;
    else this.#restsUntil = now + Math.min(LONGEST_REST_MS, ms / SHARE);
  }
}
