// What the server answers. Paths are matched as they came, undecoded: what is not exactly one of these does not exist.
import type { IncomingMessage, ServerResponse } from "node:http";
import { CheckpointError } from "engram";
import { csvLine } from "../data/csv.js";
import type { MetricsTable } from "../data/metricsTable.js";
import { sampleMetrics } from "../data/sampleMetrics.js";
import { packTrace } from "../data/traceMessage.js";
import type { Events } from "./events.js";
import { type MemoryFile, MOST_BYTES } from "./memoryFile.js";
import type { PageFile } from "./pageFiles.js";
import type { RunReader } from "./runReader.js";

export interface Site {
  readonly files: ReadonlyMap<string, PageFile>;
  readonly runs: readonly RunReader[];
  readonly events: Events;
}

/** Something is wrong with what was asked. */
class BadRequest extends Error {}
/** What was asked for is not there, or not any more. */
class NotFound extends Error {}

const RUN = "/api/runs/(\\d{1,3})";
const MEMORY = `${RUN}/memory/(\\d{1,15})`;
type Answer = (site: Site, response: ServerResponse, query: URLSearchParams, ...parts: string[]) => unknown;

const routes: readonly (readonly [RegExp, Answer])[] = [
  [/^\/api\/events$/, ({ events }, response) => events.listen(response)],
  [new RegExp(`^${RUN}$`), async (site, response, _, run) => sendJson(response, await runAt(site, run).summary())],
  [new RegExp(`^${RUN}/metrics$`), sendMetrics],
  [new RegExp(`^${RUN}/metrics\\.csv$`), sendMetricsCsv],
  [new RegExp(`^${MEMORY}$`), sendTrace],
  [new RegExp(`^${MEMORY}/whole$`), sendWhole],
  [new RegExp(`^${MEMORY}/([a-z_]{1,40}(?:\\.[a-z_]{1,40})?)$`), sendRows],
];

const MOST_POINTS = 4000;
/** More than any page asks for. */
const MOST_TENSORS = 32;

export async function answer(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = "", search = ""] = (request.url ?? "").split("?", 2);
  const file = site.files.get(path);
  if (file !== undefined) return sendFile(response, file);
  for (const [pattern, reply] of routes) {
    const match = pattern.exec(path);
    if (match === null) continue;
    try {
      await reply(site, response, new URLSearchParams(search), ...match.slice(1));
    } catch (error) {
      sendProblem(response, error);
    }
    return;
  }
  sendText(response, 404, "nothing here");
}

function runAt({ runs }: Site, index: string | undefined): RunReader {
  const run = runs[Number(index)];
  if (run === undefined) throw new NotFound("no such run");
  return run;
}

async function sendMetrics(site: Site, response: ServerResponse, query: URLSearchParams, run?: string): Promise<void> {
  const table = await runAt(site, run).metrics();
  const asked = new Set((query.get("fields") ?? "loss").split(",")); // each of them once, however often it was asked for
  const fields = table.names.filter((name) => asked.has(name));
  const sampled = sampleMetrics(table, {
    fields,
    from: numberIn(query, "from"),
    to: numberIn(query, "to"),
    points: Math.min(MOST_POINTS, numberIn(query, "points") ?? 1000),
    smoothing: Math.min(0.9999, Math.max(0, numberIn(query, "smoothing") ?? 0)),
  });
  sendJson(response, sampled);
}

async function sendMetricsCsv(site: Site, response: ServerResponse, _: URLSearchParams, run?: string): Promise<void> {
  const reader = runAt(site, run);
  const table = await reader.metrics();
  response.writeHead(200, {
    "Content-Type": "text/csv; charset=utf-8",
    "Content-Disposition": 'attachment; filename="metrics.csv"',
  });
  for (const piece of csvPieces(table)) {
    if (response.destroyed) return;
    if (!response.write(piece)) await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
  }
  response.end();
}

const LINES_A_PIECE = 2000;

function* csvPieces(table: MetricsTable): Generator<string> {
  const { names, length } = table;
  const columns = names.map((name) => table.column(name));
  yield csvLine(names);
  for (let from = 0; from < length; from += LINES_A_PIECE) {
    let piece = "";
    for (let i = from; i < Math.min(length, from + LINES_A_PIECE); i++) {
      piece += csvLine(columns.map((column) => (Number.isNaN(column[i]) ? null : (column[i] as number))));
    }
    yield piece;
  }
}

/** Does something with the memory file of an iteration, and closes it. */
async function withMemory<T>(site: Site, [run, iteration]: readonly string[], use: (file: MemoryFile) => Promise<T> | T): Promise<T> {
  const file = await runAt(site, run).memory(Number(iteration));
  if (file === undefined) throw new NotFound("no memory of this iteration; only the newest are kept");
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** The header, and all of a small trace. */
async function sendTrace(site: Site, response: ServerResponse, _: URLSearchParams, ...parts: string[]): Promise<void> {
  sendPieces(response, await withMemory(site, parts, async (file) => packTrace(file.header, await file.all())));
}

async function sendRows(site: Site, response: ServerResponse, query: URLSearchParams, ...parts: string[]): Promise<void> {
  const from = wholeIn(query, "from") ?? 0;
  const to = Math.max(from, wholeIn(query, "to") ?? Number.POSITIVE_INFINITY);
  const rows = await withMemory(site, parts, (file) => rowsOf(file, parts[2] ?? "", from, to));
  sendPieces(response, [rows]);
}

/** All rows of several tensors, one after the other: what a page shows over time, at once. */
async function sendWhole(site: Site, response: ServerResponse, query: URLSearchParams, ...parts: string[]): Promise<void> {
  const names = (query.get("names") ?? "").split(",");
  if (names.length > MOST_TENSORS) throw new BadRequest(`ask for fewer tensors at once: at most ${MOST_TENSORS}`);
  const all = await withMemory(site, parts, async (file) => {
    const tensors: Float32Array[] = [];
    let bytes = 0;
    for (const name of names) {
      const rows = await rowsOf(file, name, 0, Number.POSITIVE_INFINITY);
      bytes += rows.byteLength;
      if (bytes > MOST_BYTES) throw tooLarge();
      tensors.push(rows);
    }
    return tensors;
  });
  sendPieces(response, all);
}

async function rowsOf(file: MemoryFile, name: string, from: number, to: number): Promise<Float32Array> {
  const rows = await file.rows(name, from, to);
  if (rows === undefined) throw new NotFound("no such tensor in this file");
  if (rows === "too large") throw tooLarge();
  return rows;
}

const tooLarge = () => new BadRequest(`ask for fewer rows at once: at most ${MOST_BYTES} bytes are sent`);

function sendPieces(response: ServerResponse, arrays: readonly (Float32Array | Uint8Array)[]): void {
  const pieces = arrays.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": bytes.length });
  response.end(bytes);
}

/** @throws {BadRequest} for anything but a whole number or a fraction, 0 or more */
function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}(\.\d{1,20})?$/.test(text)) throw new BadRequest(`${name} must be a number of 0 or more`);
  return Number(text);
}

/** @throws {BadRequest} for anything but a whole number, 0 or more */
function wholeIn(query: URLSearchParams, name: string): number | undefined {
  const value = numberIn(query, name);
  if (value !== undefined && !Number.isSafeInteger(value)) throw new BadRequest(`${name} must be a whole number`);
  return value;
}

function sendFile(response: ServerResponse, { type, bytes, immutable }: PageFile): void {
  response.writeHead(200, {
    "Content-Type": type,
    "Content-Length": bytes.length,
    "Cache-Control": immutable ? "max-age=31536000, immutable" : "no-cache",
  });
  response.end(bytes);
}

function sendJson(response: ServerResponse, value: unknown): void {
  const bytes = Buffer.from(JSON.stringify(value));
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": bytes.length });
  response.end(bytes);
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}

function sendProblem(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else if (error instanceof BadRequest) sendText(response, 400, error.message);
  else if (error instanceof NotFound) sendText(response, 404, error.message);
  else if (error instanceof CheckpointError) sendText(response, 409, error.message);
  else sendText(response, 500, "the run's files could not be read");
}
