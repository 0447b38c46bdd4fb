// A run's folder, read for the page. Nothing in it is ever written; whatever is missing, torn or in the midst of being written is
// shown as not there yet.
import { lstat, readdir, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { RunFolder } from "engram/node";
import type { Ablation, AblationScore, RunConfig, RunSummary } from "../data/api.js";
import type { MetricsTable } from "../data/metricsTable.js";
import { CellsCache, MemoryFile } from "./memoryFile.js";
import { MetricsFile } from "./metricsFile.js";
import { readTextInside } from "./safeFiles.js";

const STEP = /^step-(\d+)\.safetensors$/;
const MOST_TEXT = 1 << 20;

export class RunReader {
  readonly #metrics: MetricsFile;
  readonly #cells = new CellsCache();

  private constructor(
    readonly index: number,
    readonly folder: RunFolder,
    /** The folder's path without symbolic links. */
    readonly path: string,
  ) {
    this.#metrics = new MetricsFile(path);
  }

  /** @throws {CheckpointError} when there is no run in this folder */
  static async open(index: number, path: string): Promise<RunReader> {
    const folder = RunFolder.open(path);
    return new RunReader(index, folder, await realpath(folder.path));
  }

  metrics(): Promise<MetricsTable> {
    return this.#metrics.read();
  }

  memory(iteration: number): Promise<MemoryFile | undefined> {
    return MemoryFile.open(this.path, iteration, this.#cells);
  }

  async summary(): Promise<RunSummary> {
    const [table, config, memories, ablation] = await Promise.all([
      this.metrics(),
      this.#json("config.json"),
      this.#memories(),
      this.#json("ablation.json"),
    ]);
    return {
      index: this.index,
      name: basename(this.folder.path),
      path: this.folder.label,
      config: (config ?? {}) as RunConfig,
      live: this.#isLive(),
      lines: table.length,
      fields: table.names,
      last: table.line(-1),
      memories,
      ablation: checkAblation(ablation),
      problem: config === undefined ? "config.json can't be read" : null,
    };
  }

  /** Whether a process trains in it, and something that changes whenever the summary may have: much cheaper to make than that. */
  async look(): Promise<{ readonly live: boolean; readonly fingerprint: string }> {
    const memories = await this.#memories();
    // Of memory files the newest may still grow, where a run is being copied.
    const newest = memories.slice(-1).map((iteration) => join("memory", `step-${iteration}.safetensors`));
    const stamps = await Promise.all(["metrics.jsonl", "config.json", "ablation.json", ...newest].map((name) => this.#stamp(name)));
    const live = this.#isLive();
    return { live, fingerprint: [...stamps, ...memories, live].join(" ") };
  }

  #isLive(): boolean {
    try {
      return this.folder.holder !== undefined;
    } catch {
      return false; // a lock that may not be read
    }
  }

  /** Of the name alone, links not followed: nothing of what is behind it gets out. */
  async #stamp(name: string): Promise<string> {
    const stats = await lstat(join(this.path, name)).catch(() => undefined);
    return stats === undefined ? "" : `${stats.ino}:${stats.size}:${stats.mtimeMs}`;
  }

  async #memories(): Promise<number[]> {
    const folder = join(this.path, "memory");
    const isOwn = await lstat(folder)
      .then((stats) => stats.isDirectory())
      .catch(() => false); // and no link that leads elsewhere
    const names = isOwn ? await readdir(folder).catch(() => []) : [];
    return names
      .map((name) => Number(STEP.exec(name)?.[1] ?? Number.NaN))
      .filter((iteration) => Number.isSafeInteger(iteration))
      .sort((a, b) => a - b);
  }

  async #json(name: string): Promise<unknown> {
    const text = await readTextInside(MOST_TEXT, this.path, name);
    try {
      const value: unknown = JSON.parse(text ?? "");
      return typeof value === "object" && value !== null ? value : undefined;
    } catch {
      return undefined;
    }
  }
}

/** What evaluate --ablate wrote, or null: a file half written or of another kind shows as none. */
function checkAblation(value: unknown): Ablation | null {
  const { scores, iteration, needed } = (value ?? {}) as Readonly<Record<keyof Ablation, unknown>>;
  if (!Array.isArray(scores)) return null;
  const good = scores.filter(
    (score: Partial<AblationScore> | null): score is AblationScore =>
      typeof score?.name === "string" && typeof score.length === "number" && typeof score.accuracy === "number",
  );
  return { scores: good, ...(typeof iteration === "number" && { iteration }), ...(typeof needed === "boolean" && { needed }) };
}
