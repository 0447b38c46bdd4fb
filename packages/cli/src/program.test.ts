import type { Command } from "commander";
import { createTask, type TaskName } from "engram/tasks";
import { describe, expect, test } from "vitest";
import { prepareArguments } from "./arguments.js";
import type { Settings } from "./flags.js";
import { createProgram } from "./program.js";
import { resolveSettings, trainerOptions } from "./settings.js";

const WIDEST = 80;

interface Understood {
  task: TaskName | undefined;
  given: Partial<Settings>;
}

/** What a line means, or the error that it gives. */
async function understand(line: string | readonly string[]): Promise<Understood> {
  let understood: Understood = { task: undefined, given: {} };
  const program = createProgram((task, given) => {
    understood = { task, given };
  });
  let written = "";
  for (const command of [program, ...program.commands])
    command.configureOutput({ writeErr: (text) => (written += text), writeOut: (text) => (written += text) });
  try {
    await program.parseAsync(prepareArguments(typeof line === "string" ? line.split(" ") : line), { from: "user" });
  } catch (error) {
    throw new Error(`${written}${(error as Error).message}`);
  }
  return understood;
}

describe("help", () => {
  const helpOf = (command: Command) => command.helpInformation() + command.name();
  const commands = [createProgram(), ...createProgram().commands];
  test.each(commands.map((command) => [command.name(), command] as const))("of %s fits 80 columns", (_, command) => {
    for (const line of helpOf(command).split("\n")) expect(line.length).toBeLessThanOrEqual(WIDEST);
  });

  test("of train shows every flag of the Python package with its default, in groups", () => {
    const help = helpOf(createProgram().commands.find((command) => command.name() === "train") as Command);
    const flags =
      `input_size rnn_type nhid dropout memory_type nlayer nhlayer lr optim clip batch_size mem_size mem_slot read_heads sparse_reads
      temporal_reads sequence_max_length curriculum_increment curriculum_freq cuda iterations summarize_freq check_freq visdom`.split(
        /\s+/,
      );
    for (const flag of flags) expect(help).toContain(`--${flag} `);
    for (const group of ["The task:", "The network:", "Its memory:", "Learning:", "The run:"]) expect(help).toContain(`\n${group}\n`);
    expect(help).toMatch(/\[6; adding 3,\s+argmax 10\]/);
  });
});

describe("what is typed wrong is named, with the nearest that is right", () => {
  test.each([
    ["train copy --batchsize 32", /unknown option '--batchsize'\s+\(Did you mean --batch_size\?\)/],
    ["train copy -mem_slots 32", /Did you mean --mem_slot\?/],
    ["train copy --optimizer adam", /unknown option '--optimizer'\s+\(Did you mean --optim\?\)/],
    ["train copy --batch 32", /Did you mean --batch_size\?/],
    ["train copy --hiddenSize 32", /Did you mean --nhid\?/],
    ["train copy --learning-rate=1", /unknown option '--learning_rate'\s+\(Did you mean --lr\?\)/],
    ["train copy --out x --no-quite", /unknown option '--no_quite'\s+\(Did you mean --quiet\?\)/],
    ["train copy --zzzzzzzzz", /unknown option '--zzzzzzzzz'\s+\(engram train --help lists all flags\)/],
    ["trane copy", /unknown command 'trane'\s+\(Did you mean train\?\)/],
    ["train copi", /The tasks are copy, adding, argmax; did you mean 'copy'\?/],
    ["train", /which task\?/],
    ["train copy -optim adma", /'adma' is invalid. It must be one of adam, .*; did you mean 'adam'\?/],
    ["train copy -batch_size 0", /a whole number of 1 or more; the nearest is 1/],
    ["train copy -mem_slot 1.6", /the nearest is 2/],
    ["train copy -lr fast", /'fast' is invalid. It must be a number above 0/],
    ["train copy -dropout 1", /0 or more and below 1/],
    ["train copy -nhid", /'--nhid <n>' argument missing/],
    ["train copy --preset quik", /no preset 'quik' for copy; .*did you mean 'quick'\?/],
    ["evaluate", /missing required argument 'run'/],
  ])("%s", async (line, message) => {
    await expect(understand(line)).rejects.toThrow(message);
  });
});

describe("flags", () => {
  test("all spellings mean the same", async () => {
    for (const line of ["-batch_size 32", "--batch_size 32", "--batch-size 32", "--batch-size=32", "-batch_size=32", "-batch-size 32"]) {
      expect(await understand(`train copy ${line}`)).toEqual({ task: "copy", given: { batch_size: 32 } });
    }
  });

  test("switches are off unless given, and can be taken back", async () => {
    const { given } = await understand("train copy --quiet -visdom --no-quiet --json=false");
    expect(given).toEqual({ quiet: false, visdom: true, json: false });
    expect(resolveSettings("copy", given)).toMatchObject({ quiet: false, json: false, dashboard: true, stop_when_solved: false });
  });

  test("numbers may be written in any way, paths may be Windows'", async () => {
    const { given } = await understand(["train", "copy", "-lr", "1e-3", "-clip", ".5", "--out", "C:\\runs\\my run", "-cuda", "-1"]);
    expect(given).toEqual({ lr: 1e-3, clip: 0.5, out: "C:\\runs\\my run", cuda: -1 });
  });

  test("a preset's flags count from where it stands: later ones win", async () => {
    const { given } = await understand("train copy -lr 0.5 --preset quick -mem_slot 5 --no-stop-when-solved");
    expect(given).toMatchObject({ preset: "quick", mem_slot: 5, stop_when_solved: false });
    expect(given.lr).not.toBe(0.5);
  });

  test("the learning rate stays unless a cosine is asked for", async () => {
    const { given } = await understand("train copy --lr 0.01 --lr-cosine 500");
    const task = createTask("copy");
    expect(trainerOptions(resolveSettings("copy", given), task)).toMatchObject({
      learningRate: 0.01,
      schedule: { type: "cosine", steps: 500 },
    });
    expect(trainerOptions(resolveSettings("copy", {}), task)).not.toHaveProperty("schedule");
  });

  test("defaults depend on the task", () => {
    const defaults = (["copy", "adding", "argmax"] as const).map((task) => resolveSettings(task, {}));
    expect(defaults.map(({ input_size }) => input_size)).toEqual([6, 3, 10]);
    expect(defaults.map(({ sequence_max_length }) => sequence_max_length)).toEqual([4, 100, 15]);
    expect(defaults.map(({ iterations }) => iterations)).toEqual([100_000, 2000, 2000]);
    expect(resolveSettings("copy", {}, new Date(2026, 0, 2, 3, 4, 5)).out).toMatch(/^runs.copy-2026-01-02-03-04-05$/);
    expect(resolveSettings("copy", {}).threads).toBeGreaterThanOrEqual(1);
  });

  // The commands of pytorch-dnc's README, with `python ./tasks/copy_task.py` and so on replaced.
  test.each([
    "copy -cuda 0 -optim rmsprop -batch_size 32 -mem_slot 64",
    "copy -cuda 0 -lr 0.001 -rnn_type lstm -nlayer 1 -nhlayer 2 -dropout 0 -mem_slot 32 -batch_size 1000 -optim adam -sequence_max_length 8",
    "copy -cuda 0 -lr 0.001 -rnn_type lstm -memory_type sdnc -nlayer 1 -nhlayer 2 -dropout 0 -mem_slot 100 -mem_size 10 -read_heads 1 -sparse_reads 10 -batch_size 20 -optim adam -sequence_max_length 10",
    "copy -cuda 0 -lr 0.001 -rnn_type lstm -memory_type sdnc -nlayer 1 -nhlayer 2 -dropout 0 -mem_slot 100 -mem_size 10 -read_heads 1 -sparse_reads 4 -temporal_reads 4 -batch_size 20 -optim adam -sequence_max_length 4 -curriculum_increment 2 -curriculum_freq 10000",
    "copy -cuda 0",
    "adding -cuda 0 -lr 0.0001 -rnn_type lstm -memory_type sam -nlayer 1 -nhlayer 1 -nhid 100 -dropout 0 -mem_slot 1000 -mem_size 32 -read_heads 1 -sparse_reads 4 -batch_size 20 -optim rmsprop -input_size 3 -sequence_max_length 100",
    "argmax -cuda 0 -lr 0.0001 -rnn_type lstm -memory_type dnc -nlayer 1 -nhlayer 1 -nhid 100 -dropout 0 -mem_slot 100 -mem_size 10 -read_heads 2 -batch_size 1 -optim rmsprop -sequence_max_length 15 -input_size 10 -iterations 10000",
  ])("the Python package's %s", async (line) => {
    const words = line.split(" ");
    const { task, given } = await understand(["train", ...words]);
    expect(task).toBe(words[0]);
    const typed = Object.fromEntries(
      Array.from({ length: (words.length - 1) / 2 }, (_, i) => [words[2 * i + 1]?.slice(1), words[2 * i + 2]]),
    );
    expect(Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]))).toEqual(typed);
  });
});
