// Rules about the sources that neither compiler nor linter keeps: which folder may import from which, what of Math gives the same bits
// everywhere, and how long a file may be.
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const packages = fileURLToPath(new URL("../..", import.meta.url));
const source = join(packages, "engram/src");

/** TypeScript sources below a folder, without tests and generated files; none where there is no such folder. */
function sourcesBelow(folder: string): string[] {
  return readdirSync(packages, { recursive: true, encoding: "utf8" })
    .map((path) => join(packages, path))
    .filter((path) => path.startsWith(folder + sep) && /\.tsx?$/.test(path) && !/\.(test|generated|d)\.ts$/.test(path))
    .filter((path) => !path.includes(`${sep}node_modules${sep}`) && !path.includes(`${sep}dist${sep}`));
}

const sources = sourcesBelow(source);
const inSource = (path: string) => relative(source, path).split(sep).join("/");
const code = (path: string) => readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, "");

function imports(path: string): string[] {
  return [...code(path).matchAll(/\b(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, specifier]) => specifier as string);
}

/** Of which folder of src a file is; those directly in src are everybody's. */
function folderOf(path: string): string {
  return inSource(path).includes("/") ? (inSource(path).split("/")[0] as string) : "";
}

/** What each folder stands on. `node` and `files` are read from the outside too: nothing of the library may need them. */
const standsOn: Readonly<Record<string, readonly string[]>> = {
  engine: [],
  controllers: ["engine"],
  memory: ["engine"],
  models: ["engine", "controllers", "memory"],
  train: ["engine", "models"],
  tasks: ["train"],
  files: ["models", "train"],
  node: ["files"],
};

test("imports go one way: engine ← controllers, memory ← models ← train ← tasks, files", () => {
  expect(sources.length).toBeGreaterThan(50);
  const wrong: string[] = [];
  // An index only re-exports, for those outside.
  for (const path of sources.filter((path) => folderOf(path) !== "" && basename(path) !== "index.ts")) {
    const from = folderOf(path);
    for (const specifier of imports(path).filter((specifier) => specifier.startsWith("."))) {
      const to = folderOf(join(dirname(path), specifier));
      if (to !== "" && to !== from && !standsOn[from]?.includes(to)) wrong.push(`${inSource(path)} imports ${specifier}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("the library imports nothing but itself, and node: only in src/node", () => {
  const wrong = sources.flatMap((path) =>
    imports(path)
      .filter((specifier) => !specifier.startsWith("."))
      .filter((specifier) => !(folderOf(path) === "node" && specifier.startsWith("node:")))
      .map((specifier) => `${inSource(path)} imports ${specifier}`),
  );
  expect(wrong).toEqual([]);
});

test("command line and dashboard use the library by its public entries", () => {
  const outside = ["cli", "dashboard"].flatMap((name) => sourcesBelow(join(packages, name, "src")));
  const wrong = outside.flatMap((path) =>
    imports(path)
      .filter((specifier) => /\/engram\/(src|dist)\/|^engram\/(?!train$|tasks$|files$|node$|worker$)/.test(specifier))
      .map((specifier) => `${relative(packages, path)} imports ${specifier}`),
  );
  expect(wrong).toEqual([]);
});

test("of Math the library uses what gives the same bits in every engine", () => {
  const same = ["sqrt", "abs", "floor", "ceil", "trunc", "min", "max", "imul", "fround", "clz32", "PI"];
  const wrong: string[] = [];
  for (const path of sources) {
    for (const [text, name] of code(path).matchAll(/\bMath\.(\w+)/g)) {
      if (!same.includes(name as string)) wrong.push(`${inSource(path)} uses ${text}`);
    }
    // Powers are as free as Math.pow, but for those of two, which all engines give exactly.
    for (const [text, base] of code(path).matchAll(/(\S+)\s*\*\*/g)) {
      if (base !== "2") wrong.push(`${inSource(path)} uses ${text}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("every source file has one subject: fewer than 400 lines", () => {
  const long = sources.map((path) => `${inSource(path)}: ${readFileSync(path, "utf8").split("\n").length - 1}`);
  expect(long.filter((line) => Number(line.split(": ")[1]) >= 400)).toEqual([]);
});

test("what is locked can be installed on every platform, from any registry", () => {
  const { packages: locked } = JSON.parse(readFileSync(join(packages, "../package-lock.json"), "utf8")) as {
    packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }>;
  };
  const missing = Object.values(locked).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter((name) => !Object.keys(locked).some((path) => path.endsWith(`node_modules/${name}`))),
  );
  expect(missing).toEqual([]);
  expect(Object.values(locked).filter(({ resolved }) => resolved?.includes("://"))).toEqual([]);
});
