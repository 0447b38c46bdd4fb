// Follows metrics.jsonl as it grows. What was read once is not read again, unless the file was written anew (a run that was resumed
// takes back what came after its checkpoint).
import type { FileHandle } from "node:fs/promises";
import { MetricsTable } from "../data/metricsTable.js";
import { openInside } from "./safeFiles.js";

const METRICS = "metrics.jsonl";
const CHUNK = 1 << 20;
/** So many bytes of numbers are not the same by chance. */
const TAIL = 64;

export class MetricsFile {
  readonly #folder: string;
  #table = new MetricsTable();
  #inode = -1;
  #offset = 0;
  /** The last bytes before `#offset`. */
  #tail: Uint8Array = new Uint8Array(0);
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
      const isSame = ino === this.#inode && size >= this.#offset && (await this.#endsAlike(file.handle));
      if (!isSame) this.#startOver(ino);
      const buffer = new Uint8Array(Math.min(CHUNK, size - this.#offset));
      while (this.#offset < size) {
        const { bytesRead } = await file.handle.read(buffer, 0, Math.min(buffer.length, size - this.#offset), this.#offset);
        if (bytesRead === 0) break;
        this.#offset += bytesRead;
        this.#table.append(buffer.subarray(0, bytesRead));
        this.#tail = buffer.slice(Math.max(0, bytesRead - TAIL), bytesRead);
      }
      return this.#table;
    } finally {
      await file.handle.close();
    }
  }

  /** A file written anew may have the number of the one before, and be longer than that was. */
  async #endsAlike(handle: FileHandle): Promise<boolean> {
    const tail = new Uint8Array(this.#tail.length);
    await handle.read(tail, 0, tail.length, this.#offset - tail.length);
    return tail.every((byte, i) => byte === this.#tail[i]);
  }

  #startOver(inode: number): MetricsTable {
    this.#table = new MetricsTable();
    this.#inode = inode;
    this.#offset = 0;
    this.#tail = new Uint8Array(0);
    return this.#table;
  }
}
