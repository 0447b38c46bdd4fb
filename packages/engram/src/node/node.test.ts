/// <reference types="node" />
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CheckpointError } from "../errors.js";
import { readSafetensors, writeSafetensors } from "../files/safetensors.js";
import { RunFolder, writeFileAtomic } from "../node.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "engram-node-"));
});
afterEach(() => {
  chmodSync(folder, 0o755);
  rmSync(folder, { recursive: true, force: true });
});

const bytesOf = (value: number): Uint8Array => writeSafetensors(new Map([["w", { data: Float32Array.of(value), shape: [1] }]]));
const firstValue = (bytes: Uint8Array, source: string) => readSafetensors(bytes, source).tensors.get("w")?.data[0];

describe("writeFileAtomic", () => {
  test("replaces a file and leaves nothing else behind", () => {
    const path = join(folder, "a.txt");
    writeFileAtomic(path, "one");
    writeFileAtomic(path, new TextEncoder().encode("two"));
    expect(readFileSync(path, "utf8")).toBe("two");
    expect(readdirSync(folder)).toEqual(["a.txt"]);
  });

  test("when it fails, the old file stays and no temporary one is left", () => {
    const path = join(folder, "taken");
    mkdirSync(join(path, "inside"), { recursive: true }); // a folder that is not empty can't be replaced by a file
    expect(() => writeFileAtomic(path, "x")).toThrow();
    expect(readdirSync(folder)).toEqual(["taken"]);
    expect(() => writeFileAtomic(join(folder, "missing", "a"), "x")).toThrow(/ENOENT/);
  });
});

describe("run.lock", () => {
  const lock = () => join(folder, "run.lock");
  const write = (holder: object) =>
    writeFileSync(lock(), JSON.stringify({ pid: 1, startedAt: new Date().toISOString(), host: hostname(), ...holder }));
  const run = () => {
    RunFolder.create(folder).unlock();
  };

  test("says who trains, and is gone afterwards", () => {
    const opened = RunFolder.create(folder);
    expect(JSON.parse(readFileSync(lock(), "utf8"))).toEqual({
      pid: process.pid,
      host: hostname(),
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(opened.holder?.pid).toBe(process.pid);
    opened.unlock();
    expect(existsSync(lock())).toBe(false);
    expect(opened.holder).toBeUndefined();
  });

  test("a second run of this process or of another living one is refused", async () => {
    const first = RunFolder.create(folder);
    expect(run).toThrow(CheckpointError);
    expect(run).toThrow(new RegExp(`process ${process.pid} trains here`));
    first.unlock();
    const other = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"], { stdio: "ignore" });
    try {
      write({ pid: other.pid, startedAt: new Date(Date.now() + 1000).toISOString() });
      expect(run).toThrow(new RegExp(`process ${other.pid} trains here`));
    } finally {
      other.kill();
    }
  });

  test("the lock of a process that was killed does not hold", () => {
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    write({ pid: dead });
    run();
    write({ pid: process.pid }); // of an earlier process with our number
    run();
    writeFileSync(lock(), ""); // torn
    run();
    expect(readdirSync(folder).sort()).toEqual(["checkpoints", "memory"]);
  });

  test.runIf(existsSync("/proc/self/stat"))("nor that of a process whose number another one has now", async () => {
    const other = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"], { stdio: "ignore" });
    try {
      write({ pid: other.pid, startedAt: new Date(Date.now() - 60_000).toISOString() });
      run();
    } finally {
      other.kill();
    }
  });

  test("a lock from another machine holds, and the error says what to do", () => {
    write({ host: "elsewhere" });
    expect(run).toThrow(/process 1 on elsewhere .* if it is gone, remove .*run\.lock/);
  });
});

describe("RunFolder", () => {
  let run: RunFolder;
  beforeEach(() => {
    run = RunFolder.create(folder);
    run.writeConfig({ format: 1 });
  });
  afterEach(() => run.unlock());

  test("a folder with a run is not made a new one, a folder without is none", () => {
    run.unlock();
    expect(() => RunFolder.create(folder)).toThrow(/a run in this folder already/);
    expect(existsSync(join(folder, "run.lock"))).toBe(false);
    expect(() => RunFolder.open(join(folder, "memory"))).toThrow(/no run here/);
    expect(RunFolder.open(folder).readConfig()).toEqual({ format: 1 });
    writeFileSync(join(folder, "config.json"), "{");
    expect(() => RunFolder.open(folder).readConfig()).toThrow(CheckpointError);
  });

  test("metrics are read back, without a torn end, and taken back to an iteration", () => {
    expect(run.readMetrics()).toEqual([]);
    for (let iteration = 100; iteration <= 500; iteration += 100) run.appendMetrics({ iteration, loss: 1 / iteration });
    writeFileSync(join(folder, "metrics.jsonl"), '{"iteration":600,"lo', { flag: "a" });
    expect(run.readMetrics().map((line) => line.iteration)).toEqual([100, 200, 300, 400, 500]);
    run.truncateMetrics(300);
    run.appendMetrics({ iteration: 400, loss: 7 });
    expect(run.readMetrics()).toEqual([
      { iteration: 100, loss: 1 / 100 },
      { iteration: 200, loss: 1 / 200 },
      { iteration: 300, loss: 1 / 300 },
      { iteration: 400, loss: 7 },
    ]);
  });

  test("keeps the newest three checkpoints and the best", () => {
    for (let iteration = 100; iteration <= 1000; iteration += 100)
      run.writeCheckpoint(iteration, bytesOf(iteration), Math.min(iteration, 300));
    expect(run.checkpoints().map((file) => file.iteration)).toEqual([300, 800, 900, 1000]);
  });

  test("the newest good checkpoint is found behind broken ones and leftovers", () => {
    for (const iteration of [9, 10, 11, 12]) run.writeCheckpoint(iteration, bytesOf(iteration), 9);
    const [, , eleven, twelve] = run.checkpoints();
    writeFileSync(twelve?.path ?? "", bytesOf(12).subarray(0, 50));
    const flipped = bytesOf(11);
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    writeFileSync(eleven?.path ?? "", flipped);
    writeFileSync(join(folder, "checkpoints", ".step-13.safetensors.77.tmp"), "half");
    const latest = run.latestCheckpoint(firstValue);
    expect(latest).toMatchObject({ iteration: 10, checkpoint: 10 });
    expect(latest.skipped.map(({ error }) => error.message)).toEqual([
      expect.stringContaining("truncated"),
      expect.stringContaining("corrupt"),
    ]);
    run.unlock();
    run.lock();
    expect(readdirSync(join(folder, "checkpoints")).every((name) => /^step-\d+\.safetensors$/.test(name))).toBe(true);
    run.removeAfter(9);
    expect(run.checkpoints().map((file) => file.iteration)).toEqual([9]);
  });

  test("one that is removed by the process that trains, just when it was to be read, is looked for anew", () => {
    for (const iteration of [1, 2]) run.writeCheckpoint(iteration, bytesOf(iteration));
    writeFileSync(run.checkpoints()[1]?.path ?? "", bytesOf(2).subarray(0, 50));
    const latest = run.latestCheckpoint((bytes, source) => {
      if (run.checkpoints().length < 4) for (const iteration of [3, 4, 5]) run.writeCheckpoint(iteration, bytesOf(iteration));
      return firstValue(bytes, source);
    });
    expect(latest).toMatchObject({ iteration: 5, checkpoint: 5, skipped: [] });
  });

  test("no checkpoint at all is an error that says so", () => {
    expect(() => run.latestCheckpoint(firstValue)).toThrow(/no checkpoint to go on from: none was written yet/);
    run.writeCheckpoint(1, Uint8Array.of(1, 2, 3));
    expect(() => run.latestCheckpoint(firstValue)).toThrow(/none can be read.*truncated/);
  });
});
