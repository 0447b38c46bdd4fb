// Just enough of a PNG reader to know that a picture is one, and to look at its pixels.
import { inflateSync } from "node:zlib";

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Different colours in it. */
  readonly colors: number;
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const CHANNELS: Readonly<Record<number, number>> = { 2: 3, 6: 4 };

/** @throws when it is no PNG of 8-bit RGB or RGBA that is complete */
export function readPng(bytes: Buffer): Picture {
  if (!bytes.subarray(0, 8).equals(SIGNATURE)) throw new Error("not a PNG");
  const pieces: Buffer[] = [];
  let header: Buffer | undefined;
  let isEnded = false;
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") header = data;
    if (type === "IDAT") pieces.push(data);
    isEnded = type === "IEND";
    at += 12 + length;
  }
  if (header === undefined || !isEnded) throw new Error("a PNG that is cut off");
  const [width, height, channels] = [header.readUInt32BE(0), header.readUInt32BE(4), CHANNELS[header[9] ?? -1] ?? 0];
  const rows = unfilter(inflateSync(Buffer.concat(pieces)), width * channels, height, channels);
  const colors = new Set<number>();
  for (let at = 0; at < rows.length; at += channels) colors.add(rows.readUIntBE(at, 3));
  return { width, height, colors: colors.size };
}

/** Takes back the prediction of each byte from its neighbours (PNG specification, section 9). */
function unfilter(data: Buffer, stride: number, height: number, channels: number): Buffer {
  if (data.length !== height * (stride + 1)) throw new Error(`a PNG of ${data.length} bytes, not ${height * (stride + 1)}`);
  const out = Buffer.alloc(height * stride);
  for (let y = 0; y < height; y++) {
    const filter = data[y * (stride + 1)] as number;
    for (let x = 0; x < stride; x++) {
      const left = x >= channels ? (out[y * stride + x - channels] as number) : 0;
      const up = y > 0 ? (out[(y - 1) * stride + x] as number) : 0;
      const corner = y > 0 && x >= channels ? (out[(y - 1) * stride + x - channels] as number) : 0;
      const predicted = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] ?? 0;
      out[y * stride + x] = (data[y * (stride + 1) + 1 + x] as number) + predicted;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
