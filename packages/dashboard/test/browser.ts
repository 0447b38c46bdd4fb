// Chromium for the tests of the pages: the system's own, driven by Playwright's core. Where there is none these tests are skipped, and
// the reader is told.

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Download, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";

const candidates = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
const executablePath = candidates.find((path) => path !== undefined && existsSync(path));
if (executablePath === undefined) {
  console.warn(
    "No Chromium was found (set CHROMIUM to its path, or on Debian: apt-get install chromium): the tests of the pages are skipped.",
  );
}

/** The first flags are for running as root in a container; the others keep it from calling home. */
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Tests with a browser: `open` gives a page that fails the test when anything goes wrong in it. */
export function describePages(name: string, tests: (open: Open) => void): void {
  describe.skipIf(executablePath === undefined)(name, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await chromium.launch({ ...(executablePath !== undefined && { executablePath }), args });
    });
    afterAll(() => browser?.close());
    tests(async (url, { losesServer = false, isRefused = false, ...options } = {}) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...options });
      const page = await context.newPage();
      const problems: string[] = [];
      page.on("pageerror", ({ message }) => problems.push(message));
      page.on("console", (message) => {
        const isLoss = losesServer && /ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING)/.test(message.text());
        const isRefusal = isRefused && /status of 409/.test(message.text());
        if (message.type() === "error" && !isLoss && !isRefusal) problems.push(message.text());
      });
      await page.goto(url);
      const close = async () => {
        await context.close();
        expect(problems).toEqual([]);
      };
      return { page, [Symbol.asyncDispose]: close };
    });
  });
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
}
/** `losesServer`: that the server goes away is part of the test; `isRefused`: that it can't read a file is. */
export type Open = (
  url: string,
  options?: BrowserContextOptions & { readonly losesServer?: boolean; readonly isRefused?: boolean },
) => Promise<OpenPage>;

/**
 * The pages as `npm run build` leaves them, from the plainest of file servers.
 * @param wait for what a file's answer waits
 */
export async function serveFiles(
  folder: string,
  headers: Readonly<Record<string, string>> = {},
  wait: (path: string) => Promise<void> | undefined = () => undefined,
): Promise<{ readonly url: string; close(): void }> {
  const types: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
  const server = createServer(async ({ url = "/" }, response) => {
    const path = join(folder, new URL(url, "http://localhost").pathname);
    await wait(path);
    if (!existsSync(path)) response.writeHead(404).end();
    else
      response.writeHead(200, { "Content-Type": types[extname(path)] ?? "application/octet-stream", ...headers }).end(readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => server.close().closeAllConnections() };
}

/** What is saved by doing something. */
export async function downloaded(page: Page, act: () => Promise<unknown>): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  const [download] = (await Promise.all([page.waitForEvent("download"), act()])) as [Download, unknown];
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

/**
 * How much longer than its share of a processor a busy loop takes: 1 on a machine that is ours alone, 4 where others keep it busy.
 * What has to be fast is measured in time that is not spent waiting for them.
 */
export function contention(): number {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  while (performance.now() - start < 300);
  const { user, system } = process.cpuUsage(cpu);
  return Math.max(1, (performance.now() - start) / ((user + system) / 1000));
}

export async function goToStep(page: Page, step: number): Promise<void> {
  await page.getByLabel("Step of the sequence").fill(String(step));
}

export const map = (page: Page, id: string) => page.locator(`[data-map="${id}"]`);

/** Moves the pointer to the middle of a cell of a heatmap. @returns the lines of the box with values */
export async function hover(page: Page, id: string, row: number, column: number, rows: number, columns: number): Promise<string[]> {
  const canvas = map(page, id).locator(".map-plot > canvas");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  if (box === null) throw new Error(`${id} is not on show`);
  await page.mouse.move(box.x + ((column + 0.5) * box.width) / columns, box.y + ((row + 0.5) * box.height) / rows);
  return page.locator(".tooltip > *").allTextContents();
}
