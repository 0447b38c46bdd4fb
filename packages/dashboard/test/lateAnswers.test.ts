// The playground where its worker answers late, as on a busy machine, and where its reader is quick.
import { writeFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { Session } from "../src/playground/session.js";
import { standardSettings } from "../src/playground/settings.js";
import { describePages, map, serveFiles } from "./browser.js";
import { at, iterationOf, PAGES, servedPlayground, set } from "./playgroundPage.js";

const PATIENCE = { timeout: 30_000 };
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

describePages("the playground with late answers", (open) => {
  const { address, path } = servedPlayground();
  beforeAll(async () => {
    const session = Session.start({ ...standardSettings("sdnc", "copy"), inputSize: 4, maxLength: 5, nrCells: 9, seed: 3 });
    for await (const _ of session.train(new AbortController().signal, 4));
    writeFileSync(path("step-4.safetensors"), session.checkpoint());
  });
  const playground = async () => {
    const opened = await open("about:blank");
    await opened.page.addInitScript(holdAnswers);
    await opened.page.goto(address());
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

  test("what was said of the model before does not stay with the new one", async () => {
    await using opened = await playground();
    const { page } = opened;
    await set(page, { Channels: 2, "Longest sequence": 1 });
    await page.getByLabel("Bits, 1 a step").waitFor();
    await answers(page, "hold");
    await press(page, "Train");
    await page.waitForFunction(() => document.documentElement.dataset.heldBack?.includes("stopped"), undefined, PATIENCE);
    await press(page, "Reset");
    await answers(page, "release");
    await page.getByText("ready", { exact: true }).waitFor();
    expect(await page.locator(".message").textContent()).toBe("");
  });

  test("what is set after a reset, before its answer, is the model's", async () => {
    await using opened = await playground();
    const { page } = opened;
    await press(page, "Train");
    await at(page, (iteration) => iteration > 0);
    await answers(page, "hold");
    await press(page, "Reset");
    await set(page, { Cells: 20 });
    await answers(page, "release");
    await expect.poll(() => map(page, "write_weights").locator(".map-ticks span").last().textContent(), PATIENCE).toBe("18");
  });

  test("a file with other channels opens without a complaint, and stays until a reset is asked for", async () => {
    await using opened = await playground();
    const { page } = opened;
    await page.getByLabel("Bits, 5 a step").fill("2");
    await page.getByText("Bits are 0 or 1; '2' is not.").waitFor();
    await answers(page, "hold");
    await page.getByLabel("Checkpoint file").setInputFiles(path("step-4.safetensors"));
    await page.locator(".pattern[inert]").waitFor(); // what is typed for the model before would be shown to this one
    await answers(page, "release");
    await page.locator(".scrub-words", { hasText: "of 0 … 10" }).waitFor();
    expect(await page.locator(".message").textContent()).toBe("");
    expect(await page.locator("#pattern-problem").textContent()).toBe("");
    await set(page, { Batch: 8 });
    await page.locator("button.wanted", { hasText: "Reset" }).waitFor();
    await press(page, "Step");
    await at(page, (iteration) => iteration === 5);
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

  test("a page that is come back to shows the settings of its model", async () => {
    await using opened = await playground();
    const { page } = opened;
    await set(page, { Cells: 20 });
    await page.goto("about:blank");
    await page.goBack();
    await page.getByText("ready", { exact: true }).waitFor();
    expect(await page.getByLabel("Cells", { exact: true }).inputValue()).toBe("16");
  });

  test("a page whose worker did not come offers nothing that needs it", async () => {
    await using opened = await open("about:blank");
    const { page } = opened;
    await page.route(/worker.*\.js$/, (route) => route.fulfill({ contentType: "text/plain", body: "" }));
    await page.goto(address());
    await page.getByText("The worker failed: its file could not be loaded.").waitFor();
    expect(await page.locator("[inert] button", { hasText: "Train" }).count()).toBe(1);
  });
});

/** In the page: has the worker's answers wait from the event "hold" until the event "release". */
function holdAnswers(): void {
  const waiting: (() => void)[] = [];
  let isHeld = false;
  addEventListener("hold", () => {
    isHeld = true;
  });
  addEventListener("release", () => {
    isHeld = false;
    for (const tell of waiting.splice(0)) tell();
  });
  Worker.prototype.addEventListener = function (this: Worker, type: string, listener: EventListenerOrEventListenerObject) {
    EventTarget.prototype.addEventListener.call(this, type, (event) => {
      const tell = () => (listener as EventListener)(event);
      if (!isHeld) return tell();
      waiting.push(tell);
      const { type = "" } = (event as MessageEvent<{ type?: string }>).data ?? {};
      document.documentElement.dataset.heldBack = `${document.documentElement.dataset.heldBack ?? ""} ${type}`;
    });
  };
}

const answers = (page: Page, what: "hold" | "release") => page.evaluate((name) => dispatchEvent(new Event(name)), what);
