// npm start: builds what is needed, quietly, and trains a DNC to copy. Flags go on to the command: npm start -- --seed 2
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** What the command needs, in order, and the file of each that says it is built. */
const entries = { engram: "index.js", dashboard: "node/server/index.js", cli: "main.js" };

function newest(folder) {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".generated.ts"))
    .reduce((latest, entry) => Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0);
}

function isBuilt(name) {
  const folder = join(root, "packages", name);
  const sources = Math.max(newest(join(folder, "src")), newest(join(folder, "kernels")));
  const entry = join(folder, "dist", entries[name]);
  return existsSync(entry) && statSync(entry).mtimeMs > sources;
}

for (const name of Object.keys(entries).filter((p) => !isBuilt(p))) {
  console.log(`Building packages/${name} …`);
  const built = spawnSync("npm", ["run", "build", "--silent", "--workspace", `packages/${name}`], {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (built.status === 0) continue;
  process.stderr.write(`${built.stdout}${built.stderr}`);
  process.exit(built.status ?? 1);
}

const command = join(root, "packages/cli/bin/engram.js");
const training = spawn(process.execPath, [command, "train", "copy", "--preset", "quick", ...process.argv.slice(2)], { stdio: "inherit" });
// Whoever ends before the training gives the prompt back too early. At Ctrl-C it gets the signal twice, which it takes for once.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => training.kill(signal));
training.on("exit", (code) => process.exit(code ?? 1));
