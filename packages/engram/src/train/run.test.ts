import { describe, expect, test } from "vitest";
import { ConfigError } from "../errors.js";
import { DNC } from "../models/dnc.js";
import { Random } from "../random.js";
import { createTask } from "../tasks/index.js";
import { Curriculum, type Progress, type RunOptions, Trainer, type TrainerOptions } from "./index.js";

const task = createTask("copy", { inputSize: 3 });

function trainer(options: TrainerOptions = {}): Trainer {
  const model = new DNC({ inputSize: 3, outputSize: 2, hiddenSize: 4, numHiddenLayers: 1, nrCells: 3, cellSize: 2, readHeads: 1, seed: 5 });
  return new Trainer(model, { learningRate: 0.01, ...options });
}

async function walk(of: Trainer, options: Partial<RunOptions>): Promise<Progress[]> {
  const reports: Progress[] = [];
  for await (const progress of of.run({ task, iterations: 10, batchSize: 2, yieldMs: 1e9, ...options })) reports.push(progress);
  return reports;
}

describe("Trainer.run", () => {
  test("takes the steps that step takes, whatever the reports in between", async () => {
    const byHand = trainer();
    const rng = new Random(1);
    const losses = Array.from({ length: 10 }, () => byHand.step(task.batch(rng, 2, rng.integer(1, 4))).loss);
    for (const yieldMs of [0, 1e9]) {
      const walked = trainer();
      const reports = await walk(walked, { rng: new Random(1), maxLength: 3, yieldMs });
      expect(reports.flatMap(({ steps }) => steps.map(({ loss }) => loss))).toEqual(losses);
      expect([...walked.model.stateDict()]).toEqual([...byHand.model.stateDict()]);
      expect(reports.length).toBe(yieldMs === 0 ? 10 : 1);
      expect(reports.at(-1)?.iteration).toBe(10);
    }
  });

  test("reports means over the batches since the report before, and each of them", async () => {
    const reports = await walk(trainer(), {});
    expect(reports.map(({ iteration, batches, maxLength }) => [iteration, batches, maxLength])).toEqual([[10, 10, 4]]); // 4: the task's own
    const [{ loss, gradNorm, steps }] = reports as [Progress];
    expect(loss).toBeCloseTo(steps.reduce((sum, step) => sum + step.loss, 0) / 10, 12);
    expect(gradNorm).toBeCloseTo(steps.reduce((sum, step) => sum + step.gradNorm, 0) / 10, 12);
  });

  test("the same model seed gives the same training", async () => {
    const [one, two] = [await walk(trainer(), {}), await walk(trainer(), {})];
    expect(one.map(({ steps }) => steps)).toEqual(two.map(({ steps }) => steps));
  });

  test("lengths follow a curriculum, which is told every loss", async () => {
    const lengths: number[] = [];
    const watched = {
      ...task,
      minLength: 3,
      maxLength: 99,
      batch: (rng: Random, batchSize: number, length: number) => {
        lengths.push(length);
        return task.batch(rng, batchSize, length);
      },
      score: task.score,
    };
    const curriculum = new Curriculum({ start: 1, increment: 1, frequency: 4 });
    const reports = await walk(trainer(), { task: watched, curriculum });
    expect(lengths.slice(0, 8)).toEqual([1, 1, 1, 1, 2, 2, 2, 2]); // never longer than the curriculum allows
    expect(curriculum.state().iteration).toBe(10);
    expect(reports.at(-1)?.maxLength).toBe(3);
  });

  test("an aborted signal ends it, leaving the loop too", async () => {
    const stop = new AbortController();
    const walked = trainer();
    for await (const { iteration } of walked.run({ task, iterations: 1000, batchSize: 2, yieldMs: 0, signal: stop.signal })) {
      if (iteration === 3) stop.abort();
    }
    expect(walked.stepCount).toBe(3);
    for await (const { iteration } of walked.run({ task, iterations: 1000, batchSize: 2, yieldMs: 0 })) if (iteration === 2) break;
    expect(walked.stepCount).toBe(5);
  });

  test("others get their turn in between", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await walk(trainer(), { iterations: 300, yieldMs: 1 });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(2);
  });

  test.each<[Partial<RunOptions>, RegExp]>([
    [{ iterations: 0 }, /Trainer\.run: iterations must be a whole number of 1 or more, got 0/],
    [{ batchSize: 1.5 }, /batchSize/],
    [{ maxLength: 0 }, /maxLength/],
    [{ yieldMs: -1 }, /yieldMs must be a number of 0 or more, got -1/],
    [{ batchsize: 4 } as object, /unknown option 'batchsize'; did you mean 'batchSize'\?/],
    [{ task: createTask("adding", { inputSize: 3 }) }, /has inputSize 3 and outputSize 3, the model 3 and 2/],
    [{ task: { ...task, batch: task.batch, score: task.score, readout: "last" } }, /needs loss .* and readout 'last'/],
  ])("%o is refused before anything is done", async (options, message) => {
    const walked = trainer();
    await expect(walk(walked, options)).rejects.toThrow(ConfigError);
    await expect(walk(walked, options)).rejects.toThrow(message);
    expect(walked.stepCount).toBe(0);
  });
});
