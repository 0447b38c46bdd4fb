// The dashboard where its server answers late or goes away, and where the run's files change under it.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RunFolder } from "engram/node";
import { serveDashboard } from "engram-dashboard/server";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { float32Text } from "../src/data/numbers.js";
import { describePages, goToStep, hover, map } from "./browser.js";
import { servedRuns, tensorsOf } from "./servedRuns.js";
import { appendLines, syntheticConfig, writeSyntheticMemory, writeSyntheticRun } from "./syntheticRun.js";

const STEPS = 17;
const CELLS = 16;

describePages("the dashboard with a late server", (open) => {
  const { run, serve } = servedRuns();
  const choose = (page: Page, iteration: string) => page.getByLabel("Iteration", { exact: true }).selectOption(iteration);

  test("of two sequences chosen one after the other the later is shown, whichever comes first", async () => {
    const folder = run("choice", { cells: 128, memories: [100, 200, 300] });
    writeSyntheticMemory(folder, 200, { cells: 128, skill: 0.2 });
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await page.locator('[data-iteration="300"]').waitFor();
    const [first, second] = [await held(page, /\/memory\/100$/), await held(page, /\/memory\/200\/whole/)];
    await choose(page, "100");
    await first.asked;
    await choose(page, "200");
    await second.asked;
    const came = page.waitForResponse(/\/memory\/100$/);
    first.letGo();
    await (await came).finished();
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100))); // the page has taken it
    second.letGo();
    await page.locator('[data-iteration="200"]').waitFor();
    const [, written] = await hover(page, "write_weights", 3, 0, 128, STEPS);
    expect(written).toBe(float32Text(tensorsOf(folder, 200).get("debug.write_weights")?.data[3] ?? Number.NaN));
  });

  test("a sequence that could not be read is not spoken of beside another", async () => {
    const folder = run("refused", { memories: [100, 200, 300] });
    writeFileSync(join(folder, "memory", "step-100.safetensors"), "no such thing");
    await using opened = await open(await serve({ run: folder }), { isRefused: true });
    const { page } = opened;
    await page.locator('[data-iteration="300"]').waitFor();
    const words = page.getByText(/^step-100\.safetensors/);
    await choose(page, "100");
    await words.waitFor();
    await choose(page, "newest");
    await words.waitFor({ state: "hidden" });
    const late = await held(page, /\/memory\/100$/);
    await choose(page, "100");
    await late.asked;
    await choose(page, "200");
    await page.locator('[data-iteration="200"]').waitFor();
    const came = page.waitForResponse(/\/memory\/100$/);
    late.letGo();
    await (await came).finished();
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));
    expect(await words.isVisible()).toBe(false);
  });

  test("a page that asks too late for how a training ended does not say that it goes on", async () => {
    const folder = run("late-end", { lines: 3, memories: [300] });
    const holder = RunFolder.open(folder);
    holder.lock();
    const server = await serveDashboard({ run: folder });
    await using opened = await open(server.url, { losesServer: true });
    const { page } = opened;
    await page.locator('[data-iteration="300"]').waitFor();
    await page.getByText("training", { exact: true }).waitFor();
    const summary = await held(page, /\/api\/runs\/0$/);
    holder.unlock();
    await server.finish();
    await summary.asked;
    summary.letGo();
    await page.getByText(/its server has ended: engram dashboard .*late-end/).waitFor();
  });

  test("a page whose server has gone leaves it to the browser to say that lines could not be saved", async () => {
    const server = await serveDashboard({ run: run("unsaved") });
    await using opened = await open(server.url, { losesServer: true });
    const { page } = opened;
    await page.locator('[data-iteration="20000"]').waitFor();
    await server.close();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByLabel("Save Loss as CSV", { exact: true }).click()]);
    expect(await download.failure()).not.toBeNull();
  });

  test("the box with a value tells the value on show", async () => {
    const folder = run("box");
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await map(page, "link_matrix").waitFor();
    await goToStep(page, 0);
    await page.locator('[data-map="memory"][data-step="0"]').waitFor();
    const [, before] = await hover(page, "memory", 8, 0, CELLS, 20);
    expect(before).toBe("0");
    await goToStep(page, 6);
    await page.locator('[data-map="memory"][data-step="6"]').waitFor();
    const value = tensorsOf(folder, 20000).get("debug.memory")?.data[(6 * CELLS + 8) * 20] ?? Number.NaN;
    expect((await page.locator(".tooltip > *").allTextContents())[1]).toBe(float32Text(value));
  });

  test("a page that is come back to says how much it smooths", async () => {
    await using opened = await open(await serve({ run: run("back") }));
    const { page } = opened;
    await page.locator('[data-iteration="20000"]').waitFor();
    await page.getByLabel("Smoothing").fill("90");
    await page.goto("about:blank");
    await page.goBack();
    await page.locator('[data-iteration="20000"]').waitFor();
    const isPutBack = (await page.getByLabel("Smoothing").inputValue()) === "90";
    expect(await page.locator("output").textContent()).toBe(isPutBack ? "0.90" : "off");
  });

  test("a run that is begun anew in the same folder is not taken for the one before", async () => {
    const folder = run("anew");
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await page.locator('[data-iteration="20000"]').waitFor();
    rmSync(folder, { recursive: true });
    writeSyntheticRun(folder, { lines: 210, skill: 0.2 });
    writeFileSync(join(folder, "config.json"), JSON.stringify({ ...syntheticConfig(), startedAt: "2026-01-02T12:00:00.000Z" }));
    await page.locator('[data-lines="210"]').waitFor();
    const written = tensorsOf(folder, 20000).get("debug.write_weights")?.data[3] ?? Number.NaN;
    await expect
      .poll(async () => (await hover(page, "write_weights", 3, 0, CELLS, STEPS))[1], { timeout: 15_000 })
      .toBe(float32Text(written));
  });

  test("a sequence that comes half written is shown once it is whole", async () => {
    const folder = run("half", { memories: [100] });
    await using opened = await open(await serve({ run: folder }), { isRefused: true });
    const { page } = opened;
    await page.locator('[data-iteration="100"]').waitFor();
    const path = join(folder, "memory", "step-200.safetensors");
    writeSyntheticMemory(folder, 200, { skill: 0.2 });
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, 3000));
    await page.getByText(/^step-200\.safetensors/).waitFor();
    writeFileSync(path, bytes);
    await page.locator('[data-iteration="200"]').waitFor();
    await page.getByText(/^step-200\.safetensors/).waitFor({ state: "hidden" });
  });

  test("a run that is cut, emptied, gone on with and removed is shown as it is", async () => {
    const folder = run("removed", { lines: 50 });
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    const metrics = join(folder, "metrics.jsonl");
    await page.locator('[data-lines="50"]').waitFor();
    writeFileSync(metrics, readFileSync(metrics).subarray(0, 1000));
    await page.locator('[data-lines="4"]').waitFor();
    writeFileSync(metrics, "");
    await page.locator('[data-lines="0"]').waitFor();
    appendLines(folder, 0, 5);
    await page.locator('[data-lines="5"]').waitFor();
    rmSync(folder, { recursive: true });
    await page.getByText("config.json can't be read").waitFor();
    await page.getByText("No sequence has been recorded yet.").waitFor();
    await page.locator(".memory-view").waitFor({ state: "hidden" });
  });
});

/** Has answers wait. */
async function held(page: Page, address: RegExp) {
  let letGo = () => {};
  let tell = () => {};
  const hold = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const asked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  await page.route(address, async (route) => {
    tell();
    await hold;
    await route.continue();
  });
  return { asked, letGo };
}
