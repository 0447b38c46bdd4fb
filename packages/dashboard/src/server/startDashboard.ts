// For training: the server in the background.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Started } from "./background.js";
import type { Dashboard, DashboardOptions } from "./serve.js";

/**
 * Serves the dashboard of a run from a process of its own. It does not keep this process alive, and finishes when this one ends.
 * @throws {Error} with the message of what `serveDashboard` throws; later failures only end the dashboard
 */
export function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const script = fileURLToPath(new URL("./background.js", import.meta.url));
  const server = fork(script, { stdio: ["ignore", "ignore", "ignore", "ipc"], execArgv: [] });
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  const close = async () => {
    server.ref(); // until it has ended
    server.kill();
    await ended;
  };
  const finish = async () => {
    server.ref();
    if (server.connected) server.disconnect();
    await ended;
  };
  server.send(options);
  return new Promise((resolve, reject) => {
    server.on("error", reject); // stays, so that a failure later on does not end this process
    server.once("exit", (code) => reject(new Error(`the dashboard ended with code ${code}`)));
    server.once("message", (started: Started) => {
      server.unref();
      server.channel?.unref();
      if ("url" in started) resolve({ url: started.url, finish, close });
      else {
        reject(new Error(started.problem));
        void close();
      }
    });
  });
}
