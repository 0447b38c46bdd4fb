// The playground's page for the tests of a file, and what they do with it.
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { serveFiles } from "./browser.js";

export const PAGES = join(dirname(fileURLToPath(import.meta.url)), "..", "dist");

/** The pages, served while the tests of a file run, and a folder of theirs. */
export function servedPlayground() {
  let root: string;
  let site: Awaited<ReturnType<typeof serveFiles>>;
  beforeAll(async () => {
    root = mkdtempSync(join(realpathSync(tmpdir()), "engram-playground-"));
    site = await serveFiles(PAGES);
  });
  afterAll(() => {
    site.close();
    rmSync(root, { recursive: true, force: true });
  });
  return { address: () => `${site.url}playground.html`, path: (name: string) => join(root, name) };
}

/** Sets numbers by their labels. */
export async function set(page: Page, values: Readonly<Record<string, number>>): Promise<void> {
  for (const [label, value] of Object.entries(values)) {
    await page.getByLabel(label, { exact: true }).fill(String(value));
    await page.getByLabel(label, { exact: true }).blur();
  }
}

export const iterationOf = (page: Page) => page.evaluate(() => Number(document.documentElement.dataset.iteration));

export async function at(page: Page, isThere: (iteration: number) => boolean): Promise<void> {
  await expect.poll(async () => isThere(await iterationOf(page)), { timeout: 30_000 }).toBe(true);
}
