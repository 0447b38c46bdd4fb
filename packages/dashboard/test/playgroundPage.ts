// What tests do with the playground's page.
import type { Page } from "playwright-core";
import { expect } from "vitest";

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
