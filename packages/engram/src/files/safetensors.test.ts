import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { seeded, uniform } from "../../test/random.js";
import { CheckpointError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { crc32 } from "./crc32.js";
import { readSafetensors, readSafetensorsHeader, readSafetensorsLayout, writeSafetensors } from "./safetensors.js";

const tensors = new Map<string, Tensor>([
  ["output.weight", { data: Float32Array.of(1, -2, 3.5, 1e-30, -1e30, 0.1), shape: [2, 3] }],
  ["7", { data: Float32Array.of(42), shape: [] }],
  ["empty", { data: new Float32Array(0), shape: [3, 0] }],
  ['ünï"code\\', { data: uniform(seeded(1), 5), shape: [5, 1] }],
]);
const metadata = { format: "test", 'key with "quotes"': "line\nbreak, €" };

/** What a byte is changed by: each single bit, and some at once. */
const CHANGES = [1, 2, 4, 8, 16, 32, 64, 128, 0x0a, 0x2c, 0x55, 0xff];

/** A file with this header and these data, however wrong. */
function handmade(header: string | Uint8Array, data: ArrayLike<number> = [], length?: number): Uint8Array {
  const bytes = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + bytes.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(length ?? bytes.length), true);
  file.set(bytes, 8);
  file.set(Uint8Array.from(data), 8 + bytes.length);
  return file;
}

const bytesOf = (numbers: ArrayBufferView): Uint8Array => new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);

test.each([
  [undefined, "undefined"],
  [null, "null"],
  [new ArrayBuffer(16), "ArrayBuffer"],
  [new Float32Array(4), "Float32Array"],
  ["{}", "string"],
])("bytes that come as %o are a CheckpointError that says what they must come in", (bytes, got) => {
  for (const read of [readSafetensors, readSafetensorsHeader]) {
    expect(() => read(bytes as never)).toThrow(CheckpointError);
    expect(() => read(bytes as never)).toThrow(`must come in a Uint8Array, got ${got}`);
  }
});

describe("writing and reading back", () => {
  test("gives names, order, shapes, numbers and metadata to the bit", () => {
    const file = readSafetensors(writeSafetensors(tensors, metadata));
    expect([...file.tensors.keys()]).toEqual([...tensors.keys()]);
    for (const [name, tensor] of tensors) expect(file.tensors.get(name)).toEqual(tensor);
    expect(file.metadata).toEqual(metadata);
  });

  test("the same tensors give the same bytes, and the data start at a multiple of 8", () => {
    for (let extra = 0; extra < 9; extra++) {
      const file = writeSafetensors(tensors, { note: "x".repeat(extra) });
      expect(writeSafetensors(new Map(tensors), { note: "x".repeat(extra) })).toEqual(file);
      expect(Number(new DataView(file.buffer).getBigUint64(0, true)) % 8).toBe(0);
      expect(readSafetensorsHeader(file).entries[0]?.begin).toBe(8 + Number(new DataView(file.buffer).getBigUint64(0, true)));
    }
  });

  test("the file is what the format's page says", () => {
    const file = writeSafetensors(new Map([["a", { data: Float32Array.of(1, 2), shape: [1, 2] }]]), { k: "v" });
    const length = new DataView(file.buffer).getUint32(0, true);
    const header = new TextDecoder().decode(file.subarray(8, 8 + length));
    expect(header).toMatch(
      /^\{"__metadata__":\{"engram\.crc32":"[0-9a-f]{8}","k":"v"\},"a":\{"dtype":"F32","shape":\[1,2\],"data_offsets":\[0,8\]\}\} *$/,
    );
    expect([...file.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]);
  });

  test("the start of a file tells what it holds as the whole file does", () => {
    const file = writeSafetensors(tensors, { task: "copy" });
    const start = file.subarray(0, 8 + new DataView(file.buffer).getUint32(0, true));
    expect(readSafetensorsLayout(start, file.length)).toEqual(readSafetensorsHeader(file));
    expect(() => readSafetensorsLayout(start, file.length - 1)).toThrow(/truncated/);
    expect(() => readSafetensorsLayout(start.subarray(0, -1), file.length)).toThrow(/truncated/);
  });

  test("works on a view in the middle of a larger buffer, and gives copies", () => {
    const file = writeSafetensors(tensors, metadata);
    const larger = new Uint8Array(file.length + 7).fill(0xff);
    larger.set(file, 3);
    const read = readSafetensors(larger.subarray(3, 3 + file.length));
    larger.fill(0);
    expect(read.tensors.get("output.weight")).toEqual(tensors.get("output.weight"));
  });

  test("a file of nothing but metadata, and of nothing", () => {
    expect(readSafetensors(writeSafetensors(new Map(), { a: "b" }))).toEqual({ tensors: new Map(), metadata: { a: "b" } });
    expect(readSafetensors(handmade("{}"))).toEqual({ tensors: new Map(), metadata: {} });
  });

  test("CRC-32 gives its published check value, in one piece or two", () => {
    const digits = new TextEncoder().encode("123456789");
    expect(crc32(digits)).toBe(0xcbf43926);
    expect(crc32(digits.subarray(4), crc32(digits.subarray(0, 4)))).toBe(0xcbf43926);
  });
});

describe("files from elsewhere", () => {
  test("a golden case written by another program reads with its metadata", () => {
    const bytes = readFileSync(new URL("../../test/golden/dnc_lstm.safetensors", import.meta.url));
    const { tensors, metadata } = readSafetensors(bytes);
    expect(metadata.model).toBe("DNC");
    const { inputSize } = JSON.parse(metadata.config as string) as { inputSize: number };
    expect(tensors.get("x")?.shape.at(-1)).toBe(inputSize);
    expect(tensors.get("x")?.data.some((value) => value !== 0)).toBe(true);
  });

  const types: [string, Uint8Array, number[]][] = [
    ["F64", bytesOf(Float64Array.of(0.1, -3)), [Math.fround(0.1), -3]],
    ["F32", bytesOf(Float32Array.of(0.25, Number.NaN)), [0.25, Number.NaN]],
    [
      "F16",
      bytesOf(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x8000, 0x7bff, 0x7c00, 0x7e00)),
      [1, -2, 2 ** -24, -0, 65504, Number.POSITIVE_INFINITY, Number.NaN],
    ],
    ["BF16", bytesOf(Uint16Array.of(0x3f80, 0xc040, 0x0001)), [1, -3, 2 ** -133]],
    ["I64", bytesOf(BigInt64Array.of(-5n, 1n << 24n)), [-5, 2 ** 24]],
    ["U64", bytesOf(BigUint64Array.of(5n)), [5]],
    ["I32", bytesOf(Int32Array.of(-7, 9)), [-7, 9]],
    ["U32", bytesOf(Uint32Array.of(2 ** 31)), [2 ** 31]],
    ["I16", bytesOf(Int16Array.of(-300)), [-300]],
    ["U16", bytesOf(Uint16Array.of(60000)), [60000]],
    ["I8", bytesOf(Int8Array.of(-128, 127)), [-128, 127]],
    ["U8", Uint8Array.of(255, 0), [255, 0]],
    ["BOOL", Uint8Array.of(1, 0, 1), [1, 0, 1]],
  ];
  test.each(types)("%s comes as float32", (dtype, data, want) => {
    const header = JSON.stringify({ a: { dtype, shape: [want.length], data_offsets: [0, data.length] } });
    expect([...(readSafetensors(handmade(header, data)).tensors.get("a") as Tensor).data]).toEqual(want);
  });

  test("tensors may stand in the header in any order, and with spaces", () => {
    const header =
      '{ "b": {"shape": [1], "dtype": "U8", "data_offsets": [1, 2]},\n "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]} }   ';
    const { tensors } = readSafetensors(handmade(header, [7, 8]));
    expect([...tensors].map(([name, { data }]) => [name, data[0]])).toEqual([
      ["a", 7],
      ["b", 8],
    ]);
  });
});

describe("what is refused with a CheckpointError that says why", () => {
  const u8 = (begin: number, end: number, shape: unknown = [end - begin]) => ({ dtype: "U8", shape, data_offsets: [begin, end] });
  const cases: [string, Uint8Array, RegExp][] = [
    ["an empty file", new Uint8Array(0), /truncated/],
    ["seven bytes", new Uint8Array(7), /truncated/],
    ["no header", new Uint8Array(8), /corrupt/],
    ["a zip or pickle", Uint8Array.from({ length: 99 }, (_, i) => (i * 37 + 80) & 255), /not a safetensors file/],
    ["text", new TextEncoder().encode('{"hello": "world", "this": "is JSON"}'), /not a safetensors file/],
    ["a huge header length", handmade("{}", [], 2 ** 50), /not a safetensors file/],
    ["a header past the end", handmade("{}", [], 1000), /truncated: its header alone/],
    ["a header that is no JSON", handmade("{a}"), /not JSON/],
    ["a header that is no UTF-8", handmade(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)), /UTF-8/],
    ["an array's depth", handmade(`{"a":${"[".repeat(100_000)}`), /corrupt/],
    [
      "the same tensor twice",
      handmade('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', [1]),
      /key "a" twice/,
    ],
    ["the same field twice", handmade('{"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}', [1]), /key "shape" twice/],
    ["an entry that is none", handmade('{"a":5}'), /has no dtype/],
    ["an entry without dtype", handmade('{"a":{"shape":[1],"data_offsets":[0,1]}}', [1]), /dtype/],
    ["an unknown dtype", handmade(JSON.stringify({ a: { ...u8(0, 1), dtype: "F8_E4M3" } }), [1]), /F8_E4M3.*readable are F64/],
    ["a negative size", handmade(JSON.stringify({ a: u8(0, 1, [-1]) }), [1]), /shape/],
    ["a fractional size", handmade(JSON.stringify({ a: u8(0, 1, [0.5, 2]) }), [1]), /shape/],
    ["sizes that overflow", handmade(JSON.stringify({ a: u8(0, 1, [2 ** 40, 2 ** 40]) }), [1]), /shape/],
    ["one offset", handmade('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}', [1]), /data_offsets/],
    ["a wrong number of bytes", handmade(JSON.stringify({ a: u8(0, 2, [3]) }), [1, 2]), /has 2 bytes of data, not 3/],
    ["offsets backwards", handmade(JSON.stringify({ a: u8(2, 0) }), [1, 2]), /corrupt/],
    ["data past the end", handmade(JSON.stringify({ a: u8(0, 3) }), [1, 2]), /truncated/],
    ["bytes left over", handmade(JSON.stringify({ a: u8(0, 1) }), [1, 2]), /1 bytes after the last tensor/],
    ["overlapping data", handmade(JSON.stringify({ a: u8(0, 2), b: u8(1, 3) }), [1, 2, 3]), /"b" overlap/],
    ["a hole", handmade(JSON.stringify({ a: u8(0, 1), b: u8(2, 3) }), [1, 2, 3]), /nobody's bytes before.*"b"/],
    ["metadata that is no text", handmade('{"__metadata__":{"a":1}}'), /metadata "a" is not text/],
    ["metadata that is a list", handmade('{"__metadata__":[]}'), /__metadata__/],
  ];
  test.each(cases)("%s", (_, bytes, message) => {
    expect(() => readSafetensors(bytes, "run.safetensors")).toThrow(message);
    expect(() => readSafetensors(bytes, "run.safetensors")).toThrow(/^run\.safetensors: /);
    expect(() => readSafetensors(bytes)).toThrow(CheckpointError);
  });

  test("a file cut anywhere", () => {
    const file = writeSafetensors(tensors, metadata);
    for (let length = 0; length < file.length; length++) {
      expect(() => readSafetensors(file.subarray(0, length))).toThrow(CheckpointError);
    }
  });

  test("any byte changed is a CheckpointError, the checksum's own key too", () => {
    const file = writeSafetensors(tensors, metadata);
    for (let at = 0; at < file.length; at++) {
      for (const change of CHANGES) {
        const changed = file.slice();
        changed[at] = (changed[at] as number) ^ change;
        expect(() => readSafetensors(changed), `byte ${at} changed by ${change}`).toThrow(CheckpointError);
      }
    }
  });

  test("any byte of a file without checksum changed, or cut: something finite in size, or a CheckpointError", () => {
    const file = handmade(
      '{"a":{"dtype":"I32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"BOOL","shape":[],"data_offsets":[8,9]}}',
      [1, 0, 0, 0, 2, 0, 0, 0, 1],
    );
    for (let at = 0; at < file.length; at++) {
      expect(() => readSafetensors(file.subarray(0, at))).toThrow(CheckpointError);
      for (const change of CHANGES) {
        const changed = file.slice();
        changed[at] = (changed[at] as number) ^ change;
        try {
          for (const { data, shape } of readSafetensors(changed).tensors.values()) {
            expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
          }
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }
    }
  });
});

describe("what is never written", () => {
  test.each([
    ["no Map", {}, /tensors must be a Map of names to tensors, got Object/],
    ["nothing", undefined, /tensors must be a Map.*got undefined/],
    ["no tensor", new Map([["a", undefined]]), /tensor "a": must have a Float32Array and a list of sizes/],
    ["a shape of no sizes", new Map([["a", { data: new Float32Array(2), shape: [-1, -2] }]]), /tensor "a": must have/],
    ["a name that is no text", new Map([[5, { data: new Float32Array(2), shape: [2] }]]), /tensor 5: a name must be text/],
  ])("%s", (_, given, message) => {
    expect(() => writeSafetensors(given as never)).toThrow(CheckpointError);
    expect(() => writeSafetensors(given as never)).toThrow(message);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("%s, named with its tensor and position", (value) => {
    const broken = new Map([...tensors, ["layer.bias", { data: Float32Array.of(1, 2, value), shape: [3] }]]);
    expect(() => writeSafetensors(broken)).toThrow(CheckpointError);
    expect(() => writeSafetensors(broken)).toThrow(/"layer\.bias": value 2 is (NaN|-?Infinity)/);
  });

  test("data that do not fill their shape, and what the format keeps for itself", () => {
    const one = { data: Float32Array.of(1), shape: [1] };
    expect(() => writeSafetensors(new Map([["a", { ...one, shape: [2] }]]))).toThrow(/1 values do not fill the shape \[2\]/);
    expect(() => writeSafetensors(new Map([["__metadata__", one]]))).toThrow(CheckpointError);
    expect(() => writeSafetensors(new Map(), { "engram.crc32": "00000000" })).toThrow(CheckpointError);
    expect(() => writeSafetensors(new Map(), { steps: 5 as unknown as string })).toThrow(/"steps" must be text/);
  });
});
