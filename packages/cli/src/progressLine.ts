// The line that shows how training goes, redrawn in place.
import { count, duration, figure, percent, rate } from "./format.js";

export interface ProgressFigures {
  readonly iteration: number;
  readonly iterations: number;
  /** Mean of the latest losses. */
  readonly loss: number;
  /** Fraction right at the latest summary; undefined before the first. */
  readonly accuracy?: number | undefined;
  /** What `accuracy` counts: "bits", "answers". */
  readonly counted: string;
  readonly perSecond: number;
  /** How sure the time left is: it may end earlier (once solved), get slower (longer sequences), or neither. */
  readonly timeLeft: "at most" | "at least" | "about";
}

/**
 * One line of at most `columns` − 1 characters (a full line would wrap), with the less important parts left out where it is
 * narrow.
 */
export function progressLine(figures: ProgressFigures, columns: number): string {
  const { iteration, iterations, loss, accuracy, counted, perSecond, timeLeft } = figures;
  const of = `${count(iteration)}/${count(iterations)}`;
  const left = perSecond > 0 ? duration((iterations - iteration) / perSecond) : "…";
  const sign = { "at most": "≤ ", "at least": "≥ ", about: "" }[timeLeft];
  const right = accuracy === undefined ? "" : `${counted} ${percent(accuracy).replace(" ", "")}`;
  const speed = perSecond > 0 ? `${rate(perSecond)}/s` : "";
  const lines = [
    [`iteration ${of}`, `loss ${figure(loss)}`, right, speed, `${sign}${left} left`],
    [of, `loss ${figure(loss)}`, right, speed, `${sign}${left} left`],
    [of, `loss ${figure(loss)}`, right, `${sign}${left} left`],
    [count(iteration), `loss ${figure(loss)}`, right],
    [count(iteration), figure(loss)],
  ].map((parts) => parts.filter((part) => part !== "").join("  "));
  return lines.find((line) => line.length < columns) ?? "";
}

/** Redraws a line on a terminal. */
export class LiveLine {
  readonly #stream: NodeJS.WriteStream;
  #shown = false;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  get columns(): number {
    return this.#stream.columns || 80;
  }

  draw(line: string): void {
    this.#stream.write(`\r${line}\x1b[K`);
    this.#shown = true;
  }

  /** Clears the line, so that other text can be printed in its place. */
  clear(): void {
    if (this.#shown) this.#stream.write("\r\x1b[K");
    this.#shown = false;
  }
}
