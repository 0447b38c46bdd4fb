// metrics.jsonl as columns of numbers. A run writes a line each summary; 100,000 of them are 20 MB of text and 6 MB of columns.
import { type Decimal, readDecimal } from "./decimal.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NEWLINE = 10;
const CLOSE = 125;

export class MetricsTable {
  readonly #columns = new Map<string, Column>();
  #rest = new Uint8Array(0);
  #form: readonly Part[] = [];
  readonly #number: Decimal = { value: 0, end: -1 };
  readonly #values: number[] = [];
  #length = 0;

  /** Lines read. */
  get length(): number {
    return this.#length;
  }

  /** Names of the numbers, in the order in which they first came. */
  get names(): string[] {
    return [...this.#columns.keys()];
  }

  /** Takes the next piece of the file. A line that has no end yet waits for the next piece; one that is no metrics is left out. */
  append(piece: Uint8Array | string): void {
    const all = joined(this.#rest, typeof piece === "string" ? encoder.encode(piece) : piece);
    let from = 0;
    for (let end = all.indexOf(NEWLINE); end >= 0; end = all.indexOf(NEWLINE, from)) {
      if (!this.#addAlike(all, from, end)) this.#add(decoder.decode(all.subarray(from, end)));
      from = end + 1;
    }
    this.#rest = all.slice(from);
  }

  /** One number over all lines; NaN where a line has none. A view, right until the next `append`. */
  column(name: string): Float64Array {
    return this.#columns.get(name)?.view(this.#length) ?? new Float64Array(this.#length).fill(Number.NaN);
  }

  /** A line's numbers, −1 for the last. */
  line(index: number): Record<string, number> | null {
    const at = index < 0 ? this.#length + index : index;
    if (at < 0 || at >= this.#length) return null;
    const entries = this.names.map((name): [string, number] => [name, this.column(name)[at] as number]);
    return Object.fromEntries(entries.filter(([, value]) => !Number.isNaN(value)));
  }

  /** Adds a line of the very form of the one before, as nearly all are, several times as fast. @returns false for any other */
  #addAlike(text: Uint8Array, from: number, end: number): boolean {
    // Loops by index, and nothing made: this runs over every number of a run.
    const form = this.#form;
    const number = this.#number;
    const values = this.#values;
    let at = from;
    for (let i = 0; i < form.length; i++) {
      const { label } = form[i] as Part;
      for (let k = 0; k < label.length; k++) if (text[at++] !== label[k]) return false;
      readDecimal(text, at, number);
      if (number.end < 0) return false;
      values[i] = number.value;
      at = number.end;
    }
    if (at === from || at !== end - 1 || text[at] !== CLOSE) return false;
    for (let i = 0; i < form.length; i++) (form[i] as Part).column.set(this.#length, values[i] as number);
    this.#length++;
    return true;
  }

  #add(text: string): void {
    const line = parseLine(text);
    if (line === undefined) return;
    const form: Part[] = [];
    for (const name in line) {
      const value = line[name];
      if (typeof value !== "number") continue;
      let column = this.#columns.get(name);
      if (column === undefined) {
        column = new Column();
        this.#columns.set(name, column);
      }
      column.set(this.#length, value);
      form.push({ label: encoder.encode(`${form.length === 0 ? "{" : ","}${JSON.stringify(name)}:`), column });
    }
    this.#form = form;
    this.#length++;
  }
}

/** A number of a line: what stands before it, and where it goes. */
interface Part {
  readonly label: Uint8Array;
  readonly column: Column;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** A column of numbers that grows. */
class Column {
  #data = new Float64Array(256).fill(Number.NaN);

  set(at: number, value: number): void {
    if (at >= this.#data.length) {
      const grown = new Float64Array(Math.max(at + 1, 2 * this.#data.length)).fill(Number.NaN);
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data[at] = value;
  }

  view(length: number): Float64Array {
    if (length > this.#data.length) this.set(length - 1, Number.NaN);
    return this.#data.subarray(0, length);
  }
}

function parseLine(text: string): Record<string, unknown> | undefined {
  try {
    const line: unknown = JSON.parse(text);
    const isMetrics = typeof line === "object" && line !== null && typeof (line as Record<string, unknown>).iteration === "number";
    return isMetrics ? (line as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
