// One WebAssembly memory, the kernels bound to it, and the arena that hands out its bytes. A model owns one engine; what the
// engine holds is freed with it by the garbage collector, so dropping a model needs no call.
import { EngramError } from "../errors.js";
import { Arena, type Space } from "./arena.js";
import { descriptors, type Kernels } from "./kernels.generated.js";
import { kernelModule } from "./module.js";

const PAGE = 65536;
/** WebAssembly's 32-bit addresses end here. */
const MAX_PAGES = 65536;

export type Descriptor = keyof typeof descriptors;
export type DescriptorFields<D extends Descriptor> = Readonly<Record<(typeof descriptors)[D][number], number>>;

/** Growing costs about as much whatever it adds (and makes the garbage collector run), so it goes ahead by a quarter, at most by so many pages. */
const MOST_PAGES_AHEAD = 1024;

/** Address 0 stands for "none" in kernel arguments, and on shared memory the first bytes hold the end; blocks start after them. */
const FIRST_BYTE = 1024;
/** The end of shared memory lies here as an i32, in units of 64 bytes, so that it reaches 4 GiB. */
const END_AT = 64;
const END_UNIT = 64;

export class Engine {
  readonly kernels: Kernels;
  readonly arena: Arena;
  private end = FIRST_BYTE;

  private constructor(
    readonly memory: WebAssembly.Memory,
    readonly isShared: boolean,
  ) {
    const instance = new WebAssembly.Instance(kernelModule(isShared), { env: { memory } });
    this.kernels = instance.exports as unknown as Kernels;
    this.arena = new Arena(isShared ? this.sharedSpace() : this.ownSpace());
  }

  /** An engine on a memory of its own. */
  static create(): Engine {
    return new Engine(newMemory({ initial: 1, maximum: MAX_PAGES }), false);
  }

  /** An engine on a memory that threads share; `maximumBytes` is reserved, not used. */
  static createShared(maximumBytes: number): Engine {
    const maximum = Math.min(MAX_PAGES, Math.ceil(maximumBytes / PAGE));
    const engine = new Engine(newMemory({ initial: 1, maximum, shared: true }), true);
    engine.i32(END_AT, 1)[0] = FIRST_BYTE / END_UNIT;
    return engine;
  }

  /** A further thread's engine on the shared memory of another: what it allocates is its own to free. */
  static attach(memory: WebAssembly.Memory): Engine {
    return new Engine(memory, true);
  }

  private ownSpace(): Space {
    return {
      extend: (bytes) => {
        const at = this.end;
        this.grow(at + bytes);
        this.end = at + bytes;
        return at;
      },
      shrink: (at, bytes) => {
        if (at + bytes !== this.end) return false;
        this.end = at;
        return true;
      },
    };
  }

  private sharedSpace(): Space {
    return {
      extend: (bytes) => {
        const at = Atomics.add(this.i32(END_AT, 1), 0, bytes / END_UNIT) * END_UNIT;
        try {
          this.grow(at + bytes);
        } catch (error) {
          Atomics.sub(this.i32(END_AT, 1), 0, bytes / END_UNIT);
          throw error;
        }
        return at;
      },
      shrink: (at, bytes) => {
        const end = (at + bytes) / END_UNIT;
        return Atomics.compareExchange(this.i32(END_AT, 1), 0, end, at / END_UNIT) === end;
      },
    };
  }

  allocate(bytes: number): number {
    return this.arena.allocate(bytes, (at, size) => new Uint8Array(this.memory.buffer, at, size).fill(0));
  }

  free(pointer: number): void {
    this.arena.free(pointer);
  }

  /** A view taken fresh: it is detached when the memory grows, so it must not be kept over an allocation. */
  f32(pointer: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, pointer, length);
  }

  i32(pointer: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, pointer, length);
  }

  f64(pointer: number, length: number): Float64Array {
    return new Float64Array(this.memory.buffer, pointer, length);
  }

  u16(pointer: number, length: number): Uint16Array {
    return new Uint16Array(this.memory.buffer, pointer, length);
  }

  u8(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, pointer, length);
  }

  /** Writes a descriptor struct (kernels/: `@unmanaged class`) at `pointer`; see `descriptorBytes`. */
  writeDescriptor<D extends Descriptor>(pointer: number, name: D, fields: DescriptorFields<D>): void {
    const order = descriptors[name] as readonly string[];
    const words = this.i32(pointer, order.length);
    const values = fields as Readonly<Record<string, number>>;
    for (let i = 0; i < order.length; i++) words[i] = values[order[i] as string] as number;
  }

  private grow(bytesNeeded: number): void {
    try {
      // Another thread may grow a shared memory meanwhile: then there is less left to grow, or nothing.
      for (;;) {
        const present = this.memory.buffer.byteLength / PAGE;
        const pages = Math.ceil(bytesNeeded / PAGE) - present;
        if (pages <= 0) return;
        const ahead = Math.min(present >>> 2, MOST_PAGES_AHEAD);
        if (ahead <= pages || !this.tryGrow(ahead)) this.memory.grow(pages);
      }
    } catch (cause) {
      throw tooMuch(bytesNeeded, this.isShared, cause);
    }
  }

  /** Whether so many pages more could be had. */
  private tryGrow(pages: number): boolean {
    try {
      this.memory.grow(pages);
      return true;
    } catch {
      return false;
    }
  }
}

function tooMuch(bytesNeeded: number, isShared: boolean, cause: unknown): EngramError {
  const limit = isShared ? "memory that threads share has no room for them" : "WebAssembly gives at most 4096 MiB";
  const hint = "lower the batch size, sequence length, nrCells or the model's sizes, or set recompute: true";
  const message = `${Math.ceil(bytesNeeded / 2 ** 20)} MiB are needed and ${limit} (or this machine has no more)`;
  return new EngramError(`${message}: ${isShared ? "train with threads: 1, " : ""}${hint}`, "ENGINE", { cause });
}

function newMemory(description: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory(description);
  } catch (cause) {
    throw new EngramError(
      "this process can have no further WebAssembly memory, of which each model takes one: dispose() of models no longer needed, or keep fewer",
      "ENGINE",
      { cause },
    );
  }
}

/** Bytes of a descriptor struct. */
export function descriptorBytes(name: Descriptor): number {
  return (descriptors[name] as readonly string[]).length * 4;
}
