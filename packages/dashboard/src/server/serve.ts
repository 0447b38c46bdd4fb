// The server of `engram dashboard`: a run's folder and the page, for browsers on this machine.
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Events } from "./events.js";
import { loadPageFiles } from "./pageFiles.js";
import { refusal } from "./requestGuard.js";
import { answer, type Site, sendText } from "./routes.js";
import { RunReader } from "./runReader.js";

export interface DashboardOptions {
  /** The run's folder. */
  readonly run: string;
  /** Folders of runs to compare it with. */
  readonly otherRuns?: readonly string[];
  /** Port on the loopback address [any that is free]. */
  readonly port?: number;
}

export interface Dashboard {
  /** Where the page is. */
  readonly url: string;
  /** Lets pages that are open fetch how the runs ended, for a few seconds at most, then closes. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";
const MOST_CONNECTIONS = 64;
/** Always open, and no sign that a page wants more. */
const EVENTS = "/api/events";
/** Pages that know of the end and have asked for nothing for so long have all they want. */
const QUIET_MS = 1000;
const LONGEST_FINISH_MS = 5000;

/** Sent with every answer. The two cross-origin policies isolate the page, so that the playground may use threads. */
const headers = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-store",
};

/**
 * Serves the dashboard of a run, until it is closed.
 * @throws {CheckpointError} when there is no run in a folder
 */
export async function serveDashboard({ run, otherRuns = [], port = 0 }: DashboardOptions): Promise<Dashboard> {
  const runs = await Promise.all([run, ...otherRuns].map((path, index) => RunReader.open(index, path)));
  const site: Site = { files: loadPageFiles(), runs, events: new Events(runs) };
  const demand = new Demand();
  const server = createServer((request, response) => {
    if (!request.url?.startsWith(EVENTS)) demand.count(response);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const refused = refusal(request, (server.address() as AddressInfo).port);
    if (refused !== undefined) sendText(response, refused.status, refused.reason);
    else void answer(site, request, response);
  });
  server.maxConnections = MOST_CONNECTIONS;
  await listen(server, port);
  // Read while the browser opens: a long run takes a moment.
  for (const reader of runs) reader.metrics().catch(() => undefined);
  const finish = async () => {
    const until = performance.now() + LONGEST_FINISH_MS;
    if (site.events.end()) demand.touch();
    while (performance.now() < until && demand.quietMs < QUIET_MS) await new Promise((resolve) => setTimeout(resolve, QUIET_MS / 10));
    await close(server, site);
  };
  return { url: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}/`, finish, close: () => close(server, site) };
}

/** Whether pages want something. */
class Demand {
  #open = 0;
  #last = Number.NEGATIVE_INFINITY;

  /** Counts an answer, until it has been sent. */
  count(response: ServerResponse): void {
    this.#open++;
    response.once("close", () => {
      this.#open--;
      this.touch();
    });
  }

  touch(): void {
    this.#last = performance.now();
  }

  /** For how long nothing was wanted. */
  get quietMs(): number {
    return this.#open > 0 ? 0 : performance.now() - this.#last;
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function close(server: Server, { events }: Site): Promise<void> {
  events.close();
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
