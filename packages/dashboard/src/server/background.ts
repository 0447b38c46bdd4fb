// The server as a process of its own, of low priority, so that a page that asks for much never holds up training. Lives as long as the
// process that started it, which a closed terminal or Ctrl-C may leave some work to do.
import { constants, setPriority } from "node:os";
import { type DashboardOptions, serveDashboard } from "./serve.js";

/** What is told to the process that started this one. */
export type Started = { readonly url: string } | { readonly problem: string };

const tell = (started: Started) => process.send?.(started);

setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
process.on("disconnect", () => process.exit());
process.once("message", (options: DashboardOptions) => {
  serveDashboard(options).then(
    ({ url }) => tell({ url }),
    (error: Error) => tell({ problem: error.message }),
  );
});
