import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createSchedule, type Schedule } from "./schedules.js";

const reference = JSON.parse(readFileSync(new URL("../../test/fixtures/optimizers.json", import.meta.url), "utf8")) as {
  schedules: { base: number; rates: Record<string, number[]> };
};
const { base, rates } = reference.schedules;

const asPyTorch: Record<string, Schedule> = {
  "StepLR(step_size=7, gamma=0.3)": { type: "step", stepSize: 7, gamma: 0.3 },
  "CosineAnnealingLR(T_max=39)": { type: "cosine", steps: 39 },
  "CosineAnnealingLR(T_max=39, eta_min=0.02)": { type: "cosine", steps: 39, minimum: 0.02 },
  "LinearLR()": { type: "warmUp", steps: 5 },
  "LinearLR(start_factor=0.1, total_iters=12)": { type: "warmUp", steps: 12, startFactor: 0.1 },
  "SequentialLR([LinearLR(start_factor=0.1, total_iters=8), CosineAnnealingLR(T_max=31)], milestones=[8])": {
    type: "warmUp",
    steps: 8,
    startFactor: 0.1,
    followedBy: { type: "cosine", steps: 31 },
  },
};

test.each(Object.keys(rates))("as PyTorch's %s for 40 updates", (name) => {
  const rateAt = createSchedule(asPyTorch[name] as Schedule);
  const want = rates[name] as number[];
  // PyTorch multiplies its way from rate to rate: up to 40 roundings of 2⁻⁵³ relative to the largest rate.
  expect(want.map((_, updates) => rateAt(base, updates))).toBeClose(want, { rtol: 40 * 2 ** -53 });
});

describe("cosine", () => {
  const rateAt = createSchedule({ type: "cosine", steps: 1000, minimum: 1e-5 });

  test("begins and ends exactly, stays at its minimum, falls all the way", () => {
    expect(rateAt(1e-3, 0)).toBe(1e-3);
    for (const updates of [1000, 1001, 1e9]) expect(rateAt(1e-3, updates)).toBe(1e-5);
    for (let updates = 0; updates < 1000; updates++) expect(rateAt(1e-3, updates + 1)).toBeLessThan(rateAt(1e-3, updates));
  });

  test("is within 2⁻⁵¹ of the true cosine everywhere", () => {
    const unit = createSchedule({ type: "cosine", steps: 7919 });
    for (let updates = 0; updates <= 7919; updates++) {
      const half = Math.cos((Math.PI * updates) / 7919 / 2); // (1 + cos πx) / 2 = cos²(πx/2)
      expect(Math.abs(unit(1, updates) - half * half)).toBeLessThan(2 ** -51);
    }
  });
});

test("step divides by 10 unless told otherwise", () => {
  const rateAt = createSchedule({ type: "step", stepSize: 3 });
  expect([0, 2, 3, 5, 6].map((updates) => rateAt(1, updates))).toEqual([1, 1, 0.1, 0.1, 0.1 * 0.1]);
  expect(createSchedule({ type: "step", stepSize: 1, gamma: 0.5 })(1, 20)).toBe(2 ** -20);
  expect(createSchedule({ type: "step", stepSize: 1, gamma: 0 })(1, 1e9)).toBe(0);
});

test("warm-up reaches exactly what follows it", () => {
  const rateAt = createSchedule({ type: "warmUp", steps: 10, startFactor: 0, followedBy: { type: "step", stepSize: 5, gamma: 0.5 } });
  expect([0, 5, 10, 14, 15].map((updates) => rateAt(0.1, updates))).toEqual([0, 0.05, 0.1, 0.1, 0.05]);
});

test.each([
  [{ type: "cosin", steps: 1 }, "schedule.type must be one of step, cosine, warmUp, got cosin; did you mean 'cosine'?"],
  [
    { type: "step", step_size: 3 },
    "schedule.step_size is not an option of a 'step' schedule (it has stepSize, gamma); did you mean 'stepSize'?",
  ],
  [{ type: "step" }, "schedule.stepSize must be a whole number of updates, at least 1, got undefined"],
  [{ type: "step", stepSize: 2, gamma: -1 }, "schedule.gamma must be a finite number, at least 0, got -1"],
  [{ type: "cosine", steps: 0 }, "schedule.steps must be a whole number of updates, at least 1, got 0"],
  [{ type: "cosine", steps: 5, minimum: Number.NaN }, "schedule.minimum must be a finite number, at least 0, got NaN"],
  [{ type: "warmUp", steps: 5, followedBy: { type: "cosine", steps: 1.5 } }, "schedule.followedBy.steps must be a whole number"],
  ["cosine", "schedule must be an object with a type, got cosine"],
])("%j is refused", (schedule, message) => {
  const make = () => createSchedule(schedule as Schedule);
  expect(make).toThrow(expect.objectContaining({ code: "CONFIG", message: expect.stringContaining(message) }));
});
