// engram train: learns one of the tasks in a run folder, or goes on with a run.
import { Command, InvalidArgumentError, Option } from "commander";
import { didYouMean } from "engram";
import { type TaskName, taskNames } from "engram/tasks";
import { BadValue, describeDefault, type FlagName, flagNames, isSwitch, type Settings, trainFlags } from "../flags.js";
import { presets } from "../presets.js";
import { UsageError } from "../usage.js";

/** What the command does with a task and the flags that were typed. */
export type TrainAction = (task: TaskName | undefined, given: Partial<Settings>) => void | Promise<void>;

export function trainCommand(action: TrainAction): Command {
  const command = new Command("train")
    .description("Trains a network on a task, in a folder from which training can go on.")
    .argument("[task]", taskNames.join(", "), parseTask)
    .addHelpOption(new Option("-h, --help", "print this").helpGroup(trainFlags.seed.group))
    .addHelpText("after", helpAfter());
  for (const name of flagNames) addFlag(command, name);
  command.addOption(new Option("--preset <name>", "many flags at once, see below; flags that follow win").helpGroup(trainFlags.seed.group));
  return command.action((task: TaskName | undefined, given: Partial<Settings>) => action(task ?? taskOf(given), given));
}

/** Which task to go on with says the run; a new one needs to be told. */
function taskOf({ resume }: Partial<Settings>): undefined {
  if (resume !== undefined) return undefined;
  throw new UsageError(`which task? engram train ${taskNames.join("|")}`);
}

function parseTask(word: string): TaskName {
  const task = taskNames.find((name) => name === word.toLowerCase());
  if (task !== undefined) return task;
  throw new InvalidArgumentError(`The tasks are ${taskNames.join(", ")}${didYouMean(word, taskNames) || "."}`);
}

function addFlag(command: Command, name: FlagName): void {
  const { kind, group, help } = trainFlags[name];
  const standard = describeDefault(name);
  const option = new Option(`--${name} ${kind.placeholder}`.trim(), standard === "" ? help : `${help} [${standard}]`).helpGroup(group);
  if (!isSwitch(name)) option.argParser((text: string) => parseValue(name, text));
  command.addOption(option);
  if (isSwitch(name)) command.addOption(new Option(`--no-${name}`).hideHelp());
}

function parseValue(name: FlagName, text: string): unknown {
  try {
    return trainFlags[name].kind.parse(text);
  } catch (error) {
    throw error instanceof BadValue ? new InvalidArgumentError(error.message) : error;
  }
}

function helpAfter(): string {
  const lines = taskNames.flatMap((task) =>
    Object.entries(presets[task]).map(([name, { about }]) => `  ${`${task} --preset ${name}`.padEnd(27)} ${about}`),
  );
  return `
Presets:
${lines.join("\n")}

A flag may be written -batch_size 32, --batch_size 32, --batch-size 32 or
--batch-size=32. Ctrl-C saves; go on with engram train --resume FOLDER.`;
}
