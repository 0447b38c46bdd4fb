// The commands, put together. Each is a file of its own in commands/.
import { Command } from "commander";
import { benchCommand } from "./commands/bench.js";
import { dashboardCommand } from "./commands/dashboard.js";
import { evaluateCommand } from "./commands/evaluate.js";
import { inspectCommand } from "./commands/inspect.js";
import { type TrainAction, trainCommand } from "./commands/train.js";
import { train } from "./training.js";
import { version } from "./version.js";

const WIDEST = 80;

/** @param action what `engram train` does, once its arguments are understood */
export function createProgram(action: TrainAction = train): Command {
  const program = new Command("engram")
    .description("Trains and tests neural networks with an external memory: DNC, SAM and SDNC.")
    .version(version(), "--version", "print the version")
    .helpOption("-h, --help", "print this")
    .addCommand(trainCommand(action))
    .addCommand(evaluateCommand())
    .addCommand(dashboardCommand())
    .addCommand(inspectCommand())
    .addCommand(benchCommand());
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .showHelpAfterError("(engram --help, or engram COMMAND --help, says what there is)")
      .configureOutput({ getOutHelpWidth: () => Math.min(process.stdout.columns || WIDEST, WIDEST), getErrHelpWidth: () => WIDEST });
  }
  return program;
}
