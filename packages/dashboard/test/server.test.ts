import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { readSafetensors } from "engram/files";
import { RunFolder } from "engram/node";
import { type Dashboard, serveDashboard, startDashboard } from "engram-dashboard/server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RunSummary, SampledMetrics } from "../src/data/api.js";
import { ask, json, trace } from "./requests.js";
import { appendLines, metricsLine, writeSyntheticMemory, writeSyntheticRun } from "./syntheticRun.js";

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(realpathSync(tmpdir()), "engram-dashboard-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a run's folder", () => {
  let folder: string;
  let dashboard: Dashboard;

  beforeEach(async () => {
    folder = mkdtempSync(join(root, "run-"));
    writeSyntheticRun(folder, { lines: 50, memories: [100, 200] });
    dashboard = await serveDashboard({ run: folder });
  });
  afterEach(() => dashboard.close());

  test("is summed up", async () => {
    const summary = await json<RunSummary>(dashboard.url, "/api/runs/0");
    expect(summary).toMatchObject({ index: 0, live: false, lines: 50, memories: [100, 200], ablation: null, problem: null });
    expect(summary.last).toEqual(metricsLine(49, 50));
    expect(summary.config.model?.options?.nrCells).toBe(16);
  });

  test("says how to name it in a shell", async () => {
    expect((await json<RunSummary>(dashboard.url, "/api/runs/0")).path).toBe(folder);
    const odd = join(root, "it's a run");
    writeSyntheticRun(odd, { lines: 0, memories: [] });
    const below = relative("", mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), "run-")));
    writeSyntheticRun(below, { lines: 0, memories: [] });
    const server = await serveDashboard({ run: odd, otherRuns: [below] });
    try {
      const path = async (index: number) => (await json<RunSummary>(server.url, `/api/runs/${index}`)).path;
      expect(execFileSync("sh", ["-c", `printf %s ${await path(0)}`]).toString()).toBe(odd);
      expect(await path(1)).toBe(below);
    } finally {
      await server.close();
      rmSync(below, { recursive: true });
    }
  });

  test("gives the very lines of the metrics while they fit", async () => {
    const { series, iteration, linesPerPoint } = await json<SampledMetrics>(
      dashboard.url,
      "/api/runs/0/metrics?fields=loss,maxLength&points=50",
    );
    expect(linesPerPoint).toBe(1);
    expect(iteration).toEqual(Array.from({ length: 50 }, (_, i) => 100 * (i + 1)));
    expect(series.loss?.mean).toEqual(Array.from({ length: 50 }, (_, i) => metricsLine(i, 50).loss));
  });

  test("gives every line as CSV", async () => {
    const lines = (await ask(dashboard.url, "/api/runs/0/metrics.csv")).body.toString().trim().split("\n");
    expect(lines).toHaveLength(51);
    expect(lines[0]).toMatch(/^iteration,loss,accuracy/);
    expect(lines[50]?.split(",").map(Number)).toEqual(Object.values(metricsLine(49, 50)));
  });

  test("gives rows of tensors to the bit", async () => {
    const { tensors } = readSafetensors(readFileSync(join(folder, "memory", "step-200.safetensors")));
    const { header } = await trace(dashboard.url, "/api/runs/0/memory/200");
    expect(Object.keys(header.tensors).sort()).toEqual([...tensors.keys()].sort());
    expect(header).toMatchObject({ iteration: 200, model: "dnc", task: "copy", cells: null });
    const { body } = await ask(dashboard.url, "/api/runs/0/memory/200/debug.read_weights?from=3&to=5");
    const width = 4 * 16;
    expect([...new Float32Array(body.buffer.slice(body.byteOffset, body.byteOffset + body.length))]).toEqual([
      ...(tensors.get("debug.read_weights")?.data.subarray(3 * width, 5 * width) ?? []),
    ]);
    const all = await ask(dashboard.url, "/api/runs/0/memory/200/input");
    expect(all.body.length).toBe(4 * (tensors.get("input")?.data.length ?? 0));
  });

  test("gives a small memory file whole, of a large one the header alone", async () => {
    const { tensors } = readSafetensors(readFileSync(join(folder, "memory", "step-200.safetensors")));
    const whole = await trace(dashboard.url, "/api/runs/0/memory/200");
    expect(whole.tensors?.size).toBe(tensors.size);
    for (const [name, { data }] of tensors) expect(whole.tensors?.get(name), name).toEqual(data);
    writeSyntheticMemory(folder, 300, { cells: 128 });
    const large = await trace(dashboard.url, "/api/runs/0/memory/300");
    expect([large.header.tensors["debug.link_matrix"], large.tensors]).toEqual([[17, 128 * 128], undefined]);
  });

  test("gives several tensors at once, one after the other", async () => {
    const whole = async (names: string) => (await ask(dashboard.url, `/api/runs/0/memory/200/whole?names=${names}`)).body;
    const one = async (name: string) => (await ask(dashboard.url, `/api/runs/0/memory/200/${name}`)).body;
    expect(await whole("debug.usage_vector,input,mask")).toEqual(
      Buffer.concat([await one("debug.usage_vector"), await one("input"), await one("mask")]),
    );
    const status = async (names: string) => (await ask(dashboard.url, `/api/runs/0/memory/200/whole?names=${names}`)).status;
    expect(await status("input,debug.nothing")).toBe(404);
    expect(await status("")).toBe(404);
    expect(await status("../config.json,input")).toBe(404);
    expect(await status(Array(33).fill("input").join(","))).toBe(400);
  });

  test("of a large memory gives the cells that were used, and says which", async () => {
    writeSyntheticMemory(folder, 300, { model: "sam", cells: 5000, cellSize: 3, heads: 2, length: 6 });
    const { header } = await trace(dashboard.url, "/api/runs/0/memory/300");
    expect(header.cells).toEqual(Array.from({ length: 16 }, (_, cell) => cell));
    const { body } = await ask(dashboard.url, "/api/runs/0/memory/300/debug.write_weights?from=0&to=2");
    expect(
      [...new Float32Array(body.buffer.slice(body.byteOffset, body.byteOffset + body.length))].map((x) => Number(x.toFixed(2))),
    ).toEqual(Array.from({ length: 32 }, (_, i) => (i === 0 || i === 17 ? 0.95 : 0)));
  });

  test("is followed: metrics that grow, are cut in the middle of a line, or are written anew", async () => {
    const lines = async () => (await json<RunSummary>(dashboard.url, "/api/runs/0")).lines;
    appendLines(folder, 50, 3);
    appendFileSync(join(folder, "metrics.jsonl"), '{"iteration":54');
    expect(await lines()).toBe(53);
    appendFileSync(join(folder, "metrics.jsonl"), '00,"loss":0.5}\n');
    expect(await lines()).toBe(54);
    writeFileSync(join(folder, "anew"), '{"iteration":100,"loss":1}\n');
    renameSync(join(folder, "anew"), join(folder, "metrics.jsonl"));
    expect(await lines()).toBe(1);
    writeFileSync(join(folder, "metrics.jsonl"), '{"iteration":1,"loss":1}\n{"iteration":2,"loss":0.5}\n'); // in place, and longer
    expect(await lines()).toBe(2);
    rmSync(join(folder, "metrics.jsonl"));
    expect(await lines()).toBe(0);
  });

  test("that is broken says so, or shows as empty, and the server lives on", async () => {
    writeFileSync(join(folder, "memory", "step-400.safetensors"), "no such thing");
    const broken = await ask(dashboard.url, "/api/runs/0/memory/400");
    expect([broken.status, broken.body.toString()]).toEqual([409, expect.stringContaining("step-400.safetensors")]);
    writeFileSync(join(folder, "config.json"), "{");
    writeFileSync(join(folder, "ablation.json"), '{"scores":[{"name":"as is"},{"name":"reads zeroed","length":8,"accuracy":0.5}]}');
    const summary = await json<RunSummary>(dashboard.url, "/api/runs/0");
    expect(summary.problem).toBe("config.json can't be read");
    expect(summary.ablation?.scores).toEqual([{ name: "reads zeroed", length: 8, accuracy: 0.5 }]);
  });

  test("a memory that is no longer kept, another tensor, another run: 404; nonsense: 400", async () => {
    for (const path of [
      "/api/runs/0/memory/1",
      "/api/runs/0/memory/200/debug.nothing",
      "/api/runs/1",
      "/api/runs/1/metrics",
      "/api/runs",
      "/api",
    ]) {
      expect((await ask(dashboard.url, path)).status, path).toBe(404);
    }
    for (const query of ["from=0.5", "to=1.5", "from=1e3", "to=-1"]) {
      expect((await ask(dashboard.url, `/api/runs/0/memory/200/input?${query}`)).status, query).toBe(400);
    }
    for (const query of ["points=x", "from=-1", "to=1e9", "smoothing=NaN", "points=0x10"]) {
      expect((await ask(dashboard.url, `/api/runs/0/metrics?${query}`)).status, query).toBe(400);
    }
  });

  test("the same number asked for a thousand times is sent once, and unknown ones not at all", async () => {
    const fields = ["__proto__", "constructor", ...Array(1000).fill("loss"), "nothing"].join(",");
    const { series } = await json<SampledMetrics>(dashboard.url, `/api/runs/0/metrics?fields=${fields}&points=999999999999999`);
    expect(Object.keys(series)).toEqual(["loss"]);
    const { iteration } = await json<SampledMetrics>(dashboard.url, "/api/runs/0/metrics?points=0&from=900&to=100");
    expect(iteration).toEqual([]);
  });

  test("streams of events that nobody closes leave room for the others", async () => {
    const { port, host } = new URL(dashboard.url);
    const streams = Array.from({ length: 100 }, () => {
      const stream = connect(Number(port), "127.0.0.1")
        .on("error", () => undefined)
        .resume();
      stream.write(`GET /api/events HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      return stream;
    });
    // Those over the number of connections are turned away at first, and let in once the oldest streams have ended.
    await expect.poll(() => streams.filter(({ destroyed }) => destroyed).length, { timeout: 5000 }).toBeGreaterThanOrEqual(32);
    await expect
      .poll(
        () =>
          ask(dashboard.url, "/api/runs/0")
            .then(({ status }) => status)
            .catch(() => 0),
        { timeout: 5000 },
      )
      .toBe(200);
    for (const stream of streams) stream.destroy();
  });

  test("pages are told of changes, those that don't listen hold nobody up", async () => {
    const { port } = new URL(dashboard.url);
    const deaf = connect(Number(port), "127.0.0.1");
    deaf.write(`GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    deaf.pause();
    const controller = new AbortController();
    const response = await fetch(`${dashboard.url}api/events`, { signal: controller.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let heard = "";
    const until = async (text: string) => {
      while (!heard.includes(text)) heard += decoder.decode((await reader.read()).value, { stream: true });
    };
    const change = 'event: run\ndata: {"index":0,"live":false}\n\n';
    await until(change);
    for (const act of [() => appendLines(folder, 50, 1), () => writeSyntheticMemory(folder, 900)]) {
      heard = "";
      act();
      await until(change);
    }
    const holder = RunFolder.open(folder);
    holder.lock();
    await until('"live":true');
    holder.unlock();
    heard = "";
    await until('"live":false');
    controller.abort();
    deaf.destroy();
  });
});

describe("the page's own files", () => {
  test("are served by name with a policy that lets nothing else in", async () => {
    const folder = join(root, "page");
    writeSyntheticRun(folder);
    const server = await serveDashboard({ run: folder });
    const own = `http://${new URL(server.url).host.replace("127.0.0.1", "localhost")}`;
    const { status, headers, body } = await ask(server.url, "/", { host: new URL(own).host, origin: own });
    expect(status).toBe(200);
    expect(headers["content-security-policy"]).toMatch(/default-src 'none'; script-src 'self' 'wasm-unsafe-eval'/);
    expect(headers["content-security-policy"]).not.toMatch(/'unsafe-(inline|eval)'|blob:|\*/);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    for (const path of ["/api/runs/0", "/api/runs/0/metrics", "/api/runs/0/memory/1", "/nothing"]) {
      expect((await ask(server.url, path)).headers, path).toMatchObject({
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "content-security-policy": headers["content-security-policy"],
      });
    }
    for (const [, path] of body.toString().matchAll(/(?:src|href)="\.(\/assets\/[^"]+)"/g)) {
      expect((await ask(server.url, path as string)).status, path).toBe(200);
    }
    expect((await ask(server.url, "/playground.html")).status).toBe(200);
    expect((await ask(server.url, "/", {}, "HEAD")).body.length).toBe(0);
    await server.close();
  });
});

describe("starting", () => {
  test("where there is no run: says so", async () => {
    await expect(serveDashboard({ run: join(root, "other") })).rejects.toThrow(/no run here/);
    await expect(startDashboard({ run: join(root, "other") })).rejects.toThrow(/no run here/);
  });

  test("on a port that is taken: says so", async () => {
    const folder = join(root, "taken");
    writeSyntheticRun(folder);
    const first = await serveDashboard({ run: folder });
    await expect(serveDashboard({ run: folder, port: Number(new URL(first.url).port) })).rejects.toThrow(/EADDRINUSE/);
    await first.close();
  });

  test("in the background: serves while this thread is busy, and closes", async () => {
    const folder = join(root, "background");
    writeSyntheticRun(folder, { lines: 5 });
    const other = join(root, "background-2");
    writeSyntheticRun(other, { lines: 6 });
    const server = await startDashboard({ run: folder, otherRuns: [other] });
    expect((await json<RunSummary>(server.url, "/api/runs/0")).lines).toBe(5);
    expect((await json<RunSummary>(server.url, "/api/runs/1")).lines).toBe(6);
    await server.close();
    await expect(ask(server.url, "/")).rejects.toThrow();
  });
});
