// The page's own files, found once when the server starts. A request's path is looked up among them as it came; it never becomes a
// path of a file, so there is nothing to trick.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
  /** Its name changes with its content. */
  readonly immutable: boolean;
}

/** dist, from dist/node/server. */
const PAGES = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};

/** By request path. */
export function loadPageFiles(folder = PAGES): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>();
  const add = (path: string, name: string, immutable: boolean) => {
    const type = types[extname(name)];
    if (type !== undefined) files.set(path, { type, bytes: readFileSync(join(folder, name)), immutable });
  };
  add("/", "index.html", false);
  for (const { name } of filesIn(folder)) add(`/${name}`, name, false);
  for (const { name } of filesIn(join(folder, "assets"))) add(`/assets/${name}`, join("assets", name), true);
  if (!files.has("/")) throw new Error(`the dashboard's page is missing in ${folder}: run \`npm run build\` first`);
  return files;
}

function filesIn(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  } catch {
    return [];
  }
}
