// For training: the server in the background.
import { Worker } from "node:worker_threads";
import type { Dashboard, DashboardOptions } from "./serve.js";

/**
 * Serves the dashboard of a run from a thread of its own. It does not keep the process alive.
 * @throws {Error} what `serveDashboard` throws; later failures only end the dashboard
 */
export function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: options });
  return new Promise((resolve, reject) => {
    worker.on("error", reject); // stays, so that a failure later on does not end the process
    worker.once("exit", (code) => reject(new Error(`the dashboard ended with code ${code}`)));
    worker.once("message", (url: string) => {
      worker.unref();
      resolve({
        url,
        close: async () => {
          await worker.terminate();
        },
      });
    });
  });
}
