// Asks the server.
import type { MetricsQuery, RunChange, RunSummary, SampledMetrics } from "../data/api.js";
import { HeldTrace, type Trace } from "../data/trace.js";
import { cutUp, unpackTrace } from "../data/traceMessage.js";

/** Relative to the page, so that it may lie in any folder. */
const API = new URL("api/", document.baseURI);

async function ask(path: string): Promise<Response | undefined> {
  const response = await fetch(new URL(path, API));
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error((await response.text()).trim());
  return response;
}

export async function fetchSummary(run: number): Promise<RunSummary | undefined> {
  const response = await ask(`runs/${run}`);
  return response && ((await response.json()) as RunSummary);
}

export async function fetchMetrics(run: number, query: MetricsQuery): Promise<SampledMetrics> {
  const words = new URLSearchParams({ fields: query.fields.join(","), points: String(query.points), smoothing: String(query.smoothing) });
  if (query.from !== undefined) words.set("from", query.from.toFixed(2));
  if (query.to !== undefined) words.set("to", query.to.toFixed(2));
  const response = await ask(`runs/${run}/metrics?${words}`);
  return response === undefined ? { iteration: [], linesPerPoint: 1, series: {} } : ((await response.json()) as SampledMetrics);
}

export const metricsCsvAddress = (run: number): string => new URL(`runs/${run}/metrics.csv`, API).href;

/** What the memory did at an iteration; undefined when it is not kept any more. */
export async function fetchTrace(run: number, iteration: number): Promise<Trace | undefined> {
  const path = `runs/${run}/memory/${iteration}`;
  const answer = await ask(path);
  if (answer === undefined) return undefined;
  const { header, tensors } = unpackTrace(await answer.arrayBuffer());
  if (tensors !== undefined) return new HeldTrace(header, tensors);
  return {
    header,
    async rows(name, from, to) {
      const response = await ask(`${path}/${name}?from=${from}&to=${to}`);
      return response === undefined ? undefined : new Float32Array(await response.arrayBuffer());
    },
    async whole(names) {
      const response = await ask(`${path}/whole?names=${names.join(",")}`);
      return response && cutUp(new Float32Array(await response.arrayBuffer()), names, header);
    },
  };
}

export interface Listener {
  onChange(change: RunChange): void;
  onConnection(isConnected: boolean): void;
  /** The training that served the page is over: what is not asked for now can't be had any more. */
  onEnd(): void;
}

/** Hears of every change of the runs; not while the page is out of sight. */
export function listenForChanges({ onChange, onConnection, onEnd }: Listener): void {
  let source: EventSource | undefined;
  const listen = () => {
    if (document.hidden) {
      source?.close();
      source = undefined;
    } else if (source === undefined) {
      source = new EventSource(new URL("events", API));
      source.addEventListener("run", (event) => onChange(JSON.parse((event as MessageEvent<string>).data) as RunChange));
      source.addEventListener("open", () => onConnection(true));
      source.addEventListener("error", () => onConnection(false));
      source.addEventListener("end", () => {
        document.removeEventListener("visibilitychange", listen);
        source?.close();
        onEnd();
      });
    }
  };
  document.addEventListener("visibilitychange", listen);
  listen();
}
