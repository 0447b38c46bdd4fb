import { createTask, Random } from "engram/tasks";
import { expect, test } from "vitest";
import { parsePattern, patternBatch, patternText, randomPattern } from "./pattern.js";

test("bits: a word each step, long words are cut into steps, the end is filled with zeros", () => {
  expect(parsePattern(" 101 011\n1", "copy", 4)).toEqual([
    [1, 0, 1],
    [0, 1, 1],
    [1, 0, 0],
  ]);
  expect(parsePattern("1010111", "copy", 4)).toEqual([
    [1, 0, 1],
    [0, 1, 1],
    [1, 0, 0],
  ]);
  expect(
    patternText(
      [
        [1, 0, 1],
        [0, 1, 1],
      ],
      "copy",
    ),
  ).toBe("101 011");
});

test("numbers", () => {
  expect(parsePattern("3, 1 4", "argmax", 10)).toEqual([[3], [1], [4]]);
  expect(patternText([[3], [1], [4]], "adding")).toBe("3 1 4");
});

test.each([
  ["", "copy", /Type bits/],
  ["102", "copy", /'102' is not/],
  [Array(40).fill("1").join(" "), "copy", /At most 32 steps; this has 40/],
  ["4", "adding", /two numbers or more/],
  ["1 9", "argmax", /from 0 to 8; '9' does not/],
  ["1 -2", "argmax", /'-2' does not/],
] as const)("'%s' for %s is refused in words", (text, task, message) => {
  expect(() => parsePattern(text, task, 10)).toThrow(message);
});

test("a batch is what the task itself makes of the same sequence", () => {
  for (const name of ["copy", "adding", "argmax"] as const) {
    const task = createTask(name);
    const batch = task.batch(new Random(3), 1, 7);
    const { inputSize } = task;
    const steps = Array.from({ length: 7 }, (_, t) => [...batch.input.data.subarray(t * inputSize, (t + 1) * inputSize - 1)]);
    const pattern = name === "copy" ? steps : steps.map((oneHot) => [oneHot.indexOf(1)]);
    expect(patternBatch(pattern, task), name).toEqual(batch);
  }
});

test("random patterns are of the task's kind", () => {
  expect(randomPattern("copy", 5, 3, new Random(1)).map((bits) => bits.length)).toEqual([4, 4, 4]);
  expect(randomPattern("adding", 3, 50, new Random(1)).every(([value = 9]) => value <= 1)).toBe(true);
});
