// The page beside a run that goes on.
import { RunFolder } from "engram/node";
import { expect, test } from "vitest";
import { describePages, goToStep } from "./browser.js";
import { servedRuns } from "./servedRuns.js";
import { appendLines, writeSyntheticMemory } from "./syntheticRun.js";

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
});
