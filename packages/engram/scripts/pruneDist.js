// Removes from dist what no source makes any more: the compiler leaves the outputs of deleted sources behind, and they would be published.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const source = fileURLToPath(new URL("../src", import.meta.url));

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  const made = path.match(/^(.*?)(?:\.js|\.d\.ts)$/)?.[1];
  if (made === undefined || !existsSync(`${source}${made.slice(dist.length)}.ts`)) rmSync(path);
}
