// What a dashboard's server does not answer: paths out of the run, other hosts, other pages.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { type Dashboard, serveDashboard } from "engram-dashboard/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunSummary } from "../src/data/api.js";
import { ask, json, statusOf } from "./requests.js";
import { writeSyntheticRun } from "./syntheticRun.js";

const SECRET = "not for the page";
let root: string;

beforeAll(() => {
  root = mkdtempSync(join(realpathSync(tmpdir()), "engram-dashboard-"));
  writeFileSync(join(root, "secret.txt"), SECRET);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

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
