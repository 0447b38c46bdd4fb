// Arrays that are allocated together: laid out once from 0 to learn the size, then from where the bytes were put.
import type { Engine } from "./engine.js";

const ALIGNMENT_WORDS = 4;

/** Takes so many four-byte words, 16-byte aligned; gives their address. */
export type Take = (words: number) => number;

export class Block {
  private at = 0;
  private size = 0;

  constructor(private readonly engine: Engine) {}

  get bytes(): number {
    return this.size;
  }

  /** Places the arrays that `layOut` takes. The bytes are kept, with what they hold, where they are enough; new ones are zero. */
  place(layOut: (take: Take) => void): void {
    const needed = run(0, layOut);
    if (needed > this.size) {
      this.free();
      this.at = this.engine.allocate(needed);
      this.size = needed;
    }
    run(this.at, layOut);
  }

  free(): void {
    if (this.size > 0) this.engine.free(this.at);
    this.at = this.size = 0;
  }
}

function run(from: number, layOut: (take: Take) => void): number {
  let end = from;
  layOut((words) => {
    const at = end;
    end += 4 * Math.ceil(words / ALIGNMENT_WORDS) * ALIGNMENT_WORDS;
    return at;
  });
  return end - from;
}
