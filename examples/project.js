// An empty project beside the built packages, for tests that run programs as their users would.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

export class Project {
  folder = mkdtempSync(join(tmpdir(), "engram-project-"));

  constructor() {
    if (!existsSync(join(root, "packages/engram/dist/worker.js"))) throw new Error("there is no built package: npm run build first");
    mkdirSync(join(this.folder, "node_modules"));
    symlinkSync(join(root, "packages/engram"), join(this.folder, "node_modules/engram"), "junction");
  }

  /** Runs Node on a program; gives what it printed. */
  node(...args) {
    return run(process.execPath, args, this.folder);
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What a command printed; an error with all of it when it fails. */
export function run(command, args, cwd) {
  const { FORCE_COLOR: _, ...env } = process.env;
  const child = spawn(command, args, { cwd, env: { ...env, NO_COLOR: "1" }, stdio: ["ignore", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (chunk) => (text[name] += chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(text.stdout);
      else reject(new Error(`${command} ${args.join(" ")} ended with code ${code}\n${text.stdout}\n${text.stderr}`));
    });
  });
}
