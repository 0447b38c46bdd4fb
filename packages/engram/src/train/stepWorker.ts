// A worker thread's life: it builds the same network over the shared weights as the trainer's own thread, then takes lanes of one
// training step after another until it is ended.
import { Engine } from "../engine/engine.js";
import { adoptModule } from "../engine/module.js";
import { Relay } from "../engine/relay.js";
import { createMemory } from "../models/memories.js";
import { Network } from "../models/network.js";
import type { ModelConfig, ModelType } from "../models/options.js";
import { claimed, LaneRunner, readJob } from "./laneRunner.js";

/** What the trainer sends a worker first: everything that is there once for all steps. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly type: ModelType;
  readonly config: ModelConfig;
  /** Addresses of the packed weights, and of the relay's control block. */
  readonly packed: number;
  readonly relay: number;
  /** Which of the trainer's threads this is; the trainer's own is 0. */
  readonly index: number;
  readonly threads: number;
}

/** Never returns: a worker is ended from outside. @param ready tells the trainer that it may announce steps */
export function serveSteps(start: WorkerStart, ready: () => void): void {
  adoptModule(start.module);
  const engine = Engine.attach(start.memory);
  const network = new Network(engine, start.type, start.config, createMemory(start.type, start.config));
  network.place(start.packed);
  const relay = new Relay(engine, start.relay);
  const runner = new LaneRunner(engine, network, () => relay.pulse());
  let seen = relay.job;
  ready();
  for (;;) {
    const { number, text } = relay.nextJob(seen);
    seen = number;
    try {
      const job = readJob(engine, text);
      for (const lane of claimed(relay, job, number, start.index, start.threads)) {
        runner.run(job, lane);
        relay.finish();
      }
    } catch (error) {
      relay.fail(error instanceof Error ? error.message : String(error));
    }
  }
}
