/// <reference types="node" />
// The folder of a training run, as command line and dashboard agree on it:
//
//   config.json                     what is trained, and how
//   metrics.jsonl                   a line each summary
//   checkpoints/step-N.safetensors  everything needed to go on after iteration N
//   memory/step-N.safetensors       what the memory did in one sequence, for the dashboard
//   ablation.json                   what the model scores without parts of its memory, once that was asked for
//   run.lock                        which process trains here now
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { CheckpointError } from "../errors.js";
import { removeTemporaryFiles, writeFileAtomic } from "./atomicFile.js";
import { type LockHolder, lockHolder, lockRun, unlockRun } from "./runLock.js";
import { shellPath } from "./shellPath.js";

/** One line of metrics.jsonl. Which numbers there are besides depends on the task. */
export interface MetricsLine {
  readonly iteration: number;
  readonly [name: string]: number;
}

/** A file of a run that belongs to an iteration. */
export interface StepFile {
  readonly iteration: number;
  readonly path: string;
}

/** What was found when looking for the newest good checkpoint. */
export interface LatestCheckpoint<T> extends StepFile {
  readonly checkpoint: T;
  /** Newer files that could not be read, with the reason. */
  readonly skipped: readonly { readonly path: string; readonly error: CheckpointError }[];
}

const CONFIG = "config.json";
const METRICS = "metrics.jsonl";
const ABLATION = "ablation.json";
const STEP = /^step-(\d+)\.safetensors$/;
type StepFolder = "checkpoints" | "memory";

/** How many of the newest checkpoints, and of the newest memory files, are kept. */
const KEPT_CHECKPOINTS = 3;
const KEPT_MEMORIES = 20;

export class RunFolder {
  /** Absolute. */
  readonly path: string;

  private constructor(path: string) {
    this.path = resolve(path);
  }

  /**
   * Makes a folder for a new run and locks it.
   * @throws {CheckpointError} when there is a run in it already
   */
  static create(path: string): RunFolder {
    const run = new RunFolder(path);
    mkdirSync(run.path, { recursive: true });
    lockRun(run.path);
    try {
      if (existsSync(run.#file(CONFIG)))
        throw new CheckpointError(`${path}: there is a run in this folder already; resume it or choose another`);
      for (const name of ["checkpoints", "memory"]) mkdirSync(run.#file(name), { recursive: true });
    } catch (error) {
      run.unlock();
      throw error;
    }
    return run;
  }

  /**
   * The folder of an existing run, to read from. Nothing in it is changed before `lock`.
   * @throws {CheckpointError} when there is no run in it
   */
  static open(path: string): RunFolder {
    const run = new RunFolder(path);
    if (!existsSync(run.#file(CONFIG))) throw new CheckpointError(`${path}: no run here (it has no ${CONFIG})`);
    return run;
  }

  /**
   * Takes the folder for training on in it.
   * @throws {CheckpointError} when another process trains in it
   */
  lock(): void {
    lockRun(this.path);
    for (const name of ["checkpoints", "memory"]) {
      mkdirSync(this.#file(name), { recursive: true });
      removeTemporaryFiles(this.#file(name));
    }
    removeTemporaryFiles(this.path);
  }

  unlock(): void {
    unlockRun(this.path);
  }

  /** The folder as one would type it in a shell. */
  get label(): string {
    return shellPath(this.path);
  }

  /** The process that trains here now, if any. */
  get holder(): LockHolder | undefined {
    return lockHolder(this.path);
  }

  writeConfig(config: object): void {
    writeFileAtomic(this.#file(CONFIG), `${JSON.stringify(config, undefined, 2)}\n`);
  }

  /** @throws {CheckpointError} when it is not JSON */
  readConfig(): unknown {
    try {
      return JSON.parse(readFileSync(this.#file(CONFIG), "utf8"));
    } catch (error) {
      throw new CheckpointError(`${this.#file(CONFIG)}: corrupt (${(error as Error).message})`, { cause: error });
    }
  }

  appendMetrics(line: MetricsLine): void {
    appendFileSync(this.#file(METRICS), `${JSON.stringify(line)}\n`);
  }

  /** The lines so far. One that a killed process left half written, and whatever follows it, are left out. */
  readMetrics(): MetricsLine[] {
    if (!existsSync(this.#file(METRICS))) return [];
    const lines: MetricsLine[] = [];
    for (const text of readFileSync(this.#file(METRICS), "utf8").split("\n")) {
      const line = parseLine(text);
      if (line === undefined) break;
      lines.push(line);
    }
    return lines;
  }

  /** Takes the metrics back to where a checkpoint was written: lines of later iterations go. */
  truncateMetrics(iteration: number): void {
    const kept = this.readMetrics().filter((line) => line.iteration <= iteration);
    writeFileAtomic(this.#file(METRICS), kept.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  /**
   * Writes a checkpoint, then removes old ones: the newest few stay, and the best.
   * @param best the iteration of the best checkpoint so far
   */
  writeCheckpoint(iteration: number, bytes: Uint8Array, best?: number): StepFile {
    return this.#writeStep("checkpoints", iteration, bytes, KEPT_CHECKPOINTS, best);
  }

  /** Writes what the memory did in one sequence; the newest few such files stay. */
  writeMemory(iteration: number, bytes: Uint8Array): StepFile {
    return this.#writeStep("memory", iteration, bytes, KEPT_MEMORIES);
  }

  /** Keeps what an ablation found, in place of an earlier one. */
  writeAblation(ablation: object): void {
    writeFileAtomic(this.#file(ABLATION), `${JSON.stringify(ablation, undefined, 2)}\n`);
  }

  /** Oldest first. */
  checkpoints(): StepFile[] {
    return this.#steps("checkpoints");
  }

  /** Oldest first. */
  memories(): StepFile[] {
    return this.#steps("memory");
  }

  /**
   * The newest checkpoint that can be read; broken ones are skipped.
   * @param read makes something of a file's bytes, or throws a CheckpointError
   * @throws {CheckpointError} when there is none
   */
  latestCheckpoint<T>(read: (bytes: Uint8Array, source: string) => T): LatestCheckpoint<T> {
    const skipped: { path: string; error: CheckpointError }[] = [];
    for (const { iteration, path } of this.checkpoints().reverse()) {
      try {
        return { iteration, path, checkpoint: read(readFileSync(path), path), skipped };
      } catch (error) {
        // The process that trains here may have written newer ones and removed this one since we looked.
        if (!this.checkpoints().some((file) => file.path === path)) return this.latestCheckpoint(read);
        if (!(error instanceof CheckpointError)) throw error;
        skipped.push({ path, error });
      }
    }
    const reason = skipped[0] === undefined ? "none was written yet" : `none can be read; the newest: ${skipped[0].error.message}`;
    throw new CheckpointError(`${this.path}: no checkpoint to go on from: ${reason}`);
  }

  /** Removes checkpoints and memory files of iterations after this one, which a resumed run is going to write again. */
  removeAfter(iteration: number): void {
    for (const file of [...this.checkpoints(), ...this.memories()]) {
      if (file.iteration > iteration) rmSync(file.path, { force: true });
    }
  }

  #file(...names: string[]): string {
    return join(this.path, ...names);
  }

  #steps(folder: StepFolder): StepFile[] {
    if (!existsSync(this.#file(folder))) return [];
    return readdirSync(this.#file(folder))
      .map((name) => ({ iteration: Number(STEP.exec(name)?.[1] ?? Number.NaN), path: this.#file(folder, name) }))
      .filter(({ iteration }) => Number.isSafeInteger(iteration))
      .sort((a, b) => a.iteration - b.iteration);
  }

  #writeStep(folder: StepFolder, iteration: number, bytes: Uint8Array, kept: number, best?: number): StepFile {
    const path = this.#file(folder, `step-${iteration}.safetensors`);
    writeFileAtomic(path, bytes);
    for (const file of this.#steps(folder).slice(0, -kept)) {
      if (file.iteration !== best) rmSync(file.path, { force: true });
    }
    return { iteration, path };
  }
}

function parseLine(text: string): MetricsLine | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === "object" && line !== null && typeof (line as MetricsLine).iteration === "number"
      ? (line as MetricsLine)
      : undefined;
  } catch {
    return undefined;
  }
}
