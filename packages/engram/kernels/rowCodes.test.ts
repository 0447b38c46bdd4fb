import { expect, test } from "vitest";
import { descriptorBytes } from "../src/engine/engine.js";
import { descriptors } from "../src/engine/kernels.generated.js";
import { randomRotation } from "../src/memory/rotation.js";
import { KernelBench, padRows } from "../test/kernelBench.js";
import { seeded, uniform } from "../test/random.js";
import { levelsReference, turnedReference } from "../test/reference/rowCodes.js";

/** A struct whose other fields are zero. */
function putStruct<D extends keyof typeof descriptors>(bench: KernelBench, name: D, fields: Partial<Record<string, number>>): number {
  const at = bench.zeros(descriptorBytes(name) / 4);
  const all = Object.fromEntries(descriptors[name].map((field) => [field, fields[field] ?? 0]));
  bench.engine.writeDescriptor(at, name, all as Parameters<typeof bench.engine.writeDescriptor<D>>[2]);
  return at;
}

test.each([1, 3, 5, 7, 17, 32, 33])("codes of rows of %i values are those of float64", (cellSize) => {
  const bench = new KernelBench();
  const touched = 37; // no whole number of blocks
  const [wordWidth, codeBytes] = [Math.ceil(cellSize / 4) * 4, Math.ceil(cellSize / 8) * 2];
  const next = seeded(cellSize);
  const values = uniform(next, touched * cellSize);
  values.fill(0, 5 * cellSize, 6 * cellSize);
  values.subarray(6 * cellSize, 7 * cellSize).forEach((x, i, word) => {
    word[i] = 1e-3 * x; // ε counts
  });
  const memory = bench.put(padRows(values, cellSize, wordWidth));
  const [inverseNorms, codes] = [bench.room(touched), bench.room(48 * (codeBytes / 4))];
  const rotation = randomRotation(4 * codeBytes, wordWidth);
  const rows = putStruct(bench, "TouchedRows", { touched, memory, inverseNorms, codes });
  bench.kernels.rowNorms(inverseNorms, memory, touched, wordWidth);
  bench.kernels.encodeRows(putStruct(bench, "SparseMemory", { wordWidth, codeBytes, rotation: bench.put(rotation) }), rows);

  const bytes = bench.engine.u8(codes, 48 * codeBytes);
  let compared = 0;
  for (let row = 0; row < touched; row++) {
    const turned = turnedReference(values.subarray(row * cellSize, (row + 1) * cellSize), rotation);
    const want = levelsReference(turned);
    for (const [d, value] of turned.entries()) {
      // Within rounding of a threshold either side is right; exact zeros are on the side of float64.
      if (value !== 0 && [-0.9816, 0, 0.9816].some((threshold) => Math.abs(value - threshold) < 1e-5)) continue;
      const byte = bytes[(row - (row % 16)) * codeBytes + Math.floor(d / 4) * 16 + (row % 16)] as number;
      expect((byte >> (2 * (d % 4))) & 3, `row ${row}, dimension ${d}`).toBe(want[d]);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(0.99 * touched * 4 * codeBytes);
  expect(bench.engine.i32(rows, descriptors.TouchedRows.length)[descriptors.TouchedRows.indexOf("filled")]).toBe(touched - 1);
});
