// memory/step-N.safetensors, read piece by piece: a file of a large memory has a hundred megabytes, a page shows one of them.
import type { FileHandle } from "node:fs/promises";
import { CheckpointError } from "engram";
import { readSafetensorsLayout, type TensorEntry } from "engram/files";
import type { TraceHeader } from "../data/api.js";
import { axesOf, chooseCells, mayChoose, pickCells } from "../data/traceLayout.js";
import { openInside } from "./safeFiles.js";

/** Larger headers than any that debug tensors have are not read. */
const MOST_HEADER_BYTES = 1 << 20;
/** Asked for at once, at most. */
export const MOST_BYTES = 1 << 25;
/** Tensors of so many bytes in all come with their header. */
const SMALL_BYTES = 1 << 20;
const FLOAT_BYTES = 4;

export class MemoryFile {
  readonly #handle: FileHandle;
  readonly #entries: ReadonlyMap<string, TensorEntry>;
  readonly header: TraceHeader;

  private constructor(handle: FileHandle, entries: readonly TensorEntry[], header: TraceHeader) {
    this.#handle = handle;
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
    this.header = header;
  }

  /** @returns undefined when there is no such file. @throws {CheckpointError} when it is broken. Close it when done. */
  static async open(folder: string, iteration: number, cellsOf: CellsCache): Promise<MemoryFile | undefined> {
    const file = await openInside(folder, "memory", `step-${iteration}.safetensors`);
    if (file === undefined) return undefined;
    const { handle, stats } = file;
    try {
      const { entries, metadata } = await readLayout(handle, stats.size, `step-${iteration}.safetensors`);
      const readable = entries.filter(({ dtype, shape }) => dtype === "F32" && shape.length > 0);
      const bare = new MemoryFile(handle, readable, traceHeader(iteration, readable, metadata));
      const cells = await cellsOf.get(`${stats.ino} ${stats.mtimeMs}`, () => bare.#chooseCells());
      return new MemoryFile(handle, readable, { ...bare.header, cells });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /**
   * Rows of a tensor, as many as there are from `from` to before `to`, with the header's cells only.
   * @returns undefined when there is no such tensor; "too large" when fewer rows must be asked for
   */
  async rows(name: string, from: number, to: number): Promise<Float32Array | "too large" | undefined> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const rows = entry.shape[0] as number;
    const rowBytes = rows === 0 ? 0 : (entry.end - entry.begin) / rows;
    const [first, end] = [Math.min(from, rows), Math.min(to, rows)];
    if ((end - first) * rowBytes > MOST_BYTES && end - first > 1) return "too large";
    const values = await this.#read(entry.begin + first * rowBytes, Math.max(0, end - first) * rowBytes);
    return pickCells(values, axesOf(name, this.header), this.header.cells);
  }

  /** All tensors in the header's order, with its cells only; none where they are too large to be sent unasked. */
  async all(): Promise<Float32Array[]> {
    const names = Object.keys(this.header.tensors);
    let bytes = 0;
    for (const { begin, end } of this.#entries.values()) bytes += end - begin;
    if (bytes > SMALL_BYTES) return [];
    const tensors = await Promise.all(names.map((name) => this.rows(name, 0, Number.POSITIVE_INFINITY)));
    return tensors as Float32Array[]; // each is there, and none too large
  }

  async #read(position: number, bytes: number): Promise<Float32Array> {
    const buffer = new Uint8Array(bytes);
    let done = 0;
    while (done < bytes) {
      const { bytesRead } = await this.#handle.read(buffer, done, bytes - done, position + done);
      if (bytesRead === 0) throw new CheckpointError("the file was cut while it was read");
      done += bytesRead;
    }
    return new Float32Array(buffer.buffer, 0, bytes / FLOAT_BYTES);
  }

  async #chooseCells(): Promise<number[] | null> {
    const entries = ["debug.write_weights", "debug.read_weights"].flatMap((name) => this.#entries.get(name) ?? []);
    const [cells] = axesOf("debug.write_weights", this.header);
    if (cells === undefined || !mayChoose(cells.size)) return null;
    return chooseCells(await Promise.all(entries.map(({ begin, end }) => this.#read(begin, end - begin))), cells.size);
  }
}

/** The cells chosen for the files looked at last: choosing reads all weights of a file. */
export class CellsCache {
  readonly #kept = new Map<string, Promise<number[] | null>>();
  readonly #most = 8;

  get(key: string, choose: () => Promise<number[] | null>): Promise<number[] | null> {
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const chosen = choose();
    chosen.catch(() => this.#kept.delete(key));
    this.#kept.set(key, chosen);
    for (const old of this.#kept.keys()) if (this.#kept.size > this.#most) this.#kept.delete(old);
    return chosen;
  }
}

async function readLayout(handle: FileHandle, fileBytes: number, source: string) {
  const start = new Uint8Array(8);
  await handle.read(start, 0, start.length, 0);
  const headerBytes = new DataView(start.buffer).getUint32(0, true);
  if (headerBytes > MOST_HEADER_BYTES)
    throw new CheckpointError(`${source}: its header has ${headerBytes} bytes, too many for debug tensors`);
  const bytes = new Uint8Array(Math.min(fileBytes, 8 + headerBytes));
  await handle.read(bytes, 0, bytes.length, 0);
  return readSafetensorsLayout(bytes, fileBytes, source);
}

function traceHeader(iteration: number, entries: readonly TensorEntry[], metadata: Readonly<Record<string, string>>): TraceHeader {
  return {
    iteration,
    model: metadata.model ?? "",
    options: parseOptions(metadata.config),
    task: metadata.task ?? "",
    tensors: Object.fromEntries(entries.map(({ name, shape }) => [name, shape])),
    cells: null,
  };
}

function parseOptions(text: string | undefined): Record<string, unknown> {
  try {
    const options: unknown = JSON.parse(text ?? "{}");
    return typeof options === "object" && options !== null ? (options as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
