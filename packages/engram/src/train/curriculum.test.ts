import { expect, test } from "vitest";
import { ConfigError } from "../errors.js";
import { Curriculum } from "./curriculum.js";

/** The maximum lengths in force at iterations 0, 1, …: before each of them is counted. */
function lengths(curriculum: Curriculum, losses: number[]): number[] {
  return losses.map((loss) => {
    const length = curriculum.maxLength;
    curriculum.update(loss);
    return length;
  });
}

test("without rules the maximum stays", () => {
  expect(lengths(new Curriculum({ start: 4 }), [0, 0, 0, 0])).toEqual([4, 4, 4, 4]);
});

test("grows by the increment every `frequency` iterations, up to the limit", () => {
  const curriculum = new Curriculum({ start: 4, increment: 2, frequency: 3, limit: 9 });
  expect(lengths(curriculum, Array(12).fill(1))).toEqual([4, 4, 4, 6, 6, 6, 8, 8, 8, 9, 9, 9]);
});

test("doubles when the mean loss of a window is below the threshold, and only then", () => {
  const curriculum = new Curriculum({ start: 3, doubleBelow: 0.5, window: 2, limit: 20 });
  expect(lengths(curriculum, [0, 0.9, 0, 1, 2, 0, 0.4, 0.4, 0, 0, 0, 0, 0])).toEqual([3, 3, 6, 6, 6, 6, 6, 6, 12, 12, 20, 20, 20]);
  expect(curriculum.update(0)).toBe(false);
});

test("a loss that is not a number never makes it grow", () => {
  const curriculum = new Curriculum({ start: 3, doubleBelow: 0.5, window: 1 });
  expect(curriculum.update(Number.NaN)).toBe(false);
});

test("goes on exactly where its state, through JSON, was taken", () => {
  const options = { start: 2, increment: 1, frequency: 5, doubleBelow: 0.3, window: 7, limit: 500 };
  const losses = Array.from({ length: 60 }, (_, i) => ((i * 37) % 100) / 150);
  const whole = new Curriculum(options);
  const wanted = lengths(whole, losses);
  for (const cut of [1, 6, 7, 33]) {
    const first = new Curriculum(options);
    const before = lengths(first, losses.slice(0, cut));
    const second = new Curriculum(options, JSON.parse(JSON.stringify(first.state())));
    expect([...before, ...lengths(second, losses.slice(cut))]).toEqual(wanted);
    expect(second.state()).toEqual(whole.state());
  }
});

test("an option out of range is a ConfigError that names it", () => {
  expect(() => new Curriculum({ start: 0 })).toThrow(ConfigError);
  expect(() => new Curriculum({ start: 1, increment: -1 })).toThrow(/increment must be a whole number of 0 or more, got -1/);
  expect(() => new Curriculum({ start: 1, frequency: 0.5 })).toThrow(/frequency/);
  expect(() => new Curriculum({ start: 1, doubleBelow: Number.NaN })).toThrow(/doubleBelow/);
});
