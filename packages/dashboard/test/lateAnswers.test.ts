// The playground where its worker answers late, as on a busy machine, and where its reader is quick.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describePages, serveFiles } from "./browser.js";
import { iterationOf, set } from "./playgroundPage.js";

const PAGES = join(dirname(fileURLToPath(import.meta.url)), "..", "dist");
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

describePages("the playground with late answers", (open) => {
  let site: Awaited<ReturnType<typeof serveFiles>>;
  beforeAll(async () => {
    site = await serveFiles(PAGES);
  });
  afterAll(() => site.close());
  const playground = async () => {
    const opened = await open(`${site.url}playground.html`);
    await opened.page.getByText("ready", { exact: true }).waitFor();
    return opened;
  };
  const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();

  test("a model that is replaced while it is looked at how well it does leaves no word behind", async () => {
    await using opened = await playground();
    const { page } = opened;
    await set(page, { Cells: 128, "Hidden units": 256 });
    await press(page, "Train");
    await page.evaluate(async () => {
      const root = document.documentElement;
      while (root.dataset.iteration === "0") await new Promise((resolve) => setTimeout(resolve)); // then the first look at it begins
      [...document.querySelectorAll("button")].find((button) => button.textContent === "Reset")?.click();
    });
    await page.getByText("ready", { exact: true }).waitFor();
    await page.getByLabel("Bits, 5 a step").fill("10101");
    await page.locator(".scrub-words", { hasText: "of 0 … 2" }).waitFor(); // the worker has gone on
    expect(await page.locator(".message").textContent()).toBe("");
  });

  test("a training that is paused before it could begin does not begin", async () => {
    let letCome = () => {};
    const hold = new Promise<void>((resolve) => {
      letCome = resolve;
    });
    let workers = 0;
    const slow = await serveFiles(PAGES, ISOLATED, (path) => (path.includes("worker") && ++workers > 1 ? hold : undefined));
    try {
      await using opened = await open(`${slow.url}playground.html`);
      const { page } = opened;
      await page.getByText("ready", { exact: true }).waitFor();
      await press(page, "Train"); // waits for its threads
      await press(page, "Reset");
      await page.getByText("ready", { exact: true }).waitFor();
      await press(page, "Train");
      await press(page, "Pause");
      letCome();
      await page.getByText("paused", { exact: true }).waitFor();
      expect(await iterationOf(page)).toBe(0);
    } finally {
      slow.close();
    }
  });
});
