// engram evaluate: how well a run's model does, at the lengths it was trained on and at longer ones.
import { Command, InvalidArgumentError } from "commander";
import { RunFolder } from "engram/node";
import { createTask } from "engram/tasks";
import { ablationFile, ablations, ablationTable, scoresAsIs } from "../ablationReport.js";
import { MemoryWatcher } from "../memoryTrace.js";
import { generalization, generalizationTable } from "../report.js";
import { checkRunConfig } from "../runConfig.js";
import { readRunCheckpoint } from "../runState.js";
import { Screen } from "../screen.js";

interface EvaluateFlags {
  readonly seed: number;
  readonly ablate?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function evaluateCommand(): Command {
  return new Command("evaluate")
    .description("Tests a run's newest checkpoint on fresh sequences, up to ten times as long as it was trained on.")
    .argument("<run>", "the run's folder")
    .option("--seed <n>", "seed of the sequences", parseSeed, 1)
    .option("--ablate", "also score it with its reads zeroed and with half the cells; kept in the run for its dashboard")
    .option("--json", "print JSON")
    .option("--quiet", "print the scores only")
    .helpOption("-h, --help", "print this")
    .action((run: string, flags: EvaluateFlags) => evaluate(run, flags));
}

function parseSeed(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number of 0 or more.");
}

async function evaluate(path: string, { seed, ablate = false, json = false, quiet = false }: EvaluateFlags): Promise<void> {
  const screen = new Screen({ json, quiet });
  const folder = RunFolder.open(path);
  const { task: description } = checkRunConfig(folder.readConfig(), folder.path);
  const task = createTask(description.name, { inputSize: description.inputSize });
  const { iteration, checkpoint, skipped } = folder.latestCheckpoint(readRunCheckpoint);
  for (const { error } of skipped) screen.warn(`skipped ${error.message}`);
  const { model, run } = checkpoint;
  const { maxLength } = run.curriculum;
  screen.say(`${task.name}, ${model.type.toUpperCase()} after ${iteration} iterations`);
  const ablated = ablate ? await ablations(model, task, maxLength, seed) : undefined;
  const evaluation = ablated === undefined ? await generalization(model, task, maxLength, seed) : scoresAsIs(ablated);
  const ablation = ablated === undefined ? undefined : ablationFile(ablated, iteration, seed);
  if (ablation !== undefined) keep(folder, ablation, screen);
  screen.json("result", { run: folder.path, iteration, evaluation, ablation });
  if (!json) screen.result(generalizationTable(task, evaluation));
  if (!json && ablated !== undefined) screen.result(`\n${ablationTable(task, model, ablated)}`);
  const drawing = new MemoryWatcher(model, task, seed).draw(maxLength, screen.columns);
  if (drawing !== "") screen.say(`\n${drawing}`);
}

/** A run that may only be read can still be looked at. */
function keep(folder: RunFolder, ablation: object, screen: Screen): void {
  try {
    folder.writeAblation(ablation);
  } catch (error) {
    screen.warn(`${folder.path}: the dashboard will not show this: ${error instanceof Error ? error.message : String(error)}`);
  }
}
