// Bundles dist/worker.js and all it imports into one file, so that a page or a server can put it anywhere.
import { renameSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const worker = fileURLToPath(new URL("../dist/worker.js", import.meta.url));
const bundle = await rolldown({ input: worker, platform: "neutral" });
await bundle.write({ file: `${worker}.bundle`, format: "es", minify: true });
await bundle.close();
renameSync(`${worker}.bundle`, worker);
