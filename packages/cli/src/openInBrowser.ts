// Opens a page in the reader's browser, where somebody sits at a terminal.
import { spawn } from "node:child_process";

const openers: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
  linux: ["xdg-open"],
};

/** Does nothing where there is no terminal or no screen; the address was printed. */
export function openInBrowser(url: string): void {
  const [command, ...args] = openers[process.platform] ?? [];
  const hasScreen = process.platform !== "linux" || process.env.DISPLAY !== undefined || process.env.WAYLAND_DISPLAY !== undefined;
  if (command === undefined || !process.stdout.isTTY || !hasScreen) return;
  spawn(command, [...args, url], { detached: true, stdio: "ignore" })
    .on("error", () => {}) // no such program: the address was printed
    .unref();
}
