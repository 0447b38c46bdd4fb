// How threads hand out the parts of a job over shared memory, without messages: a caller announces a job of so many parts; it and
// the workers claim parts one by one until none is left. Knows nothing of what a part is.
//
// Control words (i32): the number of the present job; the next part to claim, with the job's number beside it, so that a worker that
// wakes up late cannot claim a part of a later job; parts done; a pulse that workers move while they compute; who failed.
import { EngramError } from "../errors.js";
import type { Engine } from "./engine.js";
import { mayWait } from "./workerThreads.js";

const JOB = 0;
const TICKET = 1;
const DONE = 2;
const PULSE = 3;
const FAILED = 4;
const TEXT_LENGTH = 5;
const WORDS = 16;
/** A ticket is job · PARTS + part, the job's number cut to what fits. */
const PARTS = 1 << 8;
const JOB_MASK = (1 << 22) - 1;
/** Characters of a job's text at most. */
const LONGEST_JOB = 1 << 14;

/** Bytes of the control block: the words, then the job's text, then a failed worker's message, as UTF-16 units. */
export const relayBytes = 4 * WORDS + 2 * 2 * LONGEST_JOB;

/** Loads of a control word before a thread goes to sleep on it, some tenths of a millisecond: more than a trainer does alone between two small steps, while waking up takes as long. */
const SPINS = 100_000;
/** A worker that computes moves the pulse at every time step; one that does not for so long is gone. */
const SILENCE_MS = 5000;
/** What a look at the pulse counts at most: while this thread itself was stopped (Ctrl-Z), or waited for its turn, so was the worker. */
const LOOK_MS = 200;

export class Relay {
  constructor(
    private readonly engine: Engine,
    private readonly at: number,
  ) {}

  // Views are taken anew at each use: another thread may have grown the memory.
  private get words(): Int32Array {
    return this.engine.i32(this.at, WORDS);
  }

  private text(which: 0 | 1): Uint16Array {
    return this.engine.u16(this.at + 4 * WORDS + 2 * which * LONGEST_JOB, LONGEST_JOB);
  }

  /** Whether a job's text is short enough to hand over, and its parts few enough to count. */
  fits(job: string, parts: number): boolean {
    return job.length <= LONGEST_JOB && parts < PARTS;
  }

  /** Announces a job of `parts` parts to every thread. @throws when it does not fit */
  announce(job: string, parts: number): number {
    if (!this.fits(job, parts)) throw new EngramError("internal: a job too large for the relay");
    const { words } = this;
    const text = this.text(0);
    // No part of the old job is left to claim while the text changes.
    Atomics.store(words, TICKET, -1);
    for (let i = 0; i < job.length; i++) text[i] = job.charCodeAt(i);
    Atomics.store(words, TEXT_LENGTH, job.length);
    Atomics.store(words, DONE, 0);
    Atomics.store(words, FAILED, 0);
    const number = (Atomics.load(words, JOB) + 1) & JOB_MASK;
    Atomics.store(words, TICKET, number * PARTS);
    Atomics.store(words, JOB, number);
    Atomics.notify(words, JOB);
    return number;
  }

  /** Waits for a job other than the one seen last. */
  nextJob(seen: number): { number: number; text: string } {
    const { words } = this;
    for (let spins = 0; spins < SPINS && Atomics.load(words, JOB) === seen; spins++);
    for (;;) {
      Atomics.wait(words, JOB, seen);
      const number = Atomics.load(words, JOB);
      if (number === seen) continue;
      const text = this.read(0, Atomics.load(words, TEXT_LENGTH));
      // The ticket is this job's for as long as its text is whole. Else the caller went on to write the next job: take that one. An
      // exchange, and not a load, so that no processor reads the text after it.
      const ticket = Atomics.load(words, TICKET);
      const isStill = Atomics.compareExchange(words, TICKET, ticket, ticket) === ticket;
      if (isStill && Math.floor(ticket / PARTS) === number) return { number, text };
    }
  }

  /** The number of the present job. */
  get job(): number {
    return Atomics.load(this.words, JOB);
  }

  /** Claims a part of job `number`; −1 when none is left, or the caller went on. */
  claim(number: number, parts: number): number {
    const { words } = this;
    for (;;) {
      const ticket = Atomics.load(words, TICKET);
      if (ticket === -1 || Math.floor(ticket / PARTS) !== number || ticket % PARTS >= parts) return -1;
      if (Atomics.compareExchange(words, TICKET, ticket, ticket + 1) === ticket) return ticket % PARTS;
    }
  }

  /** Counts a part as done. */
  finish(): void {
    const { words } = this;
    Atomics.add(words, DONE, 1);
    Atomics.notify(words, DONE);
  }

  /** Tells the caller that this thread is alive. */
  pulse(): void {
    Atomics.add(this.words, PULSE, 1);
  }

  /** Tells the caller that a part could not be done, and why. */
  fail(message: string): void {
    const text = this.text(1);
    const length = Math.min(message.length, LONGEST_JOB - 1);
    for (let i = 0; i < length; i++) text[i + 1] = message.charCodeAt(i);
    text[0] = length;
    const { words } = this;
    Atomics.store(words, FAILED, 1);
    Atomics.notify(words, DONE);
  }

  /** Sleeps until all parts are done, or on a page's main thread, which may not sleep, spins. @throws {EngramError} when a worker failed, or has not moved the pulse for five seconds */
  wait(parts: number): void {
    const { words } = this;
    for (let spins = 0; spins < SPINS && Atomics.load(words, DONE) < parts; spins++);
    const watch = this.watchdog();
    for (;;) {
      const done = Atomics.load(words, DONE);
      this.throwIfFailed();
      if (done >= parts) return;
      if (mayWait()) Atomics.wait(words, DONE, done, 100);
      watch();
    }
  }

  /** The same without blocking the thread. */
  async waitAsync(parts: number): Promise<void> {
    const watch = this.watchdog();
    for (;;) {
      this.throwIfFailed();
      if (Atomics.load(this.words, DONE) >= parts) return;
      await new Promise((resolve) => setTimeout(resolve));
      watch();
    }
  }

  private throwIfFailed(): void {
    if (Atomics.load(this.words, FAILED) === 0) return;
    throw new EngramError(`a worker thread failed: ${this.read(1, this.text(1)[0] as number)}`);
  }

  private watchdog(): () => void {
    let pulse = Atomics.load(this.words, PULSE);
    let looked = performance.now();
    let silence = 0;
    return () => {
      const now = performance.now();
      silence += Math.min(now - looked, LOOK_MS);
      looked = now;
      const beat = Atomics.load(this.words, PULSE);
      if (beat !== pulse) {
        pulse = beat;
        silence = 0;
      } else if (silence > SILENCE_MS) {
        throw new EngramError(
          "a worker thread stopped in the middle of a step (killed, or out of memory): the step was not taken; " +
            "make a new Trainer, with threads: 1 if it happens again",
        );
      }
    };
  }

  private read(which: 0 | 1, length: number): string {
    const text = this.text(which);
    let characters = "";
    for (let i = 0; i < length; i++) characters += String.fromCharCode(text[i + which] as number);
    return characters;
  }
}
