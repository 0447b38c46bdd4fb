// The library's random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), a function of
// (seed, stream, number) with no other state, the same on every machine and in the kernels (kernels/philox.ts).
import { ConfigError } from "./errors.js";

/** Where a generator is: plain data that can be stored as JSON. */
export interface RandomState {
  readonly seed: number;
  readonly stream: number;
  /** How many 32-bit numbers were drawn. */
  readonly counter: number;
}

const TWO_TO_32 = 2 ** 32;

/** The two words of a seed's key: the seed modulo 2⁶⁴, so that negative seeds are seeds of their own. */
export function keyOfSeed(seed: number): readonly [low: number, high: number] {
  return [seed >>> 0, Math.floor(seed / TWO_TO_32) >>> 0];
}

/** Upper 32 bits of the product of two 32-bit numbers, by halves of 16 bits so that every step is exact. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16);
  return Math.imul(aHigh, bHigh) + (middle >>> 16) + (((Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff)) >>> 16);
}

/** Writes the four words that Philox4x32-10 makes of a counter of four words and a key of two to `out`. */
export function philox4x32(out: Uint32Array, counter: ArrayLike<number>, key: readonly [number, number]): void {
  // Words are kept as signed integers, which V8 computes with fastest; `out` makes them unsigned.
  let c0 = (counter[0] as number) | 0;
  let c1 = (counter[1] as number) | 0;
  let c2 = (counter[2] as number) | 0;
  let c3 = (counter[3] as number) | 0;
  let k0 = key[0] | 0;
  let k1 = key[1] | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = highProduct(c0, 0xd2511f53);
    const high2 = highProduct(c2, 0xcd9e8d57);
    const low0 = Math.imul(c0, 0xd2511f53);
    c0 = high2 ^ c1 ^ k0;
    c1 = Math.imul(c2, 0xcd9e8d57);
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/**
 * A generator of random numbers. The same seed and stream give the same numbers everywhere; different streams of one seed are
 * independent. `state()` and `Random.from` carry on exactly where a generator stood.
 */
export class Random {
  readonly seed: number;
  readonly stream: number;
  private readonly key: readonly [number, number];
  private counter = 0;
  private readonly words = new Uint32Array(4);
  private wordsBlock = -1;

  /**
   * @param seed any safe integer
   * @param stream which of the seed's 2³² sequences
   * @throws {ConfigError} when either is out of range
   */
  constructor(seed: number, stream = 0) {
    if (!Number.isSafeInteger(seed)) throw new ConfigError(`Random: seed must be a safe integer, got ${seed}`);
    if (!(Number.isInteger(stream) && stream >= 0 && stream < TWO_TO_32)) {
      throw new ConfigError(`Random: stream must be an integer from 0 to 4294967295, got ${stream}`);
    }
    this.seed = seed;
    this.stream = stream;
    this.key = keyOfSeed(seed);
  }

  /** The generator that `state` was taken of, at the same place. */
  static from(state: RandomState): Random {
    if (typeof state !== "object" || state === null)
      throw new ConfigError(`Random.from: state must be what state() gave, got ${String(state)}`);
    const random = new Random(state.seed, state.stream);
    if (!(Number.isSafeInteger(state.counter) && state.counter >= 0)) {
      throw new ConfigError(`Random: counter must be a non-negative safe integer, got ${state.counter}`);
    }
    random.counter = state.counter;
    return random;
  }

  state(): RandomState {
    return { seed: this.seed, stream: this.stream, counter: this.counter };
  }

  /** An integer from 0 to 2³² − 1. */
  nextUint32(): number {
    const block = Math.floor(this.counter / 4);
    if (block !== this.wordsBlock) {
      philox4x32(this.words, [block, Math.floor(block / TWO_TO_32), this.stream, 0], this.key);
      this.wordsBlock = block;
    }
    const word = this.words[this.counter % 4] as number;
    this.counter++;
    return word;
  }

  /** A number in [0, 1), a multiple of 2⁻²⁴, so exact in float32. */
  uniform(): number {
    return (this.nextUint32() >>> 8) / 2 ** 24;
  }

  /**
   * An integer from `low` to `high` − 1, each equally likely.
   * @throws {ConfigError} unless both are safe integers and 1 ≤ high − low ≤ 2³²
   */
  integer(low: number, high: number): number {
    const choices = high - low;
    if (!(Number.isSafeInteger(low) && Number.isSafeInteger(high) && choices >= 1 && choices <= TWO_TO_32)) {
      throw new ConfigError(`Random.integer: low and high must be integers with 1 <= high - low <= 4294967296, got ${low} and ${high}`);
    }
    const fair = TWO_TO_32 - (TWO_TO_32 % choices); // numbers from here on would favour the first choices
    let word = this.nextUint32();
    while (word >= fair) word = this.nextUint32();
    return low + (word % choices);
  }

  /** 0 or 1. */
  bit(): number {
    return this.nextUint32() >>> 31;
  }

  /** Fills `out` with numbers uniform from `low` to `high`. */
  fillUniform(out: Float32Array, low = 0, high = 1): void {
    for (let i = 0; i < out.length; i++) out[i] = low + (high - low) * this.uniform();
  }

  /** Fills `out` with zeros and ones, 32 of them from each number drawn, lowest bit first. */
  fillBits(out: Float32Array): void {
    let word = 0;
    for (let i = 0; i < out.length; i++) {
      word = i % 32 === 0 ? this.nextUint32() : word >>> 1;
      out[i] = word & 1;
    }
  }
}
