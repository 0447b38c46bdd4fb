// metrics.jsonl as columns of numbers. A run writes a line each summary; 100,000 of them are 20 MB of text and 6 MB of columns.

export class MetricsTable {
  readonly #columns = new Map<string, Column>();
  #rest = "";
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
  append(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#add(line);
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

  #add(text: string): void {
    const line = parseLine(text);
    if (line === undefined) return;
    for (const name in line) {
      const value = line[name];
      if (typeof value !== "number") continue;
      let column = this.#columns.get(name);
      if (column === undefined) {
        column = new Column();
        this.#columns.set(name, column);
      }
      column.set(this.#length, value);
    }
    this.#length++;
  }
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
