import { describe, expect, test } from "vitest";
import { parseHex, RAMP_SIZE, ramp, type Theme, toOklab } from "./colors.js";

/** How colours look without one kind of cone: Machado, Oliveira and Fernandes 2009, table 1, severity 1.0, on linear RGB. */
const visions: Readonly<Record<string, readonly number[]>> = {
  normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
};

function seen(rgb: readonly number[], matrix: readonly number[]): readonly [number, number, number] {
  const linear = rgb.map((value) => (value <= 10.31475 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  const mixed = [0, 1, 2].map((row) => linear.reduce((sum, value, i) => sum + value * (matrix[3 * row + i] as number), 0));
  return mixed.map((value) => {
    const clamped = Math.min(1, Math.max(0, value));
    return 255 * (clamped <= 0.0031308 ? 12.92 * clamped : 1.055 * clamped ** (1 / 2.4) - 0.055);
  }) as unknown as [number, number, number];
}

const distance = (a: readonly number[], b: readonly number[]) => Math.hypot(...a.map((value, i) => value - (b[i] as number)));

describe.each(["light", "dark"] satisfies Theme[])("the %s ramps", (theme) => {
  describe.each(Object.entries(visions))("with %s vision", (_, matrix) => {
    const sequential = ramp(theme, "sequential").map((color) => toOklab(seen(color, matrix)));
    const diverging = ramp(theme, "diverging").map((color) => toOklab(seen(color, matrix)));

    test("more is darker in the light theme and lighter in the dark one, all the way", () => {
      const direction = theme === "light" ? -1 : 1;
      for (let i = 8; i < RAMP_SIZE; i++) {
        // Over 8 of 256 colours, so that rounding to bytes does not matter.
        expect(direction * ((sequential[i] as readonly number[])[0] as number)).toBeGreaterThan(
          direction * ((sequential[i - 8] as readonly number[])[0] as number),
        );
      }
      expect(Math.abs((sequential[0]?.[0] ?? 0) - (sequential[RAMP_SIZE - 1]?.[0] ?? 0))).toBeGreaterThan(0.6);
    });

    test("a value and its negative are never alike, nor like zero", () => {
      const zero = diverging[RAMP_SIZE / 2] as readonly number[];
      for (let i = 32; i < RAMP_SIZE / 2; i += 8) {
        const [plus, minus] = [diverging[RAMP_SIZE / 2 + i] as readonly number[], diverging[RAMP_SIZE / 2 - i] as readonly number[]];
        expect(distance(plus, minus)).toBeGreaterThan(0.08); // four times a just noticeable difference
        expect(distance(plus, zero)).toBeGreaterThan(0.08);
        expect(distance(minus, zero)).toBeGreaterThan(0.08);
      }
    });
  });
});

test("OKLab of white, and hexadecimal colours", () => {
  expect(toOklab([255, 255, 255]).map((value) => Number(value.toFixed(4)))).toEqual([1, 0, 0].map((value) => expect.closeTo(value, 3)));
  expect(parseHex("#0a80ff")).toEqual([10, 128, 255]);
});
