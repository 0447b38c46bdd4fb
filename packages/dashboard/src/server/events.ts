// Tells open pages which run changed (server-sent events), and no more: they ask for the rest when they can show it. Looks at the run's
// files every other second, and only while somebody listens: what server and pages do is taken from training, where that has all
// processors busy.
import type { ServerResponse } from "node:http";
import type { RunChange } from "../data/api.js";
import type { RunReader } from "./runReader.js";

const LOOK_EVERY_MS = 2000;
/** For some seconds after a page came, more often: a small run may be over by then. */
const FIRST_LOOKS = { count: 10, everyMs: 500 };
/** A word now and then, so that connections in between are not taken for dead. */
const WORD_EVERY_LOOKS = 8;
/** Only pages in sight listen. More than so many would take all of the server's connections: then the oldest is let go. */
export const MOST_LISTENERS = 32;
const END = "event: end\ndata: 0\n\n";

export class Events {
  readonly #runs: readonly RunReader[];
  readonly #listeners = new Map<ServerResponse, readonly string[]>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #isEnding = false;
  /** Looks since the latest page came. */
  #looksForNewest = 0;

  constructor(runs: readonly RunReader[]) {
    this.#runs = runs;
  }

  /** Names all runs now and each of them whenever it changed, until the page closes. */
  listen(response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    if (response.req.method === "HEAD") {
      response.end();
      return;
    }
    if (this.#isEnding) {
      response.end(END);
      return;
    }
    response.write("retry: 2000\n\n");
    this.#listeners.set(response, []);
    const [oldest] = this.#listeners.keys();
    if (this.#listeners.size > MOST_LISTENERS) oldest?.destroy();
    response.on("close", () => this.#listeners.delete(response));
    this.#looksForNewest = 0;
    this.#schedule(0);
  }

  /** Tells all listeners, and those that come later, that the server is about to close, and lets them go. @returns whether there were any */
  end(): boolean {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const listeners = [...this.#listeners.keys()];
    for (const response of this.#send(listeners, END)) response.end();
    return listeners.length > 0;
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const response of this.#listeners.keys()) response.destroy();
    this.#listeners.clear();
  }

  #schedule(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), delay);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    this.#looks++;
    try {
      const states = await Promise.all(this.#runs.map((run) => run.look()));
      for (const [index, { live, fingerprint }] of states.entries()) this.#tell({ index, live }, fingerprint);
      if (this.#looks % WORD_EVERY_LOOKS === 0) this.#send([...this.#listeners.keys()], ":\n\n");
    } catch {
      // A file that could not be read this time; the next look comes.
    }
    const isFirst = ++this.#looksForNewest < FIRST_LOOKS.count;
    if (this.#listeners.size > 0 && !this.#isEnding) this.#schedule(isFirst ? FIRST_LOOKS.everyMs : LOOK_EVERY_MS);
  }

  /** Tells those listeners that have not heard of this state of the run. */
  #tell(change: RunChange, fingerprint: string): void {
    const eager = [...this.#listeners].filter(([, heard]) => heard[change.index] !== fingerprint).map(([response]) => response);
    for (const response of this.#send(eager, `event: run\ndata: ${JSON.stringify(change)}\n\n`)) {
      const heard = [...(this.#listeners.get(response) ?? [])];
      heard[change.index] = fingerprint;
      this.#listeners.set(response, heard); // stays in its place
    }
  }

  /** A page that does not take what it was sent is left alone until it does. @returns those that got it */
  #send(listeners: readonly ServerResponse[], text: string): ServerResponse[] {
    return listeners.filter((response) => {
      if (response.writableNeedDrain || response.writableEnded || response.destroyed) return false;
      response.write(text);
      return true;
    });
  }
}
