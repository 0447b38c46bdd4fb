// What ends a training early, and how: Ctrl-C, a request to terminate, a closed terminal, or nobody reading our output any more.
// The first one asks for an orderly end (save, say how to go on); a second Ctrl-C ends at once.
export interface Interruption {
  readonly reason: NodeJS.Signals | "EPIPE";
  readonly exitCode: number;
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export class Interrupter {
  readonly #controller = new AbortController();
  readonly #undo: (() => void)[] = [];

  /** @param atOnce what to do before ending at once */
  constructor(atOnce: () => void) {
    for (const [name, exitCode] of Object.entries(SIGNALS) as [keyof typeof SIGNALS, number][]) {
      const listener = () => {
        if (this.signal.aborted) {
          atOnce();
          process.exit(exitCode);
        }
        this.#interrupt({ reason: name, exitCode });
      };
      process.on(name, listener);
      this.#undo.push(() => process.off(name, listener));
    }
    for (const stream of [process.stdout, process.stderr]) {
      const listener = () => this.#interrupt({ reason: "EPIPE", exitCode: 0 });
      stream.on("error", listener);
      this.#undo.push(() => stream.off("error", listener));
    }
  }

  /** Aborted as soon as something asks for an end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What asked for it, if anything. */
  get interruption(): Interruption | undefined {
    return this.signal.aborted ? (this.signal.reason as Interruption) : undefined;
  }

  /** Stops listening. */
  release(): void {
    for (const undo of this.#undo) undo();
  }

  #interrupt(interruption: Interruption): void {
    if (!this.signal.aborted) this.#controller.abort(interruption);
  }
}
