// What README, CONTRIBUTING and ARCHITECTURE say: examples run as they stand and print what they say, commands and flags exist, links lead
// somewhere, and the table of options has the defaults that the models have.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DNC, SAM, SDNC } from "engram";
import { afterAll, expect, test } from "vitest";
import { Project, root } from "./project.js";

const read = (path) => readFileSync(join(root, path), "utf8");
const readme = read("README.md");
const project = new Project();
afterAll(() => project.remove());

/** All fenced blocks, in order. */
const blocks = [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({ language, text }));

/** Programs, each with what it prints: the block without a language that follows it. */
const programs = blocks.flatMap(({ language, text }, i) => (language === "js" ? [{ code: text, printed: blocks[i + 1].text }] : []));
const commands = blocks.filter(({ language }) => language === "sh").flatMap(({ text }) => text.trim().split("\n"));

test.each(programs.map((program, i) => [i + 1, program]))(
  "example %i of the README runs and prints what it says",
  async (number, program) => {
    writeFileSync(join(project.folder, `example${number}.mjs`), program.code);
    const printed = await project.node(`example${number}.mjs`);
    expect(printed.slice(-program.printed.length)).toBe(program.printed);
  },
);

test("the README's first example is short, and is examples/train-copy.js", () => {
  const [{ code }] = programs;
  expect(code.trim().split("\n").length).toBeLessThanOrEqual(10);
  expect(read("examples/train-copy.js").replace(/^(\/\/.*\n)+/, "")).toBe(code);
});

test("commands of npm in the documents are scripts of the project", () => {
  const scriptsOf = (path) => Object.keys(JSON.parse(read(path)).scripts);
  const scripts = [...scriptsOf("package.json"), ...scriptsOf("packages/engram/package.json")];
  const documents = ["README.md", "CONTRIBUTING.md", "bench/README.md"].map(read).join("\n");
  const used = [...documents.matchAll(/\bnpm (?:run )?(start|test|(?<=run )[\w:]+)/g)].map(([, script]) => script);
  expect(new Set(used).size).toBeGreaterThan(2);
  expect([...new Set(used)].filter((name) => !scripts.includes(name))).toEqual([]);
});

test("commands of engram in the README run, in their order", async () => {
  const bin = join(root, "packages/cli/bin/engram.js");
  const lines = commands.filter((line) => line.startsWith("engram "));
  expect(lines.length).toBeGreaterThan(5);
  for (const line of lines) {
    const args = line.split(" ").slice(1);
    // Two iterations show that the flags are right; a checkpoint's number depends on when training was done.
    const short = args[0] === "train" && !args.includes("--resume") ? ["--iterations", "2", "--quiet"] : [];
    await project.node(bin, ...args.map((arg) => arg.replace(/step-\d+/, "step-2")), ...short);
  }
});

test("the table of options has the models' names and defaults", () => {
  const sizes = { inputSize: 3, hiddenSize: 4 };
  const models = { DNC: new DNC(sizes), SAM: new SAM(sizes), SDNC: new SDNC(sizes) };
  const table = readme.slice(readme.indexOf("| option"), readme.indexOf("## Coming from"));
  const described = [];
  for (const [, names, value, more] of table.matchAll(/^\| (`\w+`(?:, `\w+`)*) +\| ([^|[]*?) *(?:\[([^\]]*)\])? +\|/gm)) {
    for (const [, name] of names.matchAll(/`(\w+)`/g)) {
      described.push(name);
      if (value === "required") continue;
      const [, others, other] = more?.match(/^([A-Z, ]+) (\d+)$/) ?? [];
      for (const [type, { config }] of Object.entries(models)) {
        const said = others?.split(", ").includes(type) ? other : value;
        const want =
          said.startsWith("`") && !said.startsWith('`"')
            ? config[said.slice(1, -1)]
            : JSON.parse(said.replaceAll("`", "").replace("−", "-"));
        expect({ type, name, value: config[name] }).toEqual({ type, name, value: want });
      }
    }
  }
  expect(described.sort()).toEqual(Object.keys(models.SDNC.config).sort());
});

const documents = [
  "README.md",
  "CONTRIBUTING.md",
  "ARCHITECTURE.md",
  "bench/README.md",
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
].filter((path) => path.endsWith(".md"));

test.each(documents)("links in %s lead to files that are there", (path) => {
  const links = [...read(path).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, link]) => link).filter((link) => !/^https?:/.test(link));
  expect(links.filter((link) => !existsSync(join(root, dirname(path), link)))).toEqual([]);
});

test("files that ARCHITECTURE and CONTRIBUTING name are there", () => {
  const text = ["ARCHITECTURE.md", "CONTRIBUTING.md"].map(read).join("\n");
  const named = [...text.matchAll(/[\w./-]+\.(?:ts|js|md)\b/g)].map(([name]) => name).filter((name) => !name.includes("NAME"));
  const files = [
    "",
    "packages/engram/src",
    "packages/engram/kernels",
    "packages/engram/test",
    "packages/cli/scripts",
    "packages/cli/src",
    "packages/dashboard/src",
    "examples",
    "bench",
    "docs",
  ].flatMap((folder) => readdirSync(join(root, folder), { recursive: folder !== "" }).map((name) => `/${join(folder, name)}`));
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((name) => !files.some((file) => file.endsWith(`/${name}`)))).toEqual([]);
});
