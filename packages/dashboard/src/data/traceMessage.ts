// A trace as the server sends it: its header, and after it, where they are small, all its tensors, so that one request brings everything.
//
//   u32   bytes of the header
//   JSON  the header, with spaces at its end up to a multiple of four bytes
//   f32   the tensors in the header's order, with its cells only; or nothing
import type { TraceHeader } from "./api.js";
import { sizeOf } from "./traceLayout.js";

const WORD = 4;

/** @returns the message in pieces */
export function packTrace(header: TraceHeader, tensors: readonly Float32Array[]): Uint8Array[] {
  const text = JSON.stringify(header);
  let json = new TextEncoder().encode(text);
  const padding = (WORD - (json.length % WORD)) % WORD;
  if (padding > 0) json = new TextEncoder().encode(text + " ".repeat(padding));
  const start = new Uint8Array(WORD);
  new DataView(start.buffer).setUint32(0, json.length, true);
  return [start, json, ...tensors.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength))];
}

export interface UnpackedTrace {
  readonly header: TraceHeader;
  /** Undefined where they have to be asked for. */
  readonly tensors: ReadonlyMap<string, Float32Array> | undefined;
}

export function unpackTrace(message: ArrayBuffer): UnpackedTrace {
  const length = new DataView(message).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(message, WORD, length))) as TraceHeader;
  const values = new Float32Array(message, WORD + length);
  return { header, tensors: values.length === 0 ? undefined : cutUp(values, Object.keys(header.tensors), header) };
}

/** Tensors that came one after the other. */
export function cutUp(values: Float32Array, names: readonly string[], header: TraceHeader): Map<string, Float32Array> {
  const tensors = new Map<string, Float32Array>();
  let from = 0;
  for (const name of names) {
    const size = sizeOf(name, header);
    tensors.set(name, values.subarray(from, from + size));
    from += size;
  }
  return tensors;
}
