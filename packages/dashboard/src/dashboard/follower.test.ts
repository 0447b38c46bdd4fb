import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Follower } from "./follower.js";

/** What was shown, and when it began. */
interface Shown {
  readonly at: number;
  readonly runs: readonly number[];
}

describe("following runs", () => {
  let shown: Shown[];
  let begin: number;
  beforeEach(() => {
    vi.useFakeTimers();
    shown = [];
    begin = performance.now();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const follower = (ms: number) =>
    new Follower(async (runs) => {
      shown.push({ at: performance.now() - begin, runs });
      await new Promise((resolve) => setTimeout(resolve, ms));
    });
  /** Changes every two seconds, as the server tells them, up to the first rest. */
  const untilRest = async (followed: Follower) => {
    for (let i = 0; i < 6; i++) {
      followed.change(0, false);
      await vi.advanceTimersByTimeAsync(2000);
    }
    expect(shown.map(({ at }) => at)).toEqual([0, 2000, 4000, 6000, 8000, 10_000]);
  };

  test("a short run is seen at every change, a long one every few seconds", async () => {
    const followed = follower(40);
    await untilRest(followed);
    for (let second = 12; second < 40; second += 2) {
      followed.change(0, false);
      await vi.advanceTimersByTimeAsync(2000);
    }
    expect(shown.slice(6).map(({ at }) => at)).toEqual([18_040, 26_080, 34_120]);
  });

  test("a run that has ended is shown at once", async () => {
    const followed = follower(40);
    await untilRest(followed);
    followed.change(0, false);
    await vi.advanceTimersByTimeAsync(1000);
    followed.change(0, true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(shown.at(-1)?.at).toBe(13_000);
  });

  test("what is waiting is shown once the reader needs it, and nothing where nothing waits", async () => {
    const followed = follower(40);
    await untilRest(followed);
    followed.hurry();
    await vi.advanceTimersByTimeAsync(500);
    expect(shown).toHaveLength(6);
    followed.change(1, false);
    followed.hurry();
    await vi.advanceTimersByTimeAsync(0);
    expect(shown.at(-1)).toEqual({ at: 12_500, runs: [1] });
  });

  test("one update at a time: what changes meanwhile is in the next, each run once", async () => {
    const followed = follower(300);
    followed.change(0, false);
    await vi.advanceTimersByTimeAsync(100);
    for (const run of [2, 0, 2]) followed.change(run, true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(shown.map(({ runs }) => runs)).toEqual([[0], [2, 0]]);
  });
});
