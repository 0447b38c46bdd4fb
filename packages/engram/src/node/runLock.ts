/// <reference types="node" />
// A file that says which process trains in a folder, so that a second one keeps out. A process that was killed leaves its file
// behind; whether it still lives is asked of the system.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { CheckpointError } from "../errors.js";

/** What run.lock says. */
export interface LockHolder {
  readonly pid: number;
  /** ISO time. */
  readonly startedAt: string;
  readonly host: string;
}

const LOCK = "run.lock";
/** Clocks are set now and then; a process counts as another one when it began this much after the lock. */
const CLOCK_SLACK_MS = 10_000;

/** Folders locked by this very process. */
const held = new Set<string>();

/** Who trains in a folder now, or undefined. A lock whose process is gone is nobody's. */
export function lockHolder(folder: string): LockHolder | undefined {
  const holder = readLock(folder);
  return holder !== undefined && isAlive(holder, folder) ? holder : undefined;
}

/**
 * Takes a folder for this process, until `unlockRun` or the end of the process.
 * @throws {CheckpointError} when a process trains in it
 */
export function lockRun(folder: string): void {
  for (let attempt = 0; attempt < 3; attempt++) {
    if (createLock(folder)) {
      held.add(folder);
      return;
    }
    const before = lockText(folder);
    const holder = lockHolder(folder);
    if (holder !== undefined) throw inUse(folder, holder);
    removeStale(folder, before);
  }
  throw new CheckpointError(`${folder}: ${join(folder, LOCK)} could not be taken; several processes want it at once`);
}

/** Gives a folder back. Does nothing when this process does not hold it. */
export function unlockRun(folder: string): void {
  if (held.delete(folder)) rmSync(join(folder, LOCK), { force: true });
}

function inUse(folder: string, { pid, host, startedAt }: LockHolder): CheckpointError {
  const where = host === hostname() ? "" : ` on ${host}`;
  const advice = where === "" ? "wait for it or stop it" : `if it is gone, remove ${join(folder, LOCK)}`;
  return new CheckpointError(`${folder}: process ${pid}${where} trains here since ${startedAt}; ${advice}`);
}

/** Makes the lock with its contents in one step, so that none is ever seen half written. @returns false when there is one */
function createLock(folder: string): boolean {
  const lock = join(folder, LOCK);
  const text = JSON.stringify({ pid: process.pid, startedAt: new Date().toISOString(), host: hostname() } satisfies LockHolder);
  const temporary = join(folder, `.${LOCK}.${process.pid}.tmp`);
  try {
    writeFileSync(temporary, text);
    try {
      linkSync(temporary, lock);
    } catch (error) {
      if (isExisting(error)) throw error;
      writeFileSync(lock, text, { flag: "wx" }); // a disk without hard links
    }
    return true;
  } catch (error) {
    if (isExisting(error)) return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

const isExisting = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "EEXIST";

function lockText(folder: string): string {
  try {
    return readFileSync(join(folder, LOCK), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** The lock's contents; undefined when there is none, or one torn by a crash of the whole machine. */
function readLock(folder: string): LockHolder | undefined {
  try {
    const { pid, startedAt, host } = JSON.parse(lockText(folder)) as Partial<LockHolder>;
    return typeof pid === "number" && typeof startedAt === "string" && typeof host === "string" ? { pid, startedAt, host } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Takes the lock of a dead process away. Another process may have done so, and taken the folder, since we looked. */
function removeStale(folder: string, text: string): void {
  const lock = join(folder, LOCK);
  const aside = join(folder, `.${LOCK}.stale.${process.pid}.tmp`);
  try {
    renameSync(lock, aside);
    if (readFileSync(aside, "utf8") !== text) linkSync(aside, lock);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function isAlive({ pid, startedAt, host }: LockHolder, folder: string): boolean {
  if (host !== hostname()) return true; // can't be asked from here
  if (pid === process.pid) return held.has(folder); // else an earlier process of the same number
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // lives, and is somebody else's
  }
  const began = startOfProcess(pid);
  return began === undefined || began < Date.parse(startedAt) + CLOCK_SLACK_MS;
}

/** When a process began, in milliseconds since 1970, where the system says so (Linux): numbers of processes are used again. */
function startOfProcess(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\)/s, "").trim().split(" "); // the name may hold spaces
    const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1];
    const ticks = Number(fields[19]); // hundredths of a second since boot
    return boot === undefined || Number.isNaN(ticks) ? undefined : 1000 * Number(boot) + 10 * ticks;
  } catch {
    return undefined;
  }
}
