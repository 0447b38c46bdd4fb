import { expect, test } from "vitest";
import { seeded } from "../../test/syntheticRun.js";
import { type Decimal, readDecimal } from "./decimal.js";

/** What is read of a text; undefined where nothing is. */
function read(text: string): number | undefined {
  const out: Decimal = { value: 0, end: 0 };
  readDecimal(new TextEncoder().encode(`[${text}]`), 1, out);
  return out.end === text.length + 1 ? out.value : undefined;
}

test("doubles of every size, printed as JSON prints them, come back to the bit", () => {
  const random = seeded(5);
  const bits = new DataView(new ArrayBuffer(8));
  for (let i = 0; i < 200_000; i++) {
    // Half of them of the size that metrics have, half of any.
    if (i % 2 === 0) bits.setFloat64(0, (random() - 0.5) * 10 ** Math.floor(24 * random() - 12));
    else for (let half = 0; half < 2; half++) bits.setUint32(4 * half, Math.floor(2 ** 32 * random()));
    const value = bits.getFloat64(0);
    if (!Number.isFinite(value)) continue;
    const text = JSON.stringify(value);
    const got = read(text);
    if (got === undefined && /^-?\d{18}/.test(text)) continue; // whole numbers above 10¹⁷: not worth the trouble
    if (!Object.is(got, value)) expect.fail(`${value} came back as ${got}`);
  }
});

test("digits that no double prints as, halfway between two doubles and next to it, as JSON.parse reads them", () => {
  const random = seeded(6);
  const digits = (count: number) => Array.from({ length: count }, () => Math.floor(10 * random())).join("");
  const texts = [
    "9007199254740993",
    "0.30000000000000004",
    "1.0000000000000002",
    "0.10000000000000001",
    "9007199254740993.0",
    "-0",
    "-0.0",
    "0e5",
  ];
  for (let i = 0; i < 100_000; i++) texts.push(`${1 + Math.floor(9 * random())}.${digits(Math.floor(17 * random()) + 1)}`);
  for (let i = 0; i < 20_000; i++) texts.push(`0.${"0".repeat(i % 8)}${digits(16)}`, `${1 + (i % 9)}${digits(15)}e-${i % 30}`);
  for (const text of texts) {
    const got = read(text);
    if (got !== undefined && !Object.is(got, JSON.parse(text))) expect.fail(`${text} came back as ${got}`);
  }
  expect(read("9007199254740993")).toBe(9007199254740992);
});

test("what JSON does not allow is no number", () => {
  for (const text of ["", "-", "01", "00", "1.", ".5", "+1", "1e", "1e+", "1.2.3", "NaN", "Infinity", "--1", "0x10"]) {
    expect(read(text), text).toBeUndefined();
  }
});
