// The server as a process of its own, of low priority, so that a page that asks for much never holds up training. Lives as long as the
// process that started it, which a closed terminal or Ctrl-C may leave some work to do; then open pages still get to see the end.
import { constants, setPriority } from "node:os";
import { type Dashboard, type DashboardOptions, serveDashboard } from "./serve.js";

/** What is told to the process that started this one. */
export type Started = { readonly url: string } | { readonly problem: string };

const tell = (started: Started) => process.send?.(started);

let dashboard: Dashboard | undefined;
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
process.on("disconnect", () => {
  const finished = dashboard?.finish() ?? Promise.resolve();
  finished.finally(() => process.exit());
});
process.once("message", (options: DashboardOptions) => {
  serveDashboard(options).then(
    (served) => {
      dashboard = served;
      tell({ url: served.url });
    },
    (error: Error) => tell({ problem: error.message }),
  );
});
