// States carried from step to step lie with the thread that runs their shards. Here they are fetched, as one state of the whole
// batch, and handed out again: each shard's as bytes in the engine, whose address every thread can see.
import type { Engine } from "../engine/engine.js";
import { StateError } from "../errors.js";
import type { ShardSnapshot } from "../models/shardSequence.js";
import { lanes } from "../models/shards.js";
import { rangesOf, State } from "../models/state.js";
import type { StateLayout } from "../models/stateLayout.js";

/**
 * Asks every thread to hand over the states of its lanes ("fetch", and "release" once they were read: only the thread that
 * allocated a block can free it), or to take them; plain data.
 */
export interface CarryJob {
  readonly carry: "fetch" | "release" | "hand out";
  readonly lanes: number;
  /** Lanes have fixed threads. */
  readonly carryState: true;
  readonly batch: number;
  /** f64 for each shard: where its packed state lies. */
  readonly places: number;
}

/** Which state the next step goes on from. */
export class CarriedStates {
  /** Batch size of the states carried on; undefined when the next step starts from the empty state. */
  batch: number | undefined;
  private restart = false;

  /** @throws {StateError} when the states carried on are of another batch size */
  check(where: string, batch: number): void {
    if (this.batch === undefined || this.batch === batch) return;
    throw new StateError(
      `${where}: the state carried on is of batch size ${this.batch}, the input's is ${batch}; call resetState() where other sequences begin`,
    );
  }

  /** A step begins, which leaves states of so many elements. @returns whether it must forget those that are there */
  begin(batch: number): boolean {
    const { restart } = this;
    this.restart = false;
    this.batch = batch;
    return restart;
  }

  forget(): void {
    this.restart = true;
    this.batch = undefined;
  }

  /** @param run has every thread do its lanes of a job */
  fetch(engine: Engine, layout: StateLayout, run: (job: CarryJob) => void): State | undefined {
    const { batch } = this;
    if (batch === undefined) return undefined;
    const ranges = rangesOf(layout, batch);
    return withPlaces(engine, ranges.length, (places) => {
      const job = { lanes: lanes(ranges.length).length, carryState: true, batch, places } as const;
      run({ carry: "fetch", ...job });
      const snapshots = ranges.map(({ count }, shard) => unpack(engine, engine.f64(places, ranges.length)[shard] as number, count));
      run({ carry: "release", ...job });
      return new State(layout, batch, snapshots);
    });
  }

  /** The next step goes on from `state`. */
  handOut(state: State, engine: Engine, run: (job: CarryJob) => void): void {
    const shards = state.shards();
    const { batchSize: batch } = state;
    const packed = shards.map((snapshot) => pack(engine, snapshot));
    withPlaces(engine, shards.length, (places) => {
      engine.f64(places, shards.length).set(packed);
      run({ carry: "hand out", lanes: lanes(shards.length).length, carryState: true, batch, places });
    });
    for (const at of packed) engine.free(at);
    this.begin(batch);
  }
}

/** A table of addresses while it is needed. */
function withPlaces<T>(engine: Engine, count: number, use: (places: number) => T): T {
  const places = engine.allocate(8 * count);
  try {
    return use(places);
  } finally {
    engine.free(places);
  }
}

/** One shard's state, copied to the engine: the number of its parts and their bytes (f64), then the parts. @returns where it is */
export function pack(engine: Engine, { controller, memories }: ShardSnapshot): number {
  const parts = [new Uint8Array(controller.buffer, controller.byteOffset, controller.byteLength), ...memories.map(({ bytes }) => bytes)];
  const sizes = parts.map(({ length }) => length);
  const head = 8 * (1 + parts.length);
  const at = engine.allocate(sizes.reduce((sum, bytes) => sum + bytes, head));
  engine.f64(at, 1 + parts.length).set([parts.length, ...sizes]);
  let next = at + head;
  for (const part of parts) {
    engine.u8(next, part.length).set(part);
    next += part.length;
  }
  return at;
}

export function unpack(engine: Engine, at: number, batch: number): ShardSnapshot {
  const count = engine.f64(at, 1)[0] as number;
  let next = at + 8 * (1 + count);
  const [controller, ...memories] = Array.from(engine.f64(at + 8, count), (bytes) => {
    const part = engine.u8(next, bytes).slice();
    next += bytes;
    return part;
  });
  return {
    controller: new Float32Array((controller as Uint8Array).buffer as ArrayBuffer),
    memories: memories.map((bytes) => ({ batch, bytes })),
  };
}
