import { expect, test } from "vitest";
import { createModel } from "../models/createModel.js";
import type { ArenaJob } from "./arenaJobs.js";
import { arenaSlices, runArenaJob } from "./arenaJobs.js";
import { ArenaPasses } from "./arenaPasses.js";
import { createOptimizer } from "./optimizers.js";

test.each([1, 65_536, 65_537, 1_000_003, 8_388_609, 100_000_001])("%i weights are cut into slices that leave none out", (count) => {
  const { lanes, slice } = arenaSlices(count);
  expect(slice % 8).toBe(0); // whole vectors in all but the last
  expect(lanes).toBeLessThanOrEqual(128);
  expect((lanes - 1) * slice).toBeLessThan(count);
  expect(lanes * slice).toBeGreaterThanOrEqual(count);
});

const makeModel = (hiddenSize: number) => createModel("dnc", { inputSize: 3, hiddenSize, nrCells: 4, cellSize: 5, readHeads: 1, seed: 2 });

test("the norm of all gradients is that of their slices together", () => {
  const core = makeModel(150).live("test");
  const { count, gradients } = core.weights;
  expect(arenaSlices(count).lanes).toBeGreaterThan(1);
  const shared: string[] = [];
  const passes = new ArenaPasses(core, createOptimizer("sgd", {}, core.network.parameters), (job) => {
    shared.push(`${job.arena} ${job.lanes}`);
    for (let lane = job.lanes - 1; lane >= 0; lane--) runArenaJob(core.engine, core.network, job, lane);
  });
  core.engine.f32(gradients, count).fill(0.5);
  expect(passes.sum(undefined, true, 1, undefined)).toBe(Math.sqrt(count / 4));
  expect(shared).toEqual([`sum ${arenaSlices(count).lanes}`]);
});

test("a thread lost in the middle of an update is said to leave it half done", () => {
  const core = makeModel(150).live("test");
  const lose = (job: ArenaJob) => {
    runArenaJob(core.engine, core.network, job, 0);
    throw new Error("gone");
  };
  const passes = new ArenaPasses(core, createOptimizer("sgd", {}, core.network.parameters), lose);
  expect(() => passes.update(1, 0.1, {})).toThrow(
    expect.objectContaining({
      code: "ENGINE",
      message: expect.stringMatching(/some of the weights are updated and some are not; go back to a checkpoint/),
    }),
  );
});
