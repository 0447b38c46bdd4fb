// What ends a training early, and how: Ctrl-C, a request to terminate, a closed terminal, or nobody reading our output any more.
// The first one asks for an orderly end (save, say how to go on); a second Ctrl-C ends at once.
export interface Interruption {
  readonly reason: NodeJS.Signals | "EPIPE" | "output";
  readonly exitCode: number;
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Signals of an impatient hand that wait while a long step runs all arrive after it: they count as one. */
const AS_ONE_MS = 300;

export class Interrupter {
  readonly #controller = new AbortController();
  #since = 0;
  #isReleased = false;
  readonly #undo: (() => void)[] = [];

  /** @param atOnce what to do before ending at once */
  constructor(atOnce: () => void) {
    for (const [name, exitCode] of Object.entries(SIGNALS) as [keyof typeof SIGNALS, number][]) {
      const listener = () => {
        if (this.signal.aborted) {
          if (this.#isReleased || performance.now() - this.#since < AS_ONE_MS) return;
          try {
            atOnce();
          } finally {
            process.exit(exitCode);
          }
        }
        this.#interrupt({ reason: name, exitCode });
      };
      process.on(name, listener);
      this.#undo.push(() => process.off(name, listener));
    }
    for (const stream of [process.stdout, process.stderr]) {
      const listener = ({ code }: NodeJS.ErrnoException) =>
        this.#interrupt(code === "EPIPE" ? { reason: code, exitCode: 0 } : { reason: "output", exitCode: 1 });
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

  /** Stops listening; after an interruption further signals are only kept from ending the process before it has come to its end. */
  release(): void {
    this.#isReleased = true;
    if (this.signal.aborted) return;
    for (const undo of this.#undo) undo();
  }

  #interrupt(interruption: Interruption): void {
    if (this.signal.aborted) return;
    this.#since = performance.now();
    this.#controller.abort(interruption);
  }
}
