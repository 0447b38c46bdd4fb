// How fast training goes, over the last ten seconds: short enough to follow a change, long enough not to flicker.

const WINDOW_MS = 10_000;

export class Speed {
  #marks: { readonly at: number; readonly iteration: number }[] = [];

  /** Notes that `iteration` was reached. */
  add(iteration: number, at = performance.now()): void {
    this.#marks.push({ at, iteration });
    while (this.#marks.length > 2 && (this.#marks[1]?.at ?? at) < at - WINDOW_MS) this.#marks.shift();
  }

  /** Iterations a second; 0 while it can't be said. */
  get perSecond(): number {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return (1000 * (last.iteration - first.iteration)) / (last.at - first.at);
  }
}
