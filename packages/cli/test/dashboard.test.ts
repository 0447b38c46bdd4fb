import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { tiny, until, Workplace } from "./command.js";

const place = new Workplace();
afterAll(() => place.clear());

/** The address that a command prints, and what the page's server says of the run. */
async function summaryFrom(child: ReturnType<Workplace["start"]>["child"]): Promise<{ name: string; lines: number; live: boolean }> {
  let text = "";
  child.stdout?.on("data", (chunk: string) => (text += chunk));
  await until(() => /http:\S+\//.test(text), "an address");
  const [url = ""] = /http:\S+\//.exec(text) ?? [];
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(await (await fetch(url)).text()).toContain("<!doctype html>");
  return (await (await fetch(`${url}api/runs/0`)).json()) as { name: string; lines: number; live: boolean };
}

describe("dashboard", () => {
  test("shows a run that ended, and one while it is trained", async () => {
    const { child: training, ended } = place.start(["train", "copy", ...tiny, "-iterations", "1000000", "-visdom", "--out", "run"]);
    expect(await summaryFrom(training)).toMatchObject({ name: "run", live: true });
    training.kill("SIGINT");
    expect((await ended).code).toBe(130);
    const { child } = place.start(["dashboard", "run", "--quiet"]);
    expect(await summaryFrom(child)).toMatchObject({ name: "run", live: false });
    child.kill("SIGTERM");
  });

  test("training goes on alike whoever looks: pages that read, don't read, or are closed", async () => {
    const flags = ["train", "copy", ...tiny, "-iterations", "400", "-check_freq", "400", "-summarize_freq", "20", "--no-stop_when_solved"];
    const { child, ended } = place.start([...flags, "--dashboard", "--out", "watched"]);
    let text = "";
    child.stdout?.on("data", (chunk: string) => (text += chunk));
    await until(() => /http:\S+\//.test(text), "an address");
    const { host, port } = new URL(/http:\S+\//.exec(text)?.[0] ?? "");
    const listen = () => {
      const socket = connect(Number(port), "127.0.0.1").on("error", () => undefined);
      socket.write(`GET /api/events HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      return socket;
    };
    const deaf = Array.from({ length: 5 }, () => listen().pause());
    const closed = Array.from({ length: 5 }, listen);
    await until(() => closed.every(({ bytesRead }) => bytesRead > 0) || child.exitCode !== null, "events");
    for (const socket of closed) socket.destroy();
    const { code, stderr } = await ended;
    for (const socket of deaf) socket.destroy();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });

    await place.run(...flags, "--quiet", "--out", "alone");
    const weights = (run: string) => readFileSync(place.path(run, "checkpoints", "step-400.safetensors"));
    expect(weights("watched").equals(weights("alone"))).toBe(true);
  });

  test("of no run is an error", async () => {
    const { code, stdout, stderr } = await place.run("dashboard", "nowhere");
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: "", stderr: expect.stringContaining("no run here") });
    expect((await place.run("dashboard", "nowhere", "--port", "70000")).code).toBe(2);
  });
});
