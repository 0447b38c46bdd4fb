import { expect, test } from "vitest";
import { Pace } from "./pace.js";

/** Updates that take so long, each as soon as it may come. @returns when they began */
function begins(pace: Pace, lengths: readonly number[]): number[] {
  let now = 0;
  return lengths.map((length) => {
    now += pace.wait(now);
    const begin = now;
    now += length;
    pace.spend(length, now);
    return begin;
  });
}

test("the first few updates follow each other without a rest", () => {
  expect(begins(new Pace(), [300, 80, 80, 80, 80, 80])).toEqual([0, 300, 380, 460, 540, 620]);
});

test("in the long run updates take half a hundredth of the time", () => {
  const starts = begins(new Pace(), Array(205).fill(25));
  const [from = 0, to = 0] = [starts[5], starts[204]];
  const share = (199 * 25) / (to - from);
  expect(share).toBeLessThan(0.005);
  expect(share).toBeGreaterThan(0.0049);
});

test("never is a rest longer than 10 s, and none is left where nothing changed for that long", () => {
  const pace = new Pace();
  begins(pace, Array(5).fill(100));
  pace.spend(2000, 50_000);
  expect([50_000, 53_000, 60_000, 90_000].map((now) => pace.wait(now))).toEqual([10_000, 7000, 0, 0]);
});
