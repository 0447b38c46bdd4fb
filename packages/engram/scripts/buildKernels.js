// Compiles kernels/ to the two WebAssembly modules (plain and shared memory) and writes src/engine/kernels.generated.ts:
// the bytes as base64, the TypeScript signature of every exported kernel and the field order of every descriptor struct,
// all read from the AssemblyScript sources, so that none of them is written down twice.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));
const kernelFolder = join(packageFolder, "kernels");
const output = join(packageFolder, "src/engine/kernels.generated.ts");

async function compile(name, extraFlags) {
  const folder = mkdtempSync(join(tmpdir(), "engram-kernels-"));
  const binary = join(folder, `${name}.wasm`);
  const text = join(folder, `${name}.wat`);
  const flags = ["--runtime", "stub", "--enable", "simd", "--importMemory", "--noAssert", "-O3", "--converge"];
  const { error, stderr } = await asc.main([
    join(kernelFolder, "index.ts"),
    "--outFile",
    binary,
    "--textFile",
    text,
    ...flags,
    ...extraFlags,
  ]);
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
  const bytes = readFileSync(binary);
  refuseHiddenState(name, readFileSync(text, "utf8"));
  rmSync(folder, { recursive: true });
  return bytes;
}

/** Instances share one memory and are made anew on every thread: a data segment or a mutable global would be written again by each. */
function refuseHiddenState(name, wat) {
  const offence = wat.match(/^\s*\((?:data\b.*|global .*\(mut .*)$/m);
  if (offence) throw new Error(`the ${name} module has a data segment or a mutable global: ${offence[0].trim()}`);
}

function parseKernels() {
  const index = readFileSync(join(kernelFolder, "index.ts"), "utf8");
  const signatures = [];
  const structs = [];
  for (const [, names, file] of index.matchAll(/export \{([^}]+)\} from "\.\/(\w+)"/g)) {
    const source = readFileSync(join(kernelFolder, `${file}.ts`), "utf8");
    for (const name of names
      .split(",")
      .map((n) => n.trim())
      .filter(Boolean))
      signatures.push(parseSignature(source, file, name));
    for (const [, name, body] of source.matchAll(/@unmanaged\s+(?:export\s+)?class (\w+) \{([^}]+)\}/g)) {
      const fields = [...body.matchAll(/^\s*(\w+): (\w+)/gm)].map(([, field, type]) => {
        if (type !== "usize" && type !== "i32") throw new Error(`${file}.ts: ${name}.${field}: a descriptor holds usize and i32 only`);
        return field;
      });
      structs.push({ name, fields });
    }
  }
  return { signatures, structs };
}

function parseSignature(source, file, name) {
  const match = source.match(new RegExp(`export function ${name}\\(([^)]*)\\): (\\w+)`));
  if (!match) throw new Error(`kernels/index.ts exports ${name}, which ${file}.ts does not define as a function`);
  const parameters = match[1]
    .replace(/\/\/.*$/gm, "")
    .split(",")
    .map((p) => p.trim())
    .filter(Boolean);
  const typed = parameters.map((p) => `${p.split(":")[0].trim()}: number`);
  return `  ${name}(${typed.join(", ")}): ${match[2] === "void" ? "void" : "number"};`;
}

/** What the generated file depends on: the kernels, this script and the compiler. */
function sourceHash() {
  const hash = createHash("sha256")
    .update(asc.version)
    .update(readFileSync(fileURLToPath(import.meta.url)));
  const sources = readdirSync(kernelFolder).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  for (const name of sources.sort()) hash.update(name).update(readFileSync(join(kernelFolder, name)));
  return hash.digest("hex");
}

const stamp = `// Sources: ${sourceHash()}`;
if (existsSync(output) && readFileSync(output, "utf8").startsWith(stamp)) {
  console.log("kernels: up to date");
  process.exit();
}

const { signatures, structs } = parseKernels();
const plain = await compile("plain", []);
const shared = await compile("shared", ["--enable", "threads", "--sharedMemory", "--maximumMemory", "65536"]);
writeFileSync(
  output,
  `${stamp}
// Written by scripts/buildKernels.js from kernels/; do not edit.
export interface Kernels {
${signatures.join("\n")}
}

/** Field order of the descriptor structs, each field four bytes. */
export const descriptors = {
${structs.map(({ name, fields }) => `  ${name}: [${fields.map((f) => `"${f}"`).join(", ")}],`).join("\n")}
} as const;

export const plainModule: string = "${plain.toString("base64")}";
export const sharedModule: string = "${shared.toString("base64")}";
`,
);
console.log(`kernels: ${signatures.length} exports, ${plain.length} bytes plain, ${shared.length} bytes shared`);
