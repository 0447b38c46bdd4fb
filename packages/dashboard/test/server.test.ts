import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { readSafetensors } from "engram/files";
import { type Dashboard, serveDashboard, startDashboard } from "engram-dashboard/server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RunSummary, SampledMetrics, TraceHeader } from "../src/data/api.js";
import { appendLines, metricsLine, writeSyntheticMemory, writeSyntheticRun } from "./syntheticRun.js";

const SECRET = "not for the page";
let root: string;

beforeAll(() => {
  root = mkdtempSync(join(realpathSync(tmpdir()), "engram-dashboard-"));
  writeFileSync(join(root, "secret.txt"), SECRET);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: Buffer;
}

/** Sends a path exactly as it is written; fetch would tidy it up. */
function ask(url: string, path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  const { hostname, port, host } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: { host, ...headers }, setHost: false, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** Sends bytes as they are. @returns the status of the answer; NaN where the connection ends without one */
function statusOf(url: string, text: string): Promise<number> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.setEncoding("latin1").on("data", (piece: string) => {
      answer += piece;
      if (answer.includes("\r\n")) socket.destroy();
    });
    socket.on("error", () => undefined).on("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? Number.NaN)));
    socket.write(text);
  });
}

async function json<T>(url: string, path: string): Promise<T> {
  const { status, body } = await ask(url, path);
  expect(status, path).toBe(200);
  return JSON.parse(body.toString()) as T;
}

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
    const header = await json<TraceHeader>(dashboard.url, "/api/runs/0/memory/200");
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
    const { cells } = await json<TraceHeader>(dashboard.url, "/api/runs/0/memory/300");
    expect(cells).toEqual(Array.from({ length: 16 }, (_, cell) => cell));
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
    await until('"lines":50');
    appendLines(folder, 50, 1);
    await until('"lines":51');
    writeSyntheticMemory(folder, 900);
    await until("[100,200,900]");
    controller.abort();
    deaf.destroy();
  });
});

describe("what the server refuses", () => {
  let folder: string;
  let dashboard: Dashboard;
  let host: string;

  beforeAll(async () => {
    folder = join(root, "guarded");
    mkdirSync(join(root, "other"), { recursive: true });
    writeSyntheticRun(folder, { memories: [100] });
    writeFileSync(join(folder, "private.txt"), SECRET);
    dashboard = await serveDashboard({ run: folder });
    host = new URL(dashboard.url).host;
  });
  afterAll(() => dashboard.close());

  const tricks = [
    "/../secret.txt",
    "/../../../../../../../../etc/passwd",
    "/assets/../../../secret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "/%2e%2e/secret.txt",
    "/%2e%2e%2fsecret.txt",
    "/%252e%252e%252fsecret.txt",
    "/..%5csecret.txt",
    "/..\\secret.txt",
    "/.%2e/secret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/assets/%00",
    "/index.html%00.txt",
    "/private.txt",
    "/config.json",
    "/metrics.jsonl",
    "/node/server/index.js",
    "/package.json",
    "/api/runs/0/private.txt",
    "/api/runs/0/../../secret.txt",
    "/api/runs/0/memory/../config.json",
    "/api/runs/0/memory/..%2fconfig.json",
    "/api/runs/0/memory/100/..%2f..%2fconfig.json",
    "/api/runs/0/memory/100/../../../secret.txt",
    "/api/runs/-1",
    "/api/runs/0x0",
    "/api/runs/__proto__",
    "/api/runs/0/memory/1e2",
    "/api/runs/0/memory/100/__proto__",
    "/api/runs/0/memory/100/constructor",
    "//etc/passwd",
    "/.git/config",
    "/%",
  ];
  test.each(tricks)("the path %s", async (path) => {
    const { status, body } = await ask(dashboard.url, path);
    expect([400, 404]).toContain(status);
    expect(body.toString()).not.toContain(SECRET);
    expect(body.length).toBeLessThan(100);
  });

  test("addresses that are no path", async () => {
    for (const path of [`http://${host}/`, "http://example.org/", "*", "index.html"]) {
      expect((await ask(dashboard.url, path)).status, path).toBe(400);
    }
  });

  test("symbolic links that lead elsewhere, as a file or a folder on the way", async () => {
    const linked = join(root, "linked");
    writeSyntheticRun(linked, { lines: 1, memories: [1] });
    const elsewhere = join(root, "elsewhere");
    writeSyntheticRun(elsewhere, { lines: 7, memories: [5] });
    rmSync(join(linked, "metrics.jsonl"));
    symlinkSync(join(elsewhere, "metrics.jsonl"), join(linked, "metrics.jsonl"));
    writeFileSync(join(elsewhere, "ablation.json"), '{"scores":[]}');
    symlinkSync(join(elsewhere, "ablation.json"), join(linked, "ablation.json"));
    symlinkSync(join(elsewhere, "memory", "step-5.safetensors"), join(linked, "memory", "step-5.safetensors"));
    const server = await serveDashboard({ run: linked });
    try {
      expect(await json<RunSummary>(server.url, "/api/runs/0")).toMatchObject({ lines: 0, ablation: null });
      expect((await ask(server.url, "/api/runs/0/memory/5")).status).toBe(404);
      expect((await ask(server.url, "/api/runs/0/memory/1")).status).toBe(200);
      rmSync(join(linked, "memory"), { recursive: true });
      symlinkSync(join(elsewhere, "memory"), join(linked, "memory"));
      expect((await ask(server.url, "/api/runs/0/memory/5")).status).toBe(404);
      expect((await json<RunSummary>(server.url, "/api/runs/0")).memories).toEqual([]);
    } finally {
      await server.close();
    }
  });

  test("pipes and folders under the name of a file", async () => {
    const odd = join(root, "odd");
    writeSyntheticRun(odd, { lines: 0, memories: [] });
    rmSync(join(odd, "metrics.jsonl"), { force: true });
    execFileSync("mkfifo", [join(odd, "metrics.jsonl"), join(odd, "memory", "step-1.safetensors")]);
    mkdirSync(join(odd, "memory", "step-2.safetensors"));
    mkdirSync(join(odd, "ablation.json"));
    const server = await serveDashboard({ run: odd });
    expect(await json<RunSummary>(server.url, "/api/runs/0")).toMatchObject({ lines: 0, ablation: null });
    expect((await ask(server.url, "/api/runs/0/memory/1")).status).toBe(404);
    expect((await ask(server.url, "/api/runs/0/memory/2")).status).toBe(404);
    await server.close();
  });

  test("a run folder that is itself reached by a link is fine", async () => {
    symlinkSync(folder, join(root, "alias"));
    const server = await serveDashboard({ run: join(root, "alias") });
    expect((await ask(server.url, "/api/runs/0/memory/100")).status).toBe(200);
    await server.close();
  });

  test.each(["example.org", "127.0.0.1", "localhost:1", "127.0.0.1.example.org", "0.0.0.0", "[::1]", "evil.example@127.0.0.1", ""])(
    "the host '%s'",
    async (name) => {
      expect((await ask(dashboard.url, "/", { host: name })).status).toBe(421);
      expect((await ask(dashboard.url, "/api/runs/0", { host: name })).status).toBe(421);
    },
  );

  test.each(["http://example.org", "null", "https://127.0.0.1", "http://127.0.0.1:1", "http://localhost.example.org", ""])(
    "the origin '%s'",
    async (origin) => {
      const { status, headers } = await ask(dashboard.url, "/api/runs/0", { origin });
      expect(status).toBe(403);
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    },
  );

  test("requests that a page of another site makes, but not following a link from there", async () => {
    const from = (site: string, mode: string) => ask(dashboard.url, "/", { "sec-fetch-site": site, "sec-fetch-mode": mode });
    expect((await from("cross-site", "no-cors")).status).toBe(403);
    expect((await from("same-site", "cors")).status).toBe(403);
    expect((await from("cross-site", "navigate")).status).toBe(200);
    expect((await from("same-origin", "cors")).status).toBe(200);
  });

  test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])("the method %s", async (method) => {
    expect((await ask(dashboard.url, "/api/runs/0", {}, method)).status).toBe(405);
  });

  test.each([
    ["two hosts, ours first", "GET / HTTP/1.1\r\nHost: OURS\r\nHost: example.org\r\n\r\n", 421],
    ["two hosts, ours last", "GET / HTTP/1.1\r\nHost: example.org\r\nHost: OURS\r\n\r\n", 421],
    ["no host", "GET / HTTP/1.0\r\n\r\n", 421],
    ["a host that ends in a dot", "GET / HTTP/1.1\r\nHost: OURS.\r\n\r\n", 421],
    ["two origins, ours first", "GET / HTTP/1.1\r\nHost: OURS\r\nOrigin: http://OURS\r\nOrigin: http://example.org\r\n\r\n", 403],
    ["a null byte", "GET /\0 HTTP/1.1\r\nHost: OURS\r\n\r\n", 400],
    ["a path of backslashes", "GET \\..\\secret.txt HTTP/1.1\r\nHost: OURS\r\n\r\n", 400],
    ["its own address in full", "GET http://OURS/api/runs/0 HTTP/1.1\r\nHost: OURS\r\n\r\n", 400],
    ["TRACE", "TRACE / HTTP/1.1\r\nHost: OURS\r\n\r\n", 405],
    ["headers without end", `GET / HTTP/1.1\r\nHost: OURS\r\nX: ${"a".repeat(100_000)}\r\n\r\n`, 431],
    ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\r\n\r\n", 400],
  ])("on the wire: %s", async (_, text, status) => {
    expect(await statusOf(dashboard.url, text.replaceAll("OURS", host))).toBe(status);
    expect((await ask(dashboard.url, "/api/runs/0")).status).toBe(200);
  });

  test("on the wire: CONNECT, which gets no answer but the end", async () => {
    expect(await statusOf(dashboard.url, `CONNECT example.org:80 HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toBeNaN();
  });

  test("connections from anywhere but this machine", async () => {
    const { port } = new URL(dashboard.url);
    const outside = Object.values(networkInterfaces()).flatMap((addresses) =>
      (addresses ?? []).filter(({ internal, family }) => !internal && family === "IPv4").map(({ address }) => address),
    );
    for (const address of [...outside, "127.0.0.2"]) {
      const reached = await new Promise<boolean>((resolve) => {
        const socket = connect(Number(port), address, () => resolve(true)).on("error", () => resolve(false));
        socket.on("connect", () => socket.destroy());
      });
      expect(reached, address).toBe(false);
    }
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
