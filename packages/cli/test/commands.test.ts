import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tiny, Workplace } from "./command.js";

let place: Workplace;
beforeAll(async () => {
  place = new Workplace();
  const { code, stderr } = await place.run("train", "copy", ...tiny, "-iterations", "3", "--quiet", "--out", "my run");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
afterAll(() => place.clear());

describe("the command itself", () => {
  test("prints help without colours, and its version", async () => {
    const [help, version] = await Promise.all([place.run("train", "copy", "-help"), place.run("--version")]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(/^Usage: engram train .*--batch_size <n> .*\nPresets:\n {2}copy --preset quick /s);
    expect(help.stdout).not.toContain("\u001b");
    expect(version).toEqual({ code: 0, stdout: "0.1.0\n", stderr: "" });
  });

  test("what is typed wrong is exit code 2 and nothing on standard output", async () => {
    const [parser, ours, flags] = await Promise.all([
      place.run("train", "copy", "--batchsize", "32"),
      place.run("train", "copy", "--preset", "quik"),
      place.run("train", "copy", "-memory_type", "sam", "-mem_slot", "3"),
    ]);
    expect(parser).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/Did you mean --batch_size/) });
    expect(ours).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/did you mean 'quick'/) });
    expect(flags).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/sparse_reads must be at most mem_slot \(3\), got 10/),
    });
  });

  test("a GPU is asked for in vain, once", async () => {
    const { code, stderr } = await place.run("train", "copy", ...tiny, "-cuda", "0", "-iterations", "1", "--quiet", "--out", "gpu");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "engram: cuda 0: there is no GPU engine, this runs on the CPU\n" });
  });
});

describe("evaluate", () => {
  test("tests a run at its lengths and longer ones, and draws its memory", async () => {
    const { code, stdout } = await place.run("evaluate", "my run");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^copy, DNC after 3 iterations\n/);
    expect(stdout).toMatch(
      /length +bits right +sequences right\n1 to 2, trained .*\n2, trained .*\n4, 2 times .*\n8, 4 times .*\n10, 5 times .*\n20, 10 times/,
    );
    expect(stdout).toContain("where it wrote");
  });

  test("the same sequences for the same seed; JSON for machines", async () => {
    const [one, two, other] = await Promise.all([
      place.run("evaluate", "my run", "--json"),
      place.run("evaluate", "my run", "--json", "--quiet"),
      place.run("evaluate", "my run", "--json", "--seed", "9"),
    ]);
    expect(JSON.parse(one.stdout)).toMatchObject({
      event: "result",
      iteration: 3,
      evaluation: [{ times: 1, lengths: [1, 2] }, { times: 1, lengths: [2, 2] }, {}, {}, {}, {}],
    });
    expect(two.stdout).toBe(one.stdout);
    expect(other.stdout).not.toBe(one.stdout);
    expect(two.stderr).toBe("");
  });

  test("--ablate says what it loses without reads and with half its cells, and keeps it for the dashboard", async () => {
    const { code, stdout } = await place.run("evaluate", "my run", "--ablate", "--quiet");
    expect(code).toBe(0);
    const [scores = "", ablation = ""] = stdout.split("\n\n");
    expect(scores).toBe((await place.run("evaluate", "my run", "--quiet")).stdout.trim());
    expect(ablation).toMatch(
      /^bits right +as is +reads zeroed +half the cells \(2\)\n1 to 2, trained( +[\d.]+ %){3}\n2, trained( +[\d.]+ %){3}\n4, 2 times /,
    );
    expect(ablation).toMatch(/\nIt (does without|needs) its memory: [\d.]+ % of bits right, [\d.]+ % with reads zeroed\.\n$/);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);

    const { iteration, evaluation, ablation: found } = JSON.parse((await place.run("evaluate", "my run", "--ablate", "--json")).stdout);
    expect(found).toEqual(JSON.parse(readFileSync(place.path("my run", "ablation.json"), "utf8")));
    expect(found).toMatchObject({ format: 1, iteration, seed: 1, needed: expect.any(Boolean) });
    expect(found.scores).toHaveLength(18);
    const asIs = found.scores.filter(({ name }: { name: string }) => name === "as is");
    expect(asIs.map(({ accuracy }: { accuracy: number }) => accuracy)).toEqual(
      evaluation.map(({ score }: { score: { accuracy: number } }) => score.accuracy),
    );
    expect(found.scores.slice(0, 3)).toEqual(
      ["as is", "reads zeroed", "half the cells"].map((name) => expect.objectContaining({ name, times: 1, shortest: 1, length: 2 })),
    );
  });

  test("a folder without a run is an error", async () => {
    expect(await place.run("evaluate", "nowhere")).toMatchObject({
      code: 1,
      stderr: "engram: nowhere: no run here (it has no config.json)\n",
    });
  });
});

describe("inspect", () => {
  const file = "my run/checkpoints/step-3.safetensors";

  test("shows what a checkpoint holds", async () => {
    const { code, stdout } = await place.run("inspect", file);
    expect(code).toBe(0);
    expect(stdout).toContain("format: engram-checkpoint");
    expect(stdout).toContain("hiddenSize: 6");
    expect(stdout).toMatch(/lstm_layer_0\.weight_ih_l0 +F32 +24×9 +216\n/);
    expect(stdout).toMatch(/\d+ tensors, [\d,]+ values, [\d.]+ KiB\n$/);
  });

  test("as JSON too", async () => {
    const { stdout } = await place.run("inspect", "--json", file);
    const { metadata, tensors } = JSON.parse(stdout) as { metadata: { config: object }; tensors: object[] };
    expect(metadata.config).toMatchObject({ hiddenSize: 6 });
    expect(tensors[0]).toEqual({ name: "lstm_layer_0.weight_ih_l0", dtype: "F32", shape: [24, 9] });
  });

  test("a foreign file, a folder, nothing at all", async () => {
    expect(await place.run("inspect", "my run/config.json")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/not a safetensors file/),
    });
    expect(await place.run("inspect", "my run")).toMatchObject({ code: 2, stderr: expect.stringMatching(/is a folder/) });
    expect(await place.run("inspect", "nothing")).toMatchObject({ code: 1, stderr: expect.stringMatching(/no such file/) });
    expect(readFileSync(place.path(file)).length).toBeGreaterThan(0);
  });
});

describe("bench", () => {
  test("checks and measures a case, and writes what it measured", async () => {
    const { code, stdout } = await place.run(
      "bench",
      "--case",
      "dnc-step",
      "--quick",
      "--rounds",
      "1",
      "--threads",
      "1",
      "--json",
      "bench.json",
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/\| product .* GFlop\/s/);
    expect(stdout).toMatch(/\| dnc-step /);
    const { cases, sweeps } = JSON.parse(readFileSync(place.path("bench.json"), "utf8"));
    expect(sweeps).toEqual([]);
    const [measured] = cases[0].results;
    expect(measured).toMatchObject({ side: "engram", threads: 1, prepared: { worst: expect.any(Number) } });
    expect(measured.ms.smallest).toBeGreaterThan(0);
  });

  test("names its cases, and the nearest to one it does not have", async () => {
    const [list, unknown] = await Promise.all([place.run("bench", "--list"), place.run("bench", "--case", "dnc-n17")]);
    expect(list.stdout.split("\n")).toEqual(expect.arrayContaining(["dnc-n16", "sam-N"]));
    expect(unknown).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/'dnc-n17'.*did you mean 'dnc-n16'/) });
  });
});
