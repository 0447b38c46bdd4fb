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

  test("of no run is an error", async () => {
    const { code, stdout, stderr } = await place.run("dashboard", "nowhere");
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: "", stderr: expect.stringContaining("no run here") });
    expect((await place.run("dashboard", "nowhere", "--port", "70000")).code).toBe(2);
  });
});
