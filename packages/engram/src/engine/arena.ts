// Hands out bytes of a WebAssembly memory: first fit, neighbours merged on free. Called when buffers are planned, never within a
// step, so it is written to be plain rather than quick.
import { EngramError } from "../errors.js";

const ALIGNMENT = 64;

interface Gap {
  at: number;
  bytes: number;
}

/** Where an arena's bytes come from: the end of a memory, which moves up and down. On shared memory several arenas move one end. */
export interface Space {
  /** So many more bytes, zeroed or not. @returns their address. @throws when there are no more */
  extend(bytes: number): number;
  /** Takes back `bytes` at `at`, when they are the last ones. @returns whether they were */
  shrink(at: number, bytes: number): boolean;
}

export class Arena {
  private readonly gaps: Gap[] = [];
  private readonly sizes = new Map<number, number>();
  private used = 0;
  private peak = 0;

  constructor(private readonly space: Space) {}

  /** Zeroed bytes, aligned to a cache line. */
  allocate(bytes: number, zero: (at: number, bytes: number) => void): number {
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    const at = this.takeGap(size) ?? this.space.extend(size);
    this.sizes.set(at, size);
    this.used += size;
    this.peak = Math.max(this.peak, this.used);
    zero(at, size);
    return at;
  }

  free(at: number): void {
    const bytes = this.sizes.get(at);
    if (bytes === undefined) throw new EngramError(`internal: ${at} is not an allocated block`);
    this.sizes.delete(at);
    this.used -= bytes;
    this.release({ at, bytes });
  }

  get bytesInUse(): number {
    return this.used;
  }

  get peakBytes(): number {
    return this.peak;
  }

  private takeGap(size: number): number | undefined {
    const index = this.gaps.findIndex((gap) => gap.bytes >= size);
    const gap = this.gaps[index];
    if (gap === undefined) return undefined;
    const at = gap.at;
    gap.at += size;
    gap.bytes -= size;
    if (gap.bytes === 0) this.gaps.splice(index, 1);
    return at;
  }

  private release(freed: Gap): void {
    const after = this.gaps.findIndex((gap) => gap.at > freed.at);
    const index = after === -1 ? this.gaps.length : after;
    this.gaps.splice(index, 0, freed);
    this.mergeWithNext(index);
    if (index > 0) this.mergeWithNext(index - 1);
    const last = this.gaps[this.gaps.length - 1];
    if (last !== undefined && this.space.shrink(last.at, last.bytes)) this.gaps.pop();
  }

  private mergeWithNext(index: number): void {
    const gap = this.gaps[index];
    const next = this.gaps[index + 1];
    if (gap === undefined || next === undefined || gap.at + gap.bytes !== next.at) return;
    gap.bytes += next.bytes;
    this.gaps.splice(index + 1, 1);
  }
}
