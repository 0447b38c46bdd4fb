// Runs the built command as a child process, as its users do.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../bin/engram.js", import.meta.url));

export interface Ended {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder of a test's own, in which the command runs. */
export class Workplace {
  readonly folder = mkdtempSync(join(tmpdir(), "engram-cli-"));
  readonly #running = new Set<ChildProcess>();

  /** Starts `engram` with these arguments. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): { child: ChildProcess; ended: Promise<Ended> } {
    return this.#spawn(process.execPath, [BIN, ...args], env);
  }

  /** Runs it to its end. */
  run(...args: string[]): Promise<Ended> {
    return this.start(args).ended;
  }

  /** Runs a line of shell in which `engram` is the command. */
  shell(line: string): Promise<Ended> {
    return this.#spawn("bash", ["-c", `engram() { "${process.execPath}" "${BIN}" "$@"; }; set -o pipefail; ${line}`], {}).ended;
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Ends whatever still runs, and removes the folder. */
  clear(): void {
    for (const child of this.#running) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(command: string, args: readonly string[], env: NodeJS.ProcessEnv): { child: ChildProcess; ended: Promise<Ended> } {
    const { FORCE_COLOR: _, ...inherited } = process.env;
    const child = spawn(command, args, { cwd: this.folder, env: { ...inherited, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    this.#running.add(child);
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) child[name].setEncoding("utf8").on("data", (chunk: string) => (text[name] += chunk));
    const ended = new Promise<Ended>((resolve) => {
      child.on("close", (code) => {
        this.#running.delete(child);
        resolve({ code, ...text });
      });
    });
    return { child, ended };
  }
}

/** Waits until something holds. */
export async function until(holds: () => boolean, what: string, timeoutMs = 30_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; !holds(); ) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Flags of a network that trains in no time. */
export const tiny = "-nhid 6 -nhlayer 1 -mem_slot 4 -mem_size 3 -read_heads 1 -batch_size 4 -sequence_max_length 2 -threads 1".split(" ");
