import { writeFileSync } from "node:fs";
import { loadModel } from "engram/files";
import { createTask } from "engram/tasks";
import { serveDashboard } from "engram-dashboard/server";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { parsePattern, patternBatch } from "../src/playground/pattern.js";
import { Session } from "../src/playground/session.js";
import { standardSettings } from "../src/playground/settings.js";
import { describePages, downloaded, map } from "./browser.js";
import { at, iterationOf, servedPlayground, set } from "./playgroundPage.js";
import { writeSyntheticRun } from "./syntheticRun.js";

const PATTERN = "101 011 110 001";
const SOLVED_WITHIN = 100_000;

describePages("the playground", (open) => {
  const { address, path } = servedPlayground();
  const playground = () => open(address());

  test("trains copy to solved in the page, and the checkpoint gives the same outputs bit for bit in Node", async () => {
    await using opened = await playground();
    const { page } = opened;
    await set(page, { Channels: 4, "Longest sequence": 4 });
    await page.getByRole("button", { name: "Train" }).click();
    await page
      .getByText(/^Solved after .* Every bit of 1,000 fresh sequences of each length is right\./)
      .waitFor({ timeout: SOLVED_WITHIN });
    await page.getByLabel("Bits, 3 a step").fill(PATTERN);
    await page.getByText("All 12 bits come back right.").waitFor();
    await page.getByText(/accuracy is 100 % as is and .* with its reads zeroed/).waitFor();

    const { bytes, name } = await downloaded(page, () => page.getByRole("button", { name: "Save checkpoint" }).click());
    expect(name).toMatch(/^step-\d+\.safetensors$/);
    expect(await outputs(page)).toEqual(outputsInNode(bytes));
  });

  test("pauses, goes on, takes one step, starts anew", async () => {
    await using opened = await playground();
    const { page } = opened;
    await page.getByRole("button", { name: "Step", exact: true }).click();
    await at(page, (iteration) => iteration === 1);
    await page.getByRole("button", { name: "Train" }).click();
    await at(page, (iteration) => iteration > 5);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("paused").waitFor();
    const paused = await iterationOf(page);
    await page.waitForTimeout(500);
    expect(await iterationOf(page)).toBe(paused);
    await page.getByRole("button", { name: "Train" }).click();
    await at(page, (iteration) => iteration > paused);
    // Another memory while it trains: takes effect with a reset.
    await set(page, { Cells: 20 });
    await page.getByRole("button", { name: "Reset" }).click();
    await at(page, (iteration) => iteration === 0);
    await page.getByText("ready", { exact: true }).waitFor();
    await expect.poll(() => map(page, "write_weights").locator(".map-ticks span").last().textContent(), { timeout: 10_000 }).toBe("18");
  });

  test("shows a sequence as soon as it is typed or clicked, and says what is wrong with one", async () => {
    await using opened = await playground();
    const { page } = opened;
    await set(page, { Channels: 4 });
    const bits = page.getByLabel("Bits, 3 a step");
    await bits.fill("101 010");
    await expect.poll(() => page.locator(".scrub-words").textContent(), { timeout: 10_000 }).toContain("of 0 … 4");
    const before = await outputs(page);
    await page.getByLabel("step 1, bit 2").click();
    expect(await bits.inputValue()).toBe("101 011");
    await expect.poll(() => outputs(page), { timeout: 10_000 }).not.toEqual(before);
    await bits.fill("102");
    await page.getByText("Bits are 0 or 1; '102' is not.").waitFor();
    await page.locator("select[name=task]").selectOption("argmax");
    await page.getByLabel("Numbers from 0 to 8").fill("3 1 8 2");
    await page.getByText(/^The answer is (right|wrong), off by/).waitFor();
    await expect.poll(() => page.locator(".scrub-words").textContent(), { timeout: 10_000 }).toContain("should be 2");
  });

  test("keeps what is set, typed and started while the worker is still on its way", async () => {
    await using opened = await playground();
    const { page } = opened;
    await page.route(/worker.*\.js$/, async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await route.continue();
    });
    await page.reload();
    await set(page, { Channels: 4, Cells: 20 });
    await page.getByLabel("Bits, 3 a step").fill("101 010");
    await page.getByRole("button", { name: "Train" }).click();
    await at(page, (iteration) => iteration > 3);
    expect(await page.getByLabel("Bits, 3 a step").inputValue()).toBe("101 010");
    expect(await page.locator(".scrub-words").textContent()).toContain("of 0 … 4");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("paused").waitFor();
  });

  test("trains anew at once where a training is replaced, and trains on where a file is refused", async () => {
    writeFileSync(path("letter.safetensors"), "Dear reader");
    await using opened = await playground();
    const { page } = opened;
    await page.getByRole("button", { name: "Train" }).click();
    await at(page, (iteration) => iteration > 10);
    await page.getByRole("button", { name: "Reset" }).click();
    await page.getByRole("button", { name: "Train" }).click();
    await at(page, (iteration) => iteration > 0);
    const iteration = await iterationOf(page);
    await page.getByLabel("Checkpoint file").setInputFiles(path("letter.safetensors"));
    await page.getByText(/^letter\.safetensors: not a safetensors file/).waitFor();
    await at(page, (later) => later > iteration);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("paused").waitFor();
  });

  test("goes on with a checkpoint made elsewhere, and refuses another file in words", async () => {
    const session = Session.start({ ...standardSettings("sdnc", "copy"), inputSize: 4, maxLength: 5, nrCells: 9, seed: 3 });
    for await (const _ of session.train(new AbortController().signal, 4));
    const bytes = session.checkpoint();
    writeFileSync(path("step-4.safetensors"), bytes);
    writeFileSync(path("letter.safetensors"), "Dear reader");
    await using opened = await playground();
    const { page } = opened;
    await page.getByLabel("Checkpoint file").setInputFiles(path("step-4.safetensors"));
    await at(page, (iteration) => iteration === 4);
    expect(await page.locator("select[name=model]").inputValue()).toBe("sdnc");
    expect(await page.getByLabel("Cells", { exact: true }).inputValue()).toBe("9");
    await page.getByLabel("Bits, 3 a step").fill(PATTERN);
    await page.locator(".scrub-words", { hasText: "of 0 … 8" }).waitFor();
    expect(await outputs(page)).toEqual(outputsInNode(bytes));
    await page.getByLabel("Checkpoint file").setInputFiles(path("letter.safetensors"));
    await page.getByText(/^letter\.safetensors: not a safetensors file/).waitFor();
    await page.getByRole("button", { name: "Step", exact: true }).click();
    await at(page, (iteration) => iteration === 5);
  });

  test("uses threads where the page is isolated, one where it is not", async () => {
    const folder = path("run");
    writeSyntheticRun(folder, { lines: 1 });
    const server = await serveDashboard({ run: folder });
    try {
      await using isolated = await open(`${server.url}playground.html`);
      const cores = await isolated.page.evaluate(() => navigator.hardwareConcurrency);
      const threads = Math.min(8, cores);
      await expect.poll(() => isolated.page.getByLabel("Threads").inputValue()).toBe(String(threads));
      await isolated.page.getByRole("button", { name: "Train" }).click();
      await at(isolated.page, (iteration) => iteration > 3);
      expect(isolated.page.workers().length).toBe(threads); // the one that trains, and its helpers
    } finally {
      await server.close();
    }
    await using plain = await playground();
    await plain.page.getByText("One thread: this page was opened without").waitFor();
    expect(await plain.page.getByLabel("Threads").inputValue()).toBe("1");
  });

  test.each([
    ["light", 1280],
    ["dark", 390],
  ] as const)("fits the window, %s, %i wide", async (colorScheme, width) => {
    await using opened = await open(address(), { colorScheme, viewport: { width, height: 800 } });
    const { page } = opened;
    await page.getByRole("button", { name: "Step", exact: true }).click();
    await at(page, (iteration) => iteration === 1);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });
});

/** The model's outputs for the sequence on show, from the page's own CSV: [channel][step]. */
async function outputs(page: Page): Promise<number[][]> {
  const { bytes } = await downloaded(page, () => page.getByLabel("Save Output as CSV").click());
  const [, ...rows] = bytes.toString().trim().split("\n");
  return rows.map((row) =>
    row
      .split(",")
      .slice(1)
      .map((text) => Math.fround(Number(text))),
  );
}

/** The same of the model in a checkpoint, in Node. */
function outputsInNode(bytes: Uint8Array): number[][] {
  const model = loadModel(bytes).eval();
  const { inputSize } = model.config;
  const { output } = model.forward(patternBatch(parsePattern(PATTERN, "copy", inputSize), createTask("copy", { inputSize })).input);
  const [, steps = 0, channels = 0] = output.shape;
  return Array.from({ length: channels }, (_, channel) =>
    Array.from({ length: steps }, (_, t) => output.data[t * channels + channel] ?? Number.NaN),
  );
}
