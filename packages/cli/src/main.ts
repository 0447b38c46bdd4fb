// The command `engram`: finds out what was asked for, and runs it.
import { CommanderError } from "commander";
import { EngramError } from "engram";
import pc from "picocolors";
import { prepareArguments } from "./arguments.js";
import { createProgram } from "./program.js";
import { UsageError } from "./usage.js";

const USAGE = 2;

/** Says what went wrong, without a stack unless it is a defect. @returns the exit code */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE; // the parser has said it
  const known = error instanceof EngramError || error instanceof UsageError || isSystemError(error);
  const text = error instanceof Error ? (known ? error.message : error.stack) : String(error);
  process.stderr.write(`${pc.createColors(pc.isColorSupported && process.stderr.isTTY).red("engram:")} ${text}\n`);
  return error instanceof UsageError ? USAGE : 1;
}

/** A full disk, a folder that may not be written to, …: the message says it all. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === "string";
}

// Whoever read our output (`| head`) is gone: there is nobody left to print for. Training notices by itself and saves first.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return;
    if (stream === process.stdout) process.stderr.write(`engram: standard output can't be written to (${error.message})\n`);
    process.exitCode = 1;
  });
}

try {
  await createProgram().parseAsync(prepareArguments(process.argv.slice(2)), { from: "user" });
} catch (error) {
  process.exitCode = report(error);
}
