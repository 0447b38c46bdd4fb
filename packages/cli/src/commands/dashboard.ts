// engram dashboard: a run in the browser, while it goes on or afterwards.
import { Command, InvalidArgumentError } from "commander";
import { serveDashboard } from "engram-dashboard/server";
import { openInBrowser } from "../openInBrowser.js";

const MOST_PORT = 65_535;

interface DashboardFlags {
  readonly port: number;
  readonly quiet?: boolean;
}

export function dashboardCommand(): Command {
  return new Command("dashboard")
    .description("Shows a run in the browser: its curves, and what its memory does.")
    .argument("<run>", "the run's folder")
    .argument("[more...]", "folders of runs to lay over it")
    .option("--port <n>", "port on this machine [any that is free]", parsePort, 0)
    .option("--quiet", "print the address only, open nothing")
    .helpOption("-h, --help", "print this")
    .action((run: string, others: readonly string[], flags: DashboardFlags) => show(run, others, flags));
}

function parsePort(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= MOST_PORT) return Number(text);
  throw new InvalidArgumentError(`It must be a whole number from 0 to ${MOST_PORT}.`);
}

/** Ends with Ctrl-C: the open server keeps the process alive. */
async function show(run: string, otherRuns: readonly string[], { port, quiet = false }: DashboardFlags): Promise<void> {
  const { url } = await serveDashboard({ run, otherRuns, port });
  process.stdout.write(quiet ? `${url}\n` : `${run} is shown at ${url}\nCtrl-C ends it.\n`);
  if (!quiet) openInBrowser(url);
}
