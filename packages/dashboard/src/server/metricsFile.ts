// Follows metrics.jsonl as it grows. What was read once is not read again, unless the file was written anew (a run that was resumed
// takes back what came after its checkpoint).
import { MetricsTable } from "../data/metricsTable.js";
import { openInside } from "./safeFiles.js";

const METRICS = "metrics.jsonl";
const CHUNK = 1 << 20;

export class MetricsFile {
  readonly #folder: string;
  #table = new MetricsTable();
  #inode = -1;
  #offset = 0;
  #reading: Promise<MetricsTable> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The lines there are now. Calls that come while one reads share it. */
  read(): Promise<MetricsTable> {
    this.#reading ??= this.#readOn().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOn(): Promise<MetricsTable> {
    const file = await openInside(this.#folder, METRICS);
    if (file === undefined) return this.#startOver(-1);
    try {
      const { ino, size } = file.stats;
      if (ino !== this.#inode || size < this.#offset) this.#startOver(ino);
      const buffer = new Uint8Array(Math.min(CHUNK, size - this.#offset));
      while (this.#offset < size) {
        const { bytesRead } = await file.handle.read(buffer, 0, Math.min(buffer.length, size - this.#offset), this.#offset);
        if (bytesRead === 0) break;
        this.#offset += bytesRead;
        this.#table.append(buffer.subarray(0, bytesRead));
      }
      return this.#table;
    } finally {
      await file.handle.close();
    }
  }

  #startOver(inode: number): MetricsTable {
    this.#table = new MetricsTable();
    this.#inode = inode;
    this.#offset = 0;
    return this.#table;
  }
}
