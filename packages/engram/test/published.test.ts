// The package as strangers get it: packed, and installed without a network into an empty project. Needs `npm run build` first.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const source = join(root, "packages/engram");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "engram-published-")));
const project = join(folder, "project");
const installed = join(project, "node_modules/engram");

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly [field: string]: unknown;
}

const manifest: Manifest = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
const entries = Object.entries(manifest.exports)
  .filter((entry): entry is [string, { types: string; default: string }] => typeof entry[1] !== "string")
  .map(([subpath, files]) => ({ name: subpath.replace(".", "engram"), ...files }));
/** A worker's file is run, not imported. */
const importable = entries.filter(({ name }) => name !== "engram/worker");
const forPages = entries.filter(({ name }) => name !== "engram/node");

let packed: { readonly size: number; readonly unpackedSize: number; readonly files: readonly { readonly path: string }[] };

/** Runs a module of the project and gives what it printed, as JSON. */
function run(script: string, file = "script.js"): unknown {
  writeFileSync(join(project, file), script);
  return JSON.parse(execFileSync(process.execPath, [file], { cwd: project, encoding: "utf8" }));
}

beforeAll(() => {
  if (!existsSync(join(source, "dist/worker.js"))) throw new Error("there is no built package: npm run build first");
  const output = execFileSync("npm", ["pack", "--json", "--silent", "--pack-destination", folder], { cwd: source, encoding: "utf8" });
  const [report] = JSON.parse(output.slice(output.indexOf("[")));
  packed = report;
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", "--silent", join(folder, report.filename)], { cwd: project });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("what is in it", () => {
  test("the built library, README and licence, and nothing else", () => {
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["package.json", "README.md", "LICENSE", "dist/index.js", "dist/index.d.ts"]));
    expect(paths.filter((path) => !/^(package\.json|README\.md|LICENSE|dist\/[\w/.]+(\.js|\.d\.ts))$/.test(path))).toEqual([]);
    expect(paths.filter((path) => path.includes(".test."))).toEqual([]);
    const inPackage = (name: string) => readFileSync(join(installed, name), "utf8");
    const inRepository = (name: string) => readFileSync(join(root, name), "utf8");
    expect(inPackage("LICENSE")).toBe(inRepository("LICENSE"));
    // The README without its picture, whose files are not published.
    const lines = inRepository("README.md").split("\n");
    const [first, last] = [lines.indexOf("<picture>"), lines.indexOf("</picture>")];
    expect(inPackage("README.md")).toBe([...lines.slice(0, first), ...lines.slice(last + 2)].join("\n"));
    expect(inPackage("README.md")).not.toMatch(/<img|<source|!\[/);
    console.log(`size: ${kB(packed.size)} packed, ${kB(packed.unpackedSize)} unpacked, ${paths.length} files`);
  });

  test("no runtime dependency, and nothing runs when it is installed", () => {
    for (const field of ["dependencies", "optionalDependencies", "peerDependencies", "bundleDependencies"]) {
      expect(manifest[field], field).toBeUndefined();
    }
    const scripts = Object.keys(manifest.scripts as object);
    expect(scripts.filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
  });

  test.each(entries)("$name has its file and its types", ({ types, default: file }) => {
    expect(statSync(join(installed, file)).size).toBeGreaterThan(0);
    expect(statSync(join(installed, types)).size).toBeGreaterThan(0);
  });
});

describe("in Node", () => {
  test("import and require give the same things, from every entry", () => {
    const names = JSON.stringify(importable.map(({ name }) => name));
    const differing = run(`
      import { createRequire } from "node:module";
      const require = createRequire(import.meta.url);
      const differing = [];
      for (const entry of ${names}) {
        const [imported, required] = [await import(entry), require(entry)];
        if (Object.keys(imported).length === 0) differing.push(entry + " is empty");
        for (const name of Object.keys(imported)) if (imported[name] !== required[name]) differing.push(entry + ": " + name);
      }
      console.log(JSON.stringify(differing));
    `);
    expect(differing).toEqual([]);
  });

  test("a class is the same one from every entry", () => {
    const found = run(`
      import * as engram from "engram";
      import * as train from "engram/train";
      import * as tasks from "engram/tasks";
      import * as files from "engram/files";
      const all = [engram, train, tasks, files];
      const twice = all.flatMap((one) => all.flatMap((other) => Object.keys(one).filter((name) => name in other && one[name] !== other[name])));
      const model = files.loadModel(files.saveModel(new engram.DNC({ inputSize: 2, hiddenSize: 3 })));
      const errorOf = (run) => { try { run(); } catch (error) { return error; } };
      console.log(JSON.stringify({
        twice,
        model: model instanceof engram.DNC,
        trainer: new train.Trainer(model).model === model,
        fileError: errorOf(() => files.loadModel(new Uint8Array(3))) instanceof engram.CheckpointError,
        taskError: errorOf(() => tasks.createTask("copi")) instanceof engram.ConfigError,
        trainError: errorOf(() => new train.Trainer(model, { optimiser: "adam" })) instanceof engram.ConfigError,
      }));
    `);
    expect(found).toEqual({ twice: [], model: true, trainer: true, fileError: true, taskError: true, trainError: true });
  });

  test("nothing happens at import; the kernels are compiled once, at the first model", () => {
    const calls = run(`
      import workerThreads from "node:worker_threads";
      const calls = [];
      const watch = (owner, name) => {
        const original = owner[name];
        owner[name] = new Proxy(original, {
          apply: (target, self, args) => (calls.push(name), Reflect.apply(target, self, args)),
          construct: (target, args) => (calls.push(name), Reflect.construct(target, args)),
        });
      };
      for (const name of ["Module", "Instance", "Memory", "compile", "instantiate"]) watch(WebAssembly, name);
      for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "atob", "fetch", "SharedArrayBuffer"]) watch(globalThis, name);
      watch(workerThreads, "Worker");
      const globals = Object.getOwnPropertyNames(globalThis).length;
      const listeners = () => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
      const before = listeners();
      for (const entry of ${JSON.stringify(importable.map(({ name }) => name))}) await import(entry);
      const atImport = [...calls];
      const { DNC } = await import("engram");
      new DNC({ inputSize: 2, hiddenSize: 3 });
      new DNC({ inputSize: 2, hiddenSize: 3 });
      console.log(JSON.stringify({
        atImport,
        modules: calls.filter((name) => name === "Module").length,
        globals: Object.getOwnPropertyNames(globalThis).length - globals,
        listeners: listeners() - before,
      }));
    `);
    expect(calls).toEqual({ atImport: [], modules: 1, globals: 0, listeners: 0 });
  });

  test("the worker's file is found and trains with the same bits", () => {
    const losses = run(`
      import { DNC } from "engram";
      import { createTask, Random } from "engram/tasks";
      import { Trainer } from "engram/train";
      const losses = [];
      for (const threads of [1, 2]) {
        const task = createTask("copy");
        const trainer = new Trainer(new DNC({ inputSize: 6, outputSize: 5, hiddenSize: 8 }), { threads });
        await trainer.ready();
        const rng = new Random(1);
        losses.push([1, 2, 3].map(() => trainer.step(task.batch(rng, 32, 3)).loss));
        trainer.dispose();
      }
      console.log(JSON.stringify(losses));
    `) as number[][];
    expect(losses[1]).toEqual(losses[0]);
    expect(readFileSync(join(installed, "dist/worker.js"), "utf8")).not.toMatch(/\bimport\s*["'({*\w]/);
  });
});

describe("in TypeScript", () => {
  /** Type-checks a use of every given entry, the package's own declarations included. */
  function check(names: readonly string[], name: string, options: object): string {
    const uses = names.map((entry, i) => `import * as entry${i} from "${entry}";\nexport const keys${i} = Object.keys(entry${i});`);
    writeFileSync(join(project, `${name}.ts`), uses.join("\n"));
    const compilerOptions = { target: "ES2022", strict: true, noEmit: true, skipLibCheck: false, ...options };
    writeFileSync(join(project, `${name}.json`), JSON.stringify({ compilerOptions, files: [`${name}.ts`] }));
    try {
      return execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", `${name}.json`], {
        cwd: project,
        encoding: "utf8",
      });
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  }

  const typeRoots = [join(root, "node_modules/@types")];
  const names = importable.map(({ name }) => name);

  test("every entry has types in Node, by import and by require", () => {
    expect(check(names, "node", { module: "nodenext", lib: ["ES2022", "DOM"], types: ["node"], typeRoots })).toBe("");
    writeFileSync(join(project, "required.cts"), `import engram = require("engram");\nnew engram.DNC({ inputSize: 1, hiddenSize: 1 });`);
    const options = {
      compilerOptions: { module: "nodenext", noEmit: true, strict: true, types: ["node"], typeRoots },
      files: ["required.cts"],
    };
    writeFileSync(join(project, "required.json"), JSON.stringify(options));
    execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "required.json"], { cwd: project });
  });

  test("those for pages have types without Node's", () => {
    const pages = names.filter((name) => name !== "engram/node");
    expect(check(pages, "page", { module: "esnext", moduleResolution: "bundler", lib: ["ES2022", "DOM"], types: [] })).toBe("");
  });
});

describe("in a page", () => {
  test("no entry but engram/node reaches a module of Node's, or of anybody else's", () => {
    const reached = reachable(forPages.map(({ default: file }) => join(installed, file)));
    const outside = [...reached].flatMap(([file, specifiers]) => specifiers.filter((s) => !s.startsWith(".")).map((s) => `${file}: ${s}`));
    expect(outside).toEqual([]);
    expect(reached.size).toBeGreaterThan(40);
  });

  test("modules import each other in one direction, without circles", () => {
    const graph = reachable(entries.map(({ default: file }) => join(installed, file)));
    expect(circles(graph)).toEqual([]);
  });

  test("a bundle holds what it uses", async () => {
    const whole = await bundle(
      `export * from "engram"; export { Trainer } from "engram/train"; export { createTask } from "engram/tasks";`,
    );
    const models = await bundle(`export { DNC } from "engram";`);
    const error = await bundle(`export { ShapeError } from "engram";`);
    console.log(`size in a page: ${kB(models.gzip)} compressed for a model, ${kB(whole.gzip)} with training and tasks`);
    expect(error.bytes).toBeLessThan(2_000);
    // The two forms of the kernels, for plain and for shared memory, are most of it.
    expect(whole.gzip).toBeLessThan(200_000);
  });

  test("a worker file of one's own that only imports engram/worker keeps it", async () => {
    expect((await bundle(`import "engram/worker";`)).bytes).toBeGreaterThan(50_000);
  });
});

const kB = (bytes: number) => `${(bytes / 1000).toFixed(0)} kB`;

/** What a compiled module imports: the compiler writes each import on a line of its own. */
function imports(file: string): string[] {
  const code = readFileSync(file, "utf8");
  return [...code.matchAll(/^(?:import|export)\b[^"=]*\bfrom "([^"\n]+)";?$|^import "([^"\n]+)";?$|\bimport\("([^"\n]+)"\)/gm)].map(
    ([, ...specifiers]) => specifiers.find((specifier) => specifier !== undefined) as string,
  );
}

/** The files that these import, and so on, with what each imports. */
function reachable(files: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const waiting = [...files];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    const specifiers = imports(file);
    found.set(file, specifiers);
    for (const specifier of specifiers) if (specifier.startsWith(".")) waiting.push(join(dirname(file), specifier));
  }
  return found;
}

/** What is left when files that import nothing left are taken away, again and again: those in circles, and what imports them. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const left = new Map([...graph].map(([file, specifiers]) => [file, specifiers.map((specifier) => join(dirname(file), specifier))]));
  for (let size = -1; size !== left.size; ) {
    size = left.size;
    for (const [file, uses] of left) if (!uses.some((use) => left.has(use))) left.delete(file);
  }
  return [...left.keys()].map((file) => file.slice(installed.length));
}

async function bundle(code: string): Promise<{ bytes: number; gzip: number }> {
  const input = join(project, "page.js");
  writeFileSync(input, code);
  const built = await rolldown({ input, platform: "browser" });
  const { output } = await built.generate({ format: "es", minify: true });
  await built.close();
  const text = output.map((file) => ("code" in file ? file.code : "")).join("");
  return { bytes: text.length, gzip: gzipSync(text).length };
}
