import { afterEach, expect, test, vi } from "vitest";
import { Engine } from "./engine.js";
import { Relay, relayBytes } from "./relay.js";

afterEach(() => {
  vi.restoreAllMocks();
});

/** A relay on shared memory, and a clock to be set by hand. */
function bench() {
  const engine = Engine.createShared(2 ** 24);
  const relay = new Relay(engine, engine.allocate(relayBytes));
  const clock = vi.spyOn(performance, "now").mockReturnValue(1000);
  const settled = async (promise: Promise<void>) => {
    let state = "waiting";
    promise.then(
      () => (state = "done"),
      (error: Error) => (state = error.message),
    );
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    return state;
  };
  return { relay, clock, settled };
}

test("a wait during which the caller itself was stopped for long is not taken for a dead worker", async () => {
  const { relay, clock, settled } = bench();
  relay.announce("job", 1);
  const wait = relay.waitAsync(1);
  expect(await settled(wait)).toBe("waiting");
  clock.mockReturnValue(100_000); // Ctrl-Z, and back a minute and a half later
  expect(await settled(wait)).toBe("waiting");
  relay.finish();
  expect(await settled(wait)).toBe("done");
});

test("a worker that stays silent for five seconds of looking is given up, one that moves the pulse is not", async () => {
  const { relay, clock, settled } = bench();
  relay.announce("job", 1);
  let now = 1000;
  clock.mockImplementation(() => {
    now += 100;
    if (now < 20_000) relay.pulse();
    return now;
  });
  const wait = relay.waitAsync(1);
  const state = settled(wait);
  await expect(wait).rejects.toThrow(/a worker thread stopped in the middle of a step/);
  expect(now).toBeGreaterThan(24_900);
  expect(now).toBeLessThan(25_500);
  await state;
});
