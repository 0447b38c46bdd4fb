// The benchmark lives at the root of the repository; what `engram bench` runs of it is copied into the package.
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const from = fileURLToPath(new URL("../../../bench/", import.meta.url));
const to = fileURLToPath(new URL("../dist/bench/", import.meta.url));

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
for (const name of readdirSync(from)) {
  const needed = (name.endsWith(".js") && !name.endsWith(".test.js")) || name === "peer.py";
  if (needed) cpSync(from + name, to + name);
}
