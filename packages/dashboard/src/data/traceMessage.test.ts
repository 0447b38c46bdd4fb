import { expect, test } from "vitest";
import type { TraceHeader } from "./api.js";
import { HeldTrace } from "./trace.js";
import { packTrace, unpackTrace } from "./traceMessage.js";

const header: TraceHeader = {
  iteration: 7,
  model: "dnc",
  options: { nrCells: 100, cellSize: 2, readHeads: 1, numLayers: 1 },
  task: "copy",
  tensors: { input: [3, 5], "debug.write_weights": [3, 100], other: [3, 2, 2] },
  cells: [4, 90],
};
const count = (length: number, from: number) => Float32Array.from({ length }, (_, i) => from + i / 7);
const tensors = [count(15, 1), count(6, 100), count(12, 200)];

const sent = (of: TraceHeader, values: readonly Float32Array[]) => {
  const bytes = Buffer.concat(packTrace(of, values));
  return unpackTrace(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer);
};

test.each(["", "a", "ab", "abc", "é", "€uro"])(
  "header and tensors come through to the bit, whatever the length of the header (%j)",
  (task) => {
    const unpacked = sent({ ...header, task }, tensors);
    expect(unpacked.header).toEqual({ ...header, task });
    expect([...(unpacked.tensors?.keys() ?? [])]).toEqual(Object.keys(header.tensors));
    expect([...(unpacked.tensors?.values() ?? [])]).toEqual(tensors);
  },
);

test("of a large trace the header comes alone", () => {
  expect(sent(header, [])).toEqual({ header, tensors: undefined });
});

test("rows are those of the tensor with the header's cells only", async () => {
  const unpacked = sent(header, tensors);
  const trace = new HeldTrace(header, unpacked.tensors ?? new Map());
  expect(await trace.rows("debug.write_weights", 1, 3)).toEqual(tensors[1]?.subarray(2, 6));
  expect(await trace.rows("other", 2, 3)).toEqual(tensors[2]?.subarray(8, 12));
  expect(await trace.rows("nothing", 0, 1)).toBeUndefined();
});
