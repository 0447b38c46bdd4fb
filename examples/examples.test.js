// Every example runs as it stands, on the built package, and shows what it is there to show. (train-copy.js is the README's first program,
// which readme.test.js runs.)
import { once } from "node:events";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { delimiter, extname, join } from "node:path";
import { DNC, randn } from "engram";
import { readSafetensors, writeSafetensors } from "engram/files";
import { afterAll, expect, test } from "vitest";
import { Project, root, run } from "./project.js";

const project = new Project();
afterAll(() => project.remove());
const example = (name) => join(root, "examples", name);

test("stream.js recalls what it saw, step by step", async () => {
  const rows = (await project.node(example("stream.js"))).match(/^saw .*$/gm).map((line) => line.match(/^saw (.*), recalled (.*)$/));
  expect(rows.length).toBe(3);
  for (const [, saw, recalled] of rows) expect(recalled).toBe(saw);
});

test("own-task.js learns its task", async () => {
  const printed = await project.node(example("own-task.js"));
  expect(Number(printed.match(/accuracy: ([\d.]+)/)[1])).toBeGreaterThan(0.99);
});

test("own-loss.js lowers its loss", async () => {
  const losses = (await project.node(example("own-loss.js")))
    .trim()
    .split("\n")
    .map((line) => Number(line.split(" ")[1]));
  expect(losses.at(-1)).toBeLessThan(losses[0] / 3);
});

test("truncated-backpropagation.js knows the answers that only the carried state holds", async () => {
  const printed = await project.node(example("truncated-backpropagation.js"));
  const [carried, forgotten, guess] = [...printed.matchAll(/: (?:loss )?([\d.]+)$/gm)].map(([, loss]) => Number(loss));
  expect(carried).toBeLessThan(0.02);
  expect(forgotten).toBeGreaterThan(0.9 * guess);
});

test("load-pytorch-weights.js computes what a DNC of the Python package computed", async () => {
  const golden = readFileSync(join(root, "packages/engram/test/golden/pytorch_dnc_lstm.safetensors"));
  const { tensors, metadata } = readSafetensors(golden);
  const weights = new Map([...tensors].filter(([name]) => name.startsWith("param.")).map(([name, tensor]) => [name.slice(6), tensor]));
  writeFileSync(join(project.folder, "dnc.safetensors"), writeSafetensors(weights));
  const printed = await project.node(example("load-pytorch-weights.js"), "dnc.safetensors", metadata.config);
  const model = new DNC(JSON.parse(metadata.config));
  model.loadStateDict(weights);
  const { output } = model.forward(randn([1, 3, model.config.inputSize], 1));
  expect(model.config.readFeedback).toBe(false);
  expect(printed).toContain(`${model.numParameters} parameters from dnc.safetensors`);
  expect(printed).toContain(`${output.data[0]}`);
});

test("web-page/train.js makes a model for the page", async () => {
  copyFileSync(example("web-page/train.js"), join(project.folder, "train.mjs"));
  expect(await project.node("train.mjs")).toContain("{ accuracy: 1, sequenceAccuracy: 1 }");
  expect(readSafetensors(readFileSync(join(project.folder, "model.safetensors"))).metadata.model).toBe("dnc");
});

const browser = ["chromium", "chromium-browser", "google-chrome"]
  .flatMap((name) => (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name)))
  .find((path) => existsSync(path));
if (browser === undefined) console.log("no Chromium on this machine: the test of examples/web-page is skipped");

test.skipIf(browser === undefined)("web-page/ runs that model in a browser", async () => {
  const server = createServer((request, response) => {
    const path = join(root, new URL(request.url, "http://localhost").pathname);
    const types = { ".html": "text/html", ".js": "text/javascript" };
    response.setHeader("content-type", types[extname(path)] ?? "application/octet-stream");
    response.end(readFileSync(path.endsWith("model.safetensors") ? join(project.folder, "model.safetensors") : path));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
    const wait = ["--virtual-time-budget=10000", `--user-data-dir=${join(project.folder, "browser")}`, "--dump-dom"];
    const page = `http://127.0.0.1:${server.address().port}/examples/web-page/index.html`;
    expect(await run(browser, [...flags, ...wait, page], project.folder)).toContain("20 of 20 bits recalled");
  } finally {
    server.close();
  }
});
