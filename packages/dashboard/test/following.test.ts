// The page beside a run that goes on: it is up to date where somebody looks, and takes next to nothing from training.
import { RunFolder } from "engram/node";
import { serveDashboard } from "engram-dashboard/server";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { float32Text } from "../src/data/numbers.js";
import { describePages, goToStep, hover, map } from "./browser.js";
import { servedRuns, tensorsOf } from "./servedRuns.js";
import { appendLines, writeSyntheticMemory } from "./syntheticRun.js";

const STEPS = 17;
const CELLS = 16;

describePages("following a run", (open) => {
  const { run, serve } = servedRuns();

  test("follows a run while it goes on", async () => {
    const folder = run("live", { lines: 3, memories: [] });
    const holder = RunFolder.open(folder);
    holder.lock();
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await page.getByText("training", { exact: true }).waitFor();
    const iteration = page.locator(".tiles div", { hasText: "Iteration" }).first();
    await iteration.getByText("300", { exact: true }).waitFor();
    await page.getByText("No sequence has been recorded yet. One is").waitFor();

    appendLines(folder, 3, 2);
    writeSyntheticMemory(folder, 500);
    await iteration.getByText("500", { exact: true }).waitFor();
    await page.locator('[data-lines="5"]').waitFor();
    await page.locator('[data-iteration="500"]').waitFor();
    await goToStep(page, 4);
    writeSyntheticMemory(folder, 600, { skill: 0.2 });
    await page.locator('[data-iteration="600"]').waitFor();
    expect(await page.getByLabel("Step of the sequence").inputValue()).toBe("4");

    holder.unlock();
    await page.getByText("not training now").waitFor();
    expect(await page.title()).toBe("live · engram");
  });

  test("what is out of sight is left as it is, and brought up to date when it is scrolled to", async () => {
    const folder = run("sight", { lines: 3, memories: [300] });
    const holder = RunFolder.open(folder);
    holder.lock();
    await using opened = await open(await serve({ run: folder }), { viewport: { width: 1280, height: 250 } });
    const { page } = opened;
    const iteration = page.locator(".tiles div", { hasText: "Iteration" }).first();
    await page.locator('[data-lines="3"]').waitFor();
    await page.locator('[data-iteration="300"]').waitFor();
    await expect.poll(() => isPainted(page, "link_matrix")).toBe(true); // in a quiet moment: the page is whole, if somebody prints it

    appendLines(folder, 3, 1);
    writeSyntheticMemory(folder, 400, { skill: 0.2 });
    await page.locator('[data-lines="4"]').waitFor();
    expect(await page.locator("[data-iteration]").getAttribute("data-iteration")).toBe("300");
    await map(page, "link_matrix").scrollIntoViewIfNeeded();
    await page.locator('[data-iteration="400"]').waitFor();
    await map(page, "write_weights").evaluate((element) => element.scrollIntoView({ block: "center" }));
    const [, written] = await hover(page, "write_weights", 3, 0, CELLS, STEPS);
    expect(written).toBe(float32Text(tensorsOf(folder, 400).get("debug.write_weights")?.data[3] ?? Number.NaN));

    appendLines(folder, 4, 1);
    await iteration.getByText("500", { exact: true }).waitFor(); // words are right everywhere
    expect(await page.locator("[data-lines]").getAttribute("data-lines")).toBe("4");
    await page.locator('[data-chart="loss"]').scrollIntoViewIfNeeded();
    await page.locator('[data-lines="5"]').waitFor();
    await page.getByText("More figures").click();
    await page.locator('[data-chart="gradNorm"]').scrollIntoViewIfNeeded();
    await page.locator('[data-chart="gradNorm"] .u-over').waitFor();
    holder.unlock();
  });

  test("a run that goes on is not shown more often than its page may cost, unless it ends or the reader chooses", async () => {
    const folder = run("paced", { lines: 1, memories: [100] });
    const holder = RunFolder.open(folder);
    holder.lock();
    await using opened = await open("about:blank");
    const { page } = opened;
    // Updates that take so long are followed by the longest rest, of 10 s.
    await page.route("**/api/runs/0", async (route) => {
      await page.waitForTimeout(150);
      await route.continue();
    });
    await page.goto(await serve({ run: folder }));
    const shows = (lines: number) => page.locator(`[data-lines="${lines}"]`).waitFor();
    await shows(1);
    for (let lines = 2; lines <= 6; lines++) {
      appendLines(folder, lines - 1, 1);
      await shows(lines);
    }
    appendLines(folder, 6, 1);
    writeSyntheticMemory(folder, 700);
    await page.waitForTimeout(3000);
    expect(await page.locator("[data-lines]").getAttribute("data-lines")).toBe("6");
    await page.getByLabel("Iteration", { exact: true }).hover();
    await page.getByText("newest (700)").waitFor({ state: "attached" });
    await shows(7);
    const rest = performance.now();
    appendLines(folder, 7, 1);
    await page.waitForTimeout(2500);
    holder.unlock();
    await shows(8);
    await page.getByText("not training now").waitFor();
    expect(performance.now() - rest).toBeLessThan(10_000);
  });

  test("a server that finishes lets its pages have all of the end, also what nobody looked at yet", async () => {
    const folder = run("ending", { lines: 3, memories: [300] });
    const holder = RunFolder.open(folder);
    holder.lock();
    const server = await serveDashboard({ run: folder });
    await using opened = await open(server.url, { viewport: { width: 1280, height: 250 } });
    const { page } = opened;
    await page.locator('[data-lines="3"]').waitFor();
    await page.locator('[data-iteration="300"]').waitFor();
    appendLines(folder, 3, 1);
    writeSyntheticMemory(folder, 400, { skill: 0.2 });
    holder.unlock();
    await server.finish();
    await page.getByText("not training now").waitFor();
    await page.locator('[data-lines="4"]').waitFor();
    await page.locator('[data-iteration="400"]').waitFor();
    await map(page, "write_weights").evaluate((element) => element.scrollIntoView({ block: "center" }));
    const [, written] = await hover(page, "write_weights", 3, 0, CELLS, STEPS);
    expect(written).toBe(float32Text(tensorsOf(folder, 400).get("debug.write_weights")?.data[3] ?? Number.NaN));
    await page.getByText("More figures").click();
    await page.locator('[data-chart="gradNorm"] .u-over').waitFor();
    expect(await page.getByText("connection lost").count()).toBe(0);
  });

  test("a page that comes while the server finishes has all of the end, one that comes back later is told where to look", async () => {
    const folder = run("late", { lines: 4, memories: [400] });
    const server = await serveDashboard({ run: folder });
    await using watcher = await open(server.url);
    await watcher.page.locator('[data-iteration="400"]').waitFor();
    await using late = await open("about:blank");
    const first = late.page.waitForResponse(server.url);
    const arrival = late.page.goto(server.url);
    await first; // on a busy machine nothing of it might come before the server is gone
    await Promise.all([server.finish(), arrival]);
    for (const { page } of [watcher, late]) {
      await page.locator('[data-lines="4"]').waitFor();
      await page.locator('[data-iteration="400"]').waitFor();
      await page.getByText("not training now").waitFor();
    }
  });

  test("a page whose server is gone for good says how to see the run", async () => {
    const folder = run("gone", { lines: 4, memories: [400] });
    const server = await serveDashboard({ run: folder });
    await using opened = await open(server.url, { losesServer: true });
    await opened.page.locator('[data-iteration="400"]').waitFor();
    await server.close();
    await opened.page.getByText("connection lost, trying again").waitFor();
    await opened.page.getByText(/its server has ended: engram dashboard .*gone/).waitFor({ timeout: 20_000 });
  });
});

/** Whether a heatmap has a picture: its background at least. */
function isPainted(page: Page, id: string): Promise<boolean> {
  return map(page, id)
    .locator(".map-plot > canvas")
    .evaluate((canvas) => ((canvas as HTMLCanvasElement).getContext("2d")?.getImageData(0, 0, 1, 1).data[3] ?? 0) > 0);
}
