// Kills a run again and again with SIGKILL at random moments, resumes it every time, and compares its end with that of a run that was
// never stopped. Run by hand, after the build:
//
//   node packages/cli/scripts/survival.js [kills] [threads]
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [kills = "100", threads = "1"] = process.argv.slice(2);
const command = fileURLToPath(new URL("../bin/engram.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "engram-survival-"));
/** Checkpoints so often that many kills come in the middle of writing one. */
const flags =
  "-nhid 16 -nhlayer 1 -mem_slot 8 -mem_size 6 -read_heads 1 -batch_size 8 -dropout 0 -curriculum_increment 1 -curriculum_freq 500 -check_freq 2 -summarize_freq 5";
const ENDLESS = 10_000_000;

function start(...args) {
  const child = spawn(process.execPath, [command, "train", ...args, "--threads", threads, "--json", "--quiet"], { cwd: folder });
  const output = { text: "", errors: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => (output.text += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (output.errors += text));
  const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, ...output })));
  return { child, ended, output };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const checkpoints = (run) =>
  readdirSync(join(folder, run, "checkpoints"))
    .map((name) => Number(/^step-(\d+)\.safetensors$/.exec(name)?.[1]))
    .filter((iteration) => iteration > 0)
    .sort((a, b) => a - b);
const temporary = (run) =>
  ["", "checkpoints", "memory"].flatMap((part) => readdirSync(join(folder, run, part)).filter((name) => name.endsWith(".tmp")));

let { child, ended, output } = start("copy", ...flags.split(" "), "--iterations", String(ENDLESS), "--out", "r");
while (!output.text.includes('"start"')) await sleep(5);
let [resumed, halfWritten, earlier, newest] = [0, 0, 0, 0];
for (let kill = 1; kill <= Number(kills); kill++) {
  await sleep(Math.random() * 700);
  child.kill("SIGKILL");
  await ended;
  if (temporary("r").length > 0) halfWritten++;
  newest = checkpoints("r").at(-1) ?? 0;
  ({ child, ended, output } = start("--resume", "r"));
  const failed = ended.then(({ code, signal, errors }) => {
    if (signal === null) throw new Error(`kill ${kill}: resuming ended with code ${code}: ${errors}`);
  });
  if (kill < Number(kills) && Math.random() < 0.2) {
    earlier++; // the next kill may come while it is still starting
    continue;
  }
  while (!output.text.includes("\n")) await Promise.race([sleep(5), failed]);
  const { iteration } = JSON.parse(output.text.slice(0, output.text.indexOf("\n")));
  if (iteration !== newest)
    throw new Error(`kill ${kill}: went on from ${iteration}, the newest checkpoint is ${newest}: ${output.errors}`);
  if (output.errors !== "") throw new Error(`kill ${kill}: ${output.errors}`);
  resumed++;
}
child.kill("SIGTERM");
await ended;
const last = Math.ceil((checkpoints("r").at(-1) + 1) / 10) * 10;
await start("--resume", "r", "--iterations", String(last)).ended;
await start("copy", ...flags.split(" "), "--iterations", String(last), "--out", "whole").ended;
const file = (run) => readFileSync(join(folder, run, "checkpoints", `step-${last}.safetensors`));
console.log(
  `${resumed} of ${kills} kills resumed from the newest checkpoint, ${earlier} were killed again at once, ${halfWritten} left a file half written; ` +
    `${last} iterations, the same bytes as a run never stopped: ${file("r").equals(file("whole"))}`,
);
rmSync(folder, { recursive: true });
