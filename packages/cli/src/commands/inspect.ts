// engram inspect: what a safetensors file holds, whoever wrote it.
import { readFileSync, statSync } from "node:fs";
import { Command } from "commander";
import { readSafetensorsHeader, type SafetensorsHeader } from "engram/files";
import { bytes, count, table } from "../format.js";
import { UsageError } from "../usage.js";

export function inspectCommand(): Command {
  return new Command("inspect")
    .description("Shows what a checkpoint, a model or any other safetensors file holds.")
    .argument("<file>", "a .safetensors file")
    .option("--json", "print JSON")
    .helpOption("-h, --help", "print this")
    .action((file: string, { json }: { json?: true }) => inspect(file, json === true));
}

function inspect(file: string, json: boolean): void {
  if (statSync(file).isDirectory()) throw new UsageError(`${file} is a folder; a run's checkpoints are in its folder checkpoints`);
  const header = readSafetensorsHeader(readFileSync(file), file);
  process.stdout.write(`${json ? asJson(file, header) : asText(file, header)}\n`);
}

function asJson(file: string, { entries, metadata }: SafetensorsHeader): string {
  const tensors = entries.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  return JSON.stringify({
    file,
    metadata: Object.fromEntries(Object.entries(metadata).map(([key, text]) => [key, parsed(text)])),
    tensors,
  });
}

function asText(file: string, { entries, metadata }: SafetensorsHeader): string {
  const sizes = entries.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
  const rows = entries.map(({ name, dtype, shape }, i) => [
    name,
    dtype,
    shape.length === 0 ? "scalar" : shape.join("×"),
    count(sizes[i] ?? 0),
  ]);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const data = entries.reduce((sum, { begin, end }) => sum + end - begin, 0);
  return [
    file,
    ...Object.entries(metadata).map(([key, text]) => `  ${key}: ${describe(parsed(text))}`),
    "",
    listing(rows, process.stdout.columns || Number.POSITIVE_INFINITY),
    "",
    `${count(entries.length)} tensors, ${count(total)} values, ${bytes(data)}`,
  ].join("\n");
}

/** A table, or where its lines would be too long for the terminal each name on a line of its own. */
export function listing(rows: readonly (readonly string[])[], columns: number): string {
  const whole = table([["tensor", "type", "shape", "values"], ...rows]);
  if (Math.max(...whole.split("\n").map((line) => line.length)) <= columns) return whole;
  const details = table([["type", "shape", "values"], ...rows.map(([, ...rest]) => rest)]).split("\n");
  return ["tensor", ...rows.map(([name]) => name)].map((name, i) => `${name}\n  ${details[i]}`).join("\n");
}

/** Metadata is text; ours is often JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return typeof value === "string" ? value : JSON.stringify(value);
  return Object.entries(value)
    .map(([key, inner]) => `\n    ${key}: ${typeof inner === "string" ? inner : JSON.stringify(inner)}`)
    .join("");
}
