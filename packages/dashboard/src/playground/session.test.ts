import { readCheckpoint } from "engram/files";
import { describe, expect, test } from "vitest";
import { parsePattern } from "./pattern.js";
import { Session } from "./session.js";
import { type Settings, standardSettings } from "./settings.js";

const small: Settings = {
  ...standardSettings("dnc", "copy"),
  inputSize: 4,
  maxLength: 3,
  hiddenSize: 12,
  nrCells: 6,
  cellSize: 5,
  batchSize: 8,
};
const forever = new AbortController().signal;

async function train(session: Session, iterations: number): Promise<number[]> {
  const losses: number[] = [];
  for await (const { steps } of session.train(forever, iterations)) losses.push(...steps.map(({ loss }) => loss));
  return losses;
}

describe("a session", () => {
  test("learns, and sums up what it learned", async () => {
    const session = Session.start(small);
    const losses = await train(session, 60);
    const { line, withoutReads } = await session.summarize();
    expect(losses).toHaveLength(60);
    expect(line).toMatchObject({ iteration: 60, maxLength: 3, learningRate: 3e-3 });
    expect(line.loss).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / 60, 10);
    expect(withoutReads).toBeGreaterThan(0.3);
    expect(line.accuracy).toBeGreaterThan(0.5);
    session.dispose();
  });

  test("goes on from a checkpoint to the bit, as if it had never stopped", async () => {
    const session = Session.start(small);
    await train(session, 10);
    const bytes = session.checkpoint();
    const ahead = await train(session, 10);
    const resumed = Session.load(bytes, "step-10.safetensors", { ...standardSettings("sam", "adding"), batchSize: 8 });
    expect(resumed.settings).toEqual({ ...small, sparseReads: 4 });
    expect(resumed.iteration).toBe(10);
    expect(await train(resumed, 10)).toEqual(ahead);
    expect(resumed.checkpoint()).toEqual(session.checkpoint());
  });

  test("looking at a sequence changes nothing, and has every tensor of a memory file", async () => {
    const session = Session.start(small);
    const before = session.checkpoint();
    const { header, tensors, score } = session.trace(parsePattern("101 011", "copy", 4));
    expect(session.checkpoint()).toEqual(before);
    expect(header).toMatchObject({ model: "dnc", task: "copy", iteration: 0, options: { nrCells: 6 } });
    expect(tensors.get("input")?.shape).toEqual([5, 4]);
    expect(tensors.get("debug.read_weights")?.shape).toEqual([5, 6]);
    expect([...(tensors.get("mask")?.data ?? [])]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
    expect(score.accuracy).toBeGreaterThanOrEqual(0);
  });

  test.each(["dnc", "sam", "sdnc"] as const)("%s has every task", async (model) => {
    for (const task of ["copy", "adding", "argmax"] as const) {
      const session = Session.start({ ...standardSettings(model, task), hiddenSize: 8, nrCells: 8, batchSize: 4 });
      await train(session, 2);
      const { tensors } = session.trace(task === "copy" ? [[1, 0, 1, 1, 0]] : [[1], [0]]);
      expect(tensors.get("output")?.data.every(Number.isFinite)).toBe(true);
      expect((await session.summarize()).line.iteration).toBe(2);
      session.dispose();
    }
  });

  test("a file that is no checkpoint, or of nothing known here, is refused by name", () => {
    expect(() => Session.load(new Uint8Array(10), "photo.jpg", small)).toThrow(/photo\.jpg/);
  });

  test("a checkpoint reads as the command line reads it", async () => {
    const session = Session.start(small);
    await train(session, 3);
    const { model, trainer, run } = readCheckpoint(session.checkpoint());
    expect([model.type, trainer.step, trainer.optimizer.name]).toEqual(["dnc", 3, "adam"]);
    expect(run).toMatchObject({
      task: "copy",
      iteration: 3,
      curriculum: { maxLength: 3 },
      random: { seed: 1, stream: 1 },
      sinceSummary: { count: 3 },
    });
  });
});
