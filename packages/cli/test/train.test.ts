import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { loadModel, readSafetensors } from "engram/files";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tiny, until, Workplace } from "./command.js";

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place.clear());

const checkpoint = (run: string, iteration: number) => readFileSync(place.path(run, "checkpoints", `step-${iteration}.safetensors`));
const json = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
/** Metrics without what depends on the clock. */
const metrics = (run: string) =>
  json(readFileSync(place.path(run, "metrics.jsonl"), "utf8")).map(({ iterationsPerSecond: _, seconds: __, ...rest }) => rest);

describe("a run", () => {
  test("leaves config, metrics, checkpoints and memory files, and no lock", async () => {
    const { code, stdout } = await place.run(
      "train",
      "copy",
      ...tiny,
      "-iterations",
      "40",
      "-summarize_freq",
      "10",
      "-check_freq",
      "20",
      "--out",
      "r",
    );
    expect(code).toBe(0);
    expect(readdirSync(place.path("r")).sort()).toEqual(["checkpoints", "config.json", "memory", "metrics.jsonl"]);
    expect(readdirSync(place.path("r", "checkpoints")).sort()).toEqual(["step-20.safetensors", "step-40.safetensors"]);
    const config = JSON.parse(readFileSync(place.path("r", "config.json"), "utf8")) as Record<string, unknown>;
    expect(config).toMatchObject({
      format: 1,
      task: { name: "copy", maxLength: 2, inputSize: 6, outputSize: 5 },
      model: { type: "dnc", options: { hiddenSize: 6, nrCells: 4, cellSize: 3, numHiddenLayers: 1, clip: 20, seed: 1 } },
      training: { nhid: 6, mem_slot: 4, batch_size: 4, iterations: 40, lr: 1e-3, clip: 50, optim: "adam" },
    });
    expect(metrics("r").map(({ iteration }) => iteration)).toEqual([10, 20, 30, 40]);
    expect(metrics("r")[0]).toEqual({
      iteration: 10,
      loss: expect.closeTo(0.69, 1),
      gradNorm: expect.any(Number),
      learningRate: 1e-3,
      accuracy: expect.any(Number),
      sequenceAccuracy: expect.any(Number),
      maxLength: 2,
    });
    const { tensors, metadata } = readSafetensors(readFileSync(place.path("r", "memory", "step-40.safetensors")));
    expect(metadata).toMatchObject({ model: "dnc", task: "copy", iteration: "40" });
    expect(tensors.get("debug.write_weights")?.shape).toEqual([5, 4]);
    expect(tensors.get("input")?.shape).toEqual([5, 6]);
    for (const name of ["target", "output", "mask"]) expect(tensors.get(name)?.shape).toEqual([5, 5]);
    expect(loadModel(checkpoint("r", 40)).config.hiddenSize).toBe(6);
    expect(stdout).toMatch(/copy ended after 40 iterations/);
    expect(stdout).toMatch(/1 to 2, trained +\d+\.\d %/);
    expect(stdout).toMatch(/20, 10 times/);
    expect(stdout).toMatch(/│[ ░▒▓█]{5}│/);
  });

  test("the same seed gives the same bytes, whatever the number of threads; another seed others", async () => {
    const flags = ["train", "copy", ...tiny, "-iterations", "20", "-batch_size", "10", "--quiet"];
    await Promise.all([
      place.run(...flags, "--out", "a"),
      place.run(...flags, "--out", "b", "--threads", "2"),
      place.run(...flags, "--out", "c", "--seed", "2"),
    ]);
    expect(checkpoint("b", 20).equals(checkpoint("a", 20))).toBe(true);
    expect(checkpoint("c", 20).equals(checkpoint("a", 20))).toBe(false);
  });

  test("adding and argmax, SAM too", async () => {
    const small = ["-iterations", "4", "-sequence_max_length", "3", "-sparse_reads", "2", "--json", "--quiet"];
    const [adding, argmax] = await Promise.all([
      place.run("train", "adding", ...tiny, ...small, "-memory_type", "sam", "--out", "r1"),
      place.run("train", "argmax", ...tiny, ...small, "-optim", "rmsprop", "--out", "r2"),
    ]);
    for (const { code, stdout } of [adding, argmax]) {
      expect(code).toBe(0);
      const result = json(stdout).at(-1) as { evaluation: { times: number; lengths: number[]; score: object }[] };
      expect(result).toMatchObject({ event: "result", iteration: 4, solved: false });
      expect(result.evaluation.map(({ times, lengths }) => [times, ...lengths])).toEqual([
        [1, 2, 3],
        [1, 3, 3],
        [2, 6, 6],
        [4, 12, 12],
        [5, 15, 15],
        [10, 30, 30],
      ]);
      expect(Object.keys(result.evaluation[0]?.score ?? {})).toEqual(["accuracy", "meanAbsoluteError", "relativeError"]);
    }
  });

  test("a memory of millions of cells is trained and tested, and not written out to be drawn", async () => {
    const large = [...tiny, "-memory_type", "sam", "-mem_slot", String(2 ** 24), "-mem_size", "32", "-iterations", "1", "--out", "r"];
    const { code, stdout } = await place.run("train", "copy", ...large);
    expect(code).toBe(0);
    expect(stdout).toContain("20, 10 times");
    expect(stdout).not.toContain("│");
    expect(readdirSync(place.path("r", "memory"))).toEqual([]);
  });

  test("stops when solved, and not before", async () => {
    const easy = [
      "-input_size",
      "2",
      "-sequence_max_length",
      "1",
      "-lr",
      "0.03",
      "-nhid",
      "16",
      "-batch_size",
      "16",
      "-summarize_freq",
      "20",
    ];
    const { stdout } = await place.run(
      "train",
      "copy",
      ...tiny,
      ...easy,
      "-iterations",
      "3000",
      "--stop_when_solved",
      "--json",
      "--out",
      "r",
    );
    const result = json(stdout).at(-1) as { solved: boolean; iteration: number; evaluation: { score: { accuracy: number } }[] };
    expect(result.solved).toBe(true);
    expect(result.iteration).toBeLessThan(3000);
    expect(result.evaluation[0]?.score.accuracy).toBe(1);
    expect(checkpoint("r", result.iteration).length).toBeGreaterThan(0);
  });

  test("a curriculum grows the longest sequence", async () => {
    const flags = ["-curriculum_increment", "2", "-curriculum_freq", "10", "-summarize_freq", "10", "--quiet"];
    await place.run("train", "copy", ...tiny, ...flags, "-iterations", "30", "--out", "r");
    expect(metrics("r").map(({ maxLength }) => maxLength)).toEqual([4, 6, 8]);
  });
});

describe("going on", () => {
  const flags = [
    "-summarize_freq",
    "8",
    "-check_freq",
    "10",
    "-curriculum_increment",
    "1",
    "-curriculum_freq",
    "15",
    "-dropout",
    "0.2",
    "--quiet",
  ];

  test("in two parts gives the bytes and the metrics of one", async () => {
    await Promise.all([
      place.run("train", "copy", ...tiny, ...flags, "-iterations", "40", "--out", "whole"),
      place.run("train", "copy", ...tiny, ...flags, "-iterations", "20", "--out", "parts"),
    ]);
    writeFileSync(place.path("parts", "metrics.jsonl"), '{"iteration":24,"loss":9}\n{"iter', { flag: "a" }); // left by a kill
    const { code } = await place.run("train", "--resume", "parts", "-iterations", "40", "--quiet");
    expect(code).toBe(0);
    const weights = (run: string) => readSafetensors(checkpoint(run, 40)).tensors;
    expect([...weights("parts")]).toEqual([...weights("whole")]);
    const scheduled = (run: string) => metrics(run).filter(({ iteration }) => iteration === 32 || iteration === 40);
    expect(scheduled("parts")).toEqual(scheduled("whole"));
    expect(metrics("parts").map(({ iteration }) => iteration)).toEqual([8, 16, 20, 32, 40].toSpliced(3, 0, 24));
  });

  test("Ctrl-C saves and says how to go on, and what follows is as if nothing had happened", async () => {
    const endless = ["train", "copy", ...tiny, ...flags];
    const { child, ended } = place.start([...endless, "-iterations", "100000", "--out", "r"]);
    await until(() => existsSync(place.path("r", "checkpoints", "step-20.safetensors")), "the second checkpoint");
    child.kill("SIGINT");
    const { code, stdout } = await ended;
    expect(code).toBe(130);
    const [, iterations] = /stopped after iteration ([\d,]+)/.exec(stdout) ?? [];
    expect(stdout).toContain("engram train --resume r");
    expect(existsSync(place.path("r", "run.lock"))).toBe(false);
    const stop = Math.ceil((Number(iterations?.replace(",", "")) + 1) / 40) * 40;
    await Promise.all([
      place.run("train", "--resume", "r", "-iterations", String(stop), "--quiet"),
      place.run(...endless, "-iterations", String(stop), "--out", "whole"),
    ]);
    expect(checkpoint("r", stop).equals(checkpoint("whole", stop))).toBe(true);
    expect(metrics("r")).toEqual(metrics("whole"));
  });

  // One at the same time, as when a long step keeps the process from hearing either; and one that means it.
  test.each([0, 500])("a second Ctrl-C %i ms after the first loses nothing", async (after) => {
    const slow = ["-nhid", "64", "-batch_size", "100", "-sequence_max_length", "40", "-check_freq", "1000", "-summarize_freq", "1"];
    const { child, ended } = place.start(["train", "copy", ...tiny, ...slow, "-iterations", "100000", "--out", "r"]);
    await until(() => existsSync(place.path("r", "metrics.jsonl")), "the first summary");
    child.kill("SIGINT");
    setTimeout(() => child.kill("SIGINT"), after);
    const { code } = await ended;
    expect([130, null]).toContain(code); // null: the second came when it had already come to its end
    expect(readdirSync(place.path("r", "checkpoints"))).toHaveLength(1);
    expect(existsSync(place.path("r", "run.lock"))).toBe(false);
    expect((await place.run("train", "--resume", "r", "-iterations", "1", "--quiet")).code).toBe(0);
  });

  test("a run that is done says how many iterations would be more", async () => {
    await place.run("train", "copy", ...tiny, "-iterations", "6", "--quiet", "--out", "r");
    const { code, stdout } = await place.run("train", "--resume", "r", "-iterations", "2");
    expect(code).toBe(0);
    expect(stdout).toContain("It has done its 2 iterations; --iterations 12 would go on.");
  });

  test("after kills at any moment", async () => {
    const run = ["train", "copy", ...tiny, "-check_freq", "3", "-summarize_freq", "3", "--quiet"];
    const first = place.start([...run, "-iterations", "1000000", "--out", "r"]);
    await until(() => existsSync(place.path("r", "config.json")), "the run");
    for (let kill = 0, { child, ended } = first; kill < 6; kill++) {
      await new Promise((resolve) => setTimeout(resolve, (kill * 97) % 400));
      child.kill("SIGKILL");
      await ended;
      ({ child, ended } = place.start(["train", "--resume", "r", "-iterations", kill === 5 ? "3" : "1000000", "--quiet"]));
      if (kill === 5) expect((await ended).code).toBe(0);
    }
    const iterations = metrics("r").map(({ iteration }) => iteration as number);
    expect(iterations).toEqual(iterations.map((_, i) => 3 * (i + 1)));
  });

  test("a broken newest checkpoint is skipped, and said so", async () => {
    await place.run("train", "copy", ...tiny, "-iterations", "20", "-check_freq", "10", "--quiet", "--out", "r");
    writeFileSync(place.path("r", "checkpoints", "step-20.safetensors"), checkpoint("r", 20).subarray(0, 3000));
    const { code, stderr } = await place.run("train", "--resume", "r", "--quiet");
    expect(code).toBe(0);
    expect(stderr).toMatch(/skipped .*step-20\.safetensors: truncated/);
    expect(readSafetensors(checkpoint("r", 20)).tensors.size).toBeGreaterThan(0);
  });

  test("what would make it another run is refused", async () => {
    await place.run("train", "copy", ...tiny, "-iterations", "2", "--quiet", "--out", "r");
    expect(await place.run("train", "--resume", "r", "-nhid", "7")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--nhid 7: this run has 6/),
    });
    expect(await place.run("train", "adding", "--resume", "r")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/learns copy, not adding/),
    });
    expect(await place.run("train", "copy", "--out", "r")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/a run in this folder already/),
    });
  });

  test("a second process is refused while one trains", async () => {
    const { child, ended } = place.start(["train", "copy", ...tiny, "-iterations", "1000000", "--quiet", "--out", "r"]);
    await until(() => existsSync(place.path("r", "checkpoints", "step-100.safetensors")), "a checkpoint");
    expect(await place.run("train", "--resume", "r")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`process ${child.pid} trains here`),
    });
    child.kill("SIGTERM");
    expect((await ended).code).toBe(143);
  });
});

describe("trouble", () => {
  test("a loss that diverges stops the run by name, and the last good checkpoint stays", async () => {
    const wild = ["-optim", "sgd", "-lr", "1e30", "-clip", "0", "-check_freq", "1", "-summarize_freq", "1", "-sequence_max_length", "5"];
    const { code, stderr } = await place.run("train", "adding", ...tiny, ...wild, "--quiet", "--out", "r");
    expect(code).toBe(1);
    expect(stderr).toMatch(/step \d+: the (loss is|gradient|weight).*\nThe last checkpoint: .*step-\d+\.safetensors\n$/);
    const kept = readdirSync(place.path("r", "checkpoints")).map((name) => Number(/\d+/.exec(name)?.[0]));
    const last = readSafetensors(checkpoint("r", Math.max(...kept)));
    for (const { data } of last.tensors.values()) expect(data.every((value) => Number.isFinite(value))).toBe(true);
    expect(existsSync(place.path("r", "run.lock"))).toBe(false);
  });

  test("a reader that goes away ends it cleanly", async () => {
    const { code, stdout, stderr } = await place.shell(
      `engram train copy ${tiny.join(" ")} -iterations 1000000 -summarize_freq 5 --json --out r | head -2`,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringMatching(/Error|EPIPE/) });
    expect(json(stdout).map(({ event }) => event)).toEqual(["start", "summary"]);
    expect(readdirSync(place.path("r", "checkpoints")).length).toBeGreaterThan(0);
    expect(existsSync(place.path("r", "run.lock"))).toBe(false);
  });

  test("the same for people's output", async () => {
    const { code, stdout, stderr } = await place.shell(`engram train copy ${tiny.join(" ")} -iterations 1000000 --out r | head -1`);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^copy: DNC with 4 cells of 3, [\d,]+ weights\n$/),
      stderr: "",
    });
    expect(readdirSync(place.path("r", "checkpoints")).length).toBeGreaterThan(0);
  });

  test("output that can't be written ends it in order, saved, with an error", async () => {
    writeFileSync(place.path("file"), "");
    const { code, stderr } = await place.shell(`engram train copy ${tiny.join(" ")} -iterations 1000000 --out r 1< file`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^engram: standard output can't be written to \(E.*\)\n$/);
    expect(readdirSync(place.path("r", "checkpoints")).length).toBeGreaterThan(0);
    expect(existsSync(place.path("r", "run.lock"))).toBe(false);
  });

  test("a folder that can't be is said in one line", async () => {
    writeFileSync(place.path("file"), "");
    const { code, stderr } = await place.run("train", "copy", ...tiny, "--out", "file/r");
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(/^engram: file\/r: can't be written to \(E[A-Z]+: .*file/);
  });

  test("a run that can't go on for want of room says which, and is as it was", async () => {
    await place.run("train", "copy", ...tiny, ..."-iterations 10 -summarize_freq 1 -check_freq 5 --out r".split(" "));
    const before = readFileSync(place.path("r", "metrics.jsonl"), "utf8");
    // A limit on the size of files stands for a full disk: the lock still fits, the metrics do not.
    const { code, stderr } = await place.shell("ulimit -f 1 && engram train --resume r -iterations 20");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^engram: \S*r: can't be written to \(E[A-Z]+: .*\)\n$/);
    expect(readFileSync(place.path("r", "metrics.jsonl"), "utf8")).toBe(before);
    expect(existsSync(place.path("r", "run.lock"))).toBe(false);
  });
});
