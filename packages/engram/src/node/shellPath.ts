/// <reference types="node" />
// Paths as one would type them in a shell, for what is shown to be pasted there.
import { relative } from "node:path";

/** From the present folder where it lies below, and quoted where it must be. */
export function shellPath(path: string): string {
  const below = relative("", path);
  return quoted(below.startsWith("..") ? path : below || ".");
}

/** Windows' shells take double quotes, all others single ones. */
export function quoted(path: string, platform = process.platform): string {
  if (platform === "win32") return /[\s&^%()]/.test(path) ? `"${path}"` : path;
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
