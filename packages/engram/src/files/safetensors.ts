// The safetensors format: named tensors and a little text in one file, readable from Python, Rust and here.
//
//   8 bytes        N, little-endian
//   N bytes        JSON, { "__metadata__": { text: text }, NAME: { "dtype", "shape", "data_offsets": [begin, end] }, … },
//                  filled up with spaces so that the data start at a multiple of 8
//   the rest       the numbers, little-endian, row-major, without holes or overlaps; offsets count from here
//
// (github.com/huggingface/safetensors, README "Format".) The format has no checksum, so that a flipped bit in a weight would go
// unseen; the files written here carry one in their metadata, which other readers ignore.
import { CheckpointError } from "../errors.js";
import { editDistance } from "../suggest.js";
import { sizeOf, type Tensor } from "../tensor.js";
import { crc32 } from "./crc32.js";
import { bytesOfDtype, dtypeNames, toFloat32 } from "./dtypes.js";
import { repeatedKey } from "./jsonKeys.js";

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** By name, in the order of their data. Copies: nothing refers to the file's bytes. */
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Where a tensor lies in a file. */
export interface TensorEntry {
  readonly name: string;
  /** Its type in the file, "F32" and so on. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes, counted from the start of the file; `end` is the first one after it. */
  readonly begin: number;
  readonly end: number;
}

/** The header of a file, checked whole. */
export interface SafetensorsHeader {
  /** In the order of their data. */
  readonly entries: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** The limit that the format's own library has. */
const MAX_HEADER_BYTES = 100_000_000;

/** Metadata key of the checksum: CRC-32 of the whole file with its own eight hexadecimal digits as zeros. */
const CHECKSUM_KEY = "engram.crc32";
const NO_CHECKSUM = "00000000";

/**
 * Reads a safetensors file.
 * Every type of number comes as float32: F64, F16, BF16 and integers (exact up to 2²⁴) are converted, others refused.
 * @param bytes the whole file; read only
 * @param source what to call the file in error messages
 * @throws {CheckpointError} when the file is truncated, corrupt or of another format
 */
export function readSafetensors(bytes: Uint8Array, source = "safetensors file"): SafetensorsFile {
  const { entries, metadata } = readSafetensorsHeader(bytes, source);
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, { data: toFloat32(bytes.subarray(begin, end), dtype), shape });
  }
  return { tensors, metadata };
}

/**
 * Reads what a safetensors file says it holds, without the numbers. Checks the same as `readSafetensors`, the checksum too.
 * @throws {CheckpointError} as `readSafetensors` does
 */
export function readSafetensorsHeader(bytes: Uint8Array, source = "safetensors file"): SafetensorsHeader {
  const fail = failing(source);
  checkBytes(bytes, fail);
  const { checksum, dataStart, ...header } = readLayout(bytes, bytes.length, source);
  if (checksum !== undefined) verifyChecksum(bytes, dataStart, checksum, fail);
  return header;
}

/**
 * The same from the start of a file, for one too large to read whole. Its checksum, which is over all bytes, is not looked at.
 * @param start the first bytes of the file, its header among them: 8 bytes and as many as they say
 * @param fileBytes the size of the whole file
 * @throws {CheckpointError} as `readSafetensors` does
 */
export function readSafetensorsLayout(start: Uint8Array, fileBytes: number, source = "safetensors file"): SafetensorsHeader {
  const { entries, metadata } = readLayout(start, fileBytes, source);
  return { entries, metadata };
}

/** Any array of bytes will do, one of another realm too, which instanceof would not know. */
function checkBytes(bytes: Uint8Array, fail: Fail): void {
  if (ArrayBuffer.isView(bytes) && bytes.BYTES_PER_ELEMENT === 1) return;
  fail(`its bytes must come in a Uint8Array, got ${describe(bytes)}: new Uint8Array(buffer) is one of an ArrayBuffer`);
}

function describe(value: unknown): string {
  return value === null ? "null" : typeof value === "object" ? Object.prototype.toString.call(value).slice(8, -1) : typeof value;
}

function readLayout(
  start: Uint8Array,
  fileBytes: number,
  source: string,
): SafetensorsHeader & { readonly checksum: string | undefined; readonly dataStart: number } {
  const fail = failing(source);
  checkBytes(start, fail);
  const dataStart = headerEnd(start, fail);
  const json = parseHeader(start.subarray(8, dataStart), fail);
  const metadata = checkMetadata(json.__metadata__, fail);
  const entries = Object.entries(json)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => checkEntry(name, entry, dataStart, fail))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCover(entries, dataStart, fileBytes, fail);
  const { [CHECKSUM_KEY]: checksum, ...rest } = metadata;
  // One byte of the key gone wrong would take the checksum out of sight.
  const almost = checksum === undefined && Object.keys(rest).find((key) => editDistance(key, CHECKSUM_KEY) <= 2);
  if (almost) fail(`corrupt: its metadata has the key ${JSON.stringify(almost)}, which must have been ${CHECKSUM_KEY}`);
  return { entries, metadata: rest, checksum, dataStart };
}

const failing = (source: string): Fail => {
  return (problem) => {
    throw new CheckpointError(`${source}: ${problem}`);
  };
};

type Fail = (problem: string) => never;

function headerEnd(bytes: Uint8Array, fail: Fail): number {
  if (bytes.length < 8) return fail(`truncated: a safetensors file has at least 8 bytes, this one has ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true) + 2 ** 32 * view.getUint32(4, true);
  // A foreign file (a zip, a pickle, text) reads as an absurd length or has something else than JSON's { after it.
  const foreign = bytes.length > 8 && bytes[8] !== 0x7b;
  if (length > MAX_HEADER_BYTES || foreign) return fail("not a safetensors file (no header at its start), or its start is corrupt");
  if (8 + length > bytes.length) {
    return fail(`truncated: its header alone takes ${8 + length} bytes, the file has ${bytes.length}`);
  }
  return 8 + length;
}

function parseHeader(header: Uint8Array, fail: Fail): Record<string, unknown> {
  let text: string;
  let json: unknown;
  try {
    // Copied, since TextDecoder refuses shared memory in browsers.
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(header));
    json = JSON.parse(text);
  } catch (error) {
    return fail(`corrupt: its header is not JSON in UTF-8 (${(error as Error).message})`);
  }
  if (!isRecord(json)) return fail("corrupt: its header is not a JSON object");
  const repeated = repeatedKey(text);
  if (repeated !== undefined) return fail(`corrupt: its header has the key ${JSON.stringify(repeated)} twice`);
  return json;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkMetadata(metadata: unknown, fail: Fail): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isRecord(metadata)) return fail("corrupt: __metadata__ is not a JSON object");
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]): [string, string] =>
      typeof value === "string" ? [key, value] : fail(`corrupt: the metadata ${JSON.stringify(key)} is not text`),
    ),
  );
}

function checkEntry(name: string, entry: unknown, dataStart: number, fail: Fail): TensorEntry {
  const label = `tensor ${JSON.stringify(name)}`;
  if (!isRecord(entry)) return fail(`corrupt: ${label} has no dtype, shape and data_offsets`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string") return fail(`corrupt: the dtype of ${label} is not text`);
  const itemBytes = bytesOfDtype(dtype);
  if (itemBytes === undefined) return fail(`${label} has dtype ${dtype}; readable are ${dtypeNames.join(", ")}`);
  if (!isSizes(shape) || !Number.isSafeInteger(sizeOf(shape))) return fail(`corrupt: the shape of ${label} is not a list of sizes`);
  if (!isSizes(offsets) || offsets.length !== 2) return fail(`corrupt: the data_offsets of ${label} are not two positions`);
  const [begin, end] = offsets as [number, number];
  if (end - begin !== itemBytes * sizeOf(shape)) {
    return fail(`corrupt: ${label} of ${dtype} [${shape}] has ${end - begin} bytes of data, not ${itemBytes * sizeOf(shape)}`);
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/** A list of whole numbers from 0 up. */
function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** The tensors' data must follow one another from the first byte to the last. `entries` in the order of their data. */
function checkCover(entries: readonly TensorEntry[], dataStart: number, fileBytes: number, fail: Fail): void {
  let covered = dataStart;
  for (const { name, begin, end } of entries) {
    if (begin < covered) fail(`corrupt: the data of tensor ${JSON.stringify(name)} overlap those before`);
    if (begin > covered) fail(`corrupt: nobody's bytes before the data of tensor ${JSON.stringify(name)}`);
    covered = end;
  }
  if (covered > fileBytes) fail(`truncated: its header speaks of ${covered} bytes, the file has ${fileBytes}`);
  if (covered < fileBytes) fail(`corrupt: ${fileBytes - covered} bytes after the last tensor`);
}

function verifyChecksum(bytes: Uint8Array, dataStart: number, checksum: string, fail: Fail): void {
  const header = new Uint8Array(bytes.subarray(0, dataStart));
  const at = positionOf(header, `"${CHECKSUM_KEY}":"${checksum}"`);
  if (at >= 0) header.fill(0x30, at, at + NO_CHECKSUM.length);
  if (at < 0 || checksumOf(header, bytes.subarray(dataStart)) !== checksum) {
    fail(`corrupt: its contents do not match its checksum (a program that rewrites the file must leave the metadata ${CHECKSUM_KEY} out)`);
  }
}

/** Where the value of the checksum's `"key":"value"` starts, or −1. */
function positionOf(header: Uint8Array, pair: string): number {
  const bytes = new TextEncoder().encode(pair);
  for (let at = 8; at + bytes.length <= header.length; at++) {
    if (bytes.every((byte, i) => header[at + i] === byte)) return at + bytes.length - 1 - NO_CHECKSUM.length;
  }
  return -1;
}

function checksumOf(header: Uint8Array, data: Uint8Array): string {
  return crc32(data, crc32(header)).toString(16).padStart(8, "0");
}

/**
 * Writes tensors as a safetensors file. The same arguments give the same bytes.
 * @param tensors by name, written in the given order as F32; every value must be finite
 * @param metadata text by key, written in the given order
 * @returns the whole file
 * @throws {CheckpointError} for a value that is NaN or infinite (such a thing must not reach a file), a tensor whose data do not
 *   fit its shape, or a name or key that the format keeps for itself
 */
export function writeSafetensors(tensors: ReadonlyMap<string, Tensor>, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  if (!(tensors instanceof Map))
    throw new CheckpointError(`writeSafetensors: tensors must be a Map of names to tensors, got ${describe(tensors)}`);
  if (!isRecord(metadata))
    throw new CheckpointError(`writeSafetensors: metadata must be an object of text by key, got ${describe(metadata)}`);
  for (const [name, tensor] of tensors) checkWritable(name, tensor);
  for (const [key, value] of Object.entries(metadata)) checkText(key, value);
  const header = new TextEncoder().encode(headerText(tensors, metadata));
  const dataStart = 8 + header.length;
  const dataBytes = [...tensors.values()].reduce((bytes, { data }) => bytes + 4 * data.length, 0);
  const file = new Uint8Array(dataStart + dataBytes);
  new DataView(file.buffer).setUint32(0, header.length, true); // far below 2³², so the upper half stays 0
  file.set(header, 8);
  let at = dataStart;
  for (const { data } of tensors.values()) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  const checksum = checksumOf(file.subarray(0, dataStart), file.subarray(dataStart));
  const checksumAt = positionOf(file.subarray(0, dataStart), `"${CHECKSUM_KEY}":"${NO_CHECKSUM}"`);
  file.set(new TextEncoder().encode(checksum), checksumAt);
  return file;
}

/** The header as JSON, filled up with spaces. Put together by hand: an object would move names that are numbers to its front. */
function headerText(tensors: ReadonlyMap<string, Tensor>, metadata: Readonly<Record<string, string>>): string {
  const pair = (key: string, value: unknown) => `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  const texts = [[CHECKSUM_KEY, NO_CHECKSUM] as const, ...Object.entries(metadata)].map(([key, value]) => pair(key, value));
  const entries = [`"__metadata__":{${texts.join(",")}}`];
  let offset = 0;
  for (const [name, { data, shape }] of tensors) {
    entries.push(pair(name, { dtype: "F32", shape: [...shape], data_offsets: [offset, offset + 4 * data.length] }));
    offset += 4 * data.length;
  }
  const text = `{${entries.join(",")}}`;
  const bytes = new TextEncoder().encode(text).length;
  return text + " ".repeat((8 - (bytes % 8)) % 8);
}

function checkText(key: string, value: unknown): void {
  if (key === CHECKSUM_KEY) throw new CheckpointError(`writeSafetensors: the metadata key ${CHECKSUM_KEY} is the file's own checksum`);
  if (typeof value !== "string")
    throw new CheckpointError(`writeSafetensors: the metadata ${JSON.stringify(key)} must be text, got ${value}`);
}

function checkWritable(name: string, tensor: Tensor): void {
  const label = `writeSafetensors: tensor ${JSON.stringify(name)}`;
  if (typeof name !== "string") throw new CheckpointError(`${label}: a name must be text`);
  const { data, shape } = tensor ?? {};
  if (name === "__metadata__") throw new CheckpointError(`${label}: the format keeps this name for itself`);
  if (!(data instanceof Float32Array) || !isSizes(shape))
    throw new CheckpointError(`${label}: must have a Float32Array and a list of sizes`);
  if (data.length !== sizeOf(shape)) throw new CheckpointError(`${label}: ${data.length} values do not fill the shape [${shape}]`);
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) throw new CheckpointError(`${label}: value ${i} is ${data[i]}; only finite numbers are written`);
  }
}
