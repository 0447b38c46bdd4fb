import { expect, test } from "vitest";
import { randomRotation } from "./rotation.js";

test.each([1, 5, 8, 20, 33])("the rotation of cells of %i values keeps every length and angle, times √D", (cellSize) => {
  const width = Math.ceil(cellSize / 4) * 4;
  const size = Math.ceil(cellSize / 8) * 8;
  const rotation = randomRotation(size, width);
  const columns = Array.from({ length: width }, (_, i) =>
    Float64Array.from({ length: size }, (_, d) => rotation[(Math.floor(d / 4) * width + i) * 4 + (d % 4)] as number),
  );
  for (const [i, one] of columns.entries()) {
    for (const [j, other] of columns.entries()) {
      const product = one.reduce((sum, value, d) => sum + value * (other[d] as number), 0) / size;
      expect(Math.abs(product - (i === j ? 1 : 0))).toBeLessThan(1e-6); // float32 entries
    }
  }
});

test("it is the same whenever it is made", () => {
  expect(randomRotation(16, 12)).toEqual(randomRotation(16, 12));
});
