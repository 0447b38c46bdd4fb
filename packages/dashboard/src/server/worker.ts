// The server on a thread of its own, so that a page that asks for much never holds up training.
import { parentPort, workerData } from "node:worker_threads";
import { type DashboardOptions, serveDashboard } from "./serve.js";

// A failure is left unhandled: so it reaches whoever started the thread.
void serveDashboard(workerData as DashboardOptions).then(({ url }) => parentPort?.postMessage(url));
