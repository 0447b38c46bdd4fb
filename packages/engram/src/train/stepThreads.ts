// The threads of a trainer: the caller's own and its workers, which share every training step lane by lane.
import { kernelModule } from "../engine/module.js";
import { Relay, relayBytes } from "../engine/relay.js";
import { mayWait, startWorker, type WorkerThread } from "../engine/workerThreads.js";
import type { Core } from "../models/core.js";
import { claimed, type Job, type LaneRunner, writeJob } from "./laneRunner.js";
import type { WorkerStart } from "./stepWorker.js";

export class StepThreads {
  private constructor(
    private readonly relay: Relay,
    private readonly workers: readonly WorkerThread[],
  ) {}

  /** Threads in all, the caller's included. */
  get count(): number {
    return this.workers.length + 1;
  }

  /**
   * Starts workers on a core that lies in shared memory.
   * @throws {EngramError} when one of them does not start; none is left running then
   */
  static async start(core: Core, threads: number, createWorker: (() => unknown) | undefined): Promise<StepThreads> {
    const { engine, network, weights } = core;
    const relay = engine.allocate(relayBytes);
    const workers: WorkerThread[] = [];
    try {
      for (let index = 1; index < threads; index++) {
        const worker = startWorker(createWorker);
        workers.push(worker);
        const { type, config } = network;
        const start: WorkerStart = {
          module: kernelModule(true),
          memory: engine.memory,
          type,
          config,
          packed: weights.packed,
          relay,
          index,
          threads,
        };
        worker.post(start);
      }
      await Promise.all(workers.map((worker) => worker.firstMessage));
    } catch (error) {
      for (const worker of workers) worker.terminate();
      engine.free(relay);
      throw error;
    }
    return new StepThreads(new Relay(engine, relay), workers);
  }

  /** Runs all lanes of a job and returns when they are done; on a page's main thread, which may not sleep, all by itself. */
  run(job: Job, own: LaneRunner): void {
    const text = writeJob(job);
    if (!job.carryState && (!mayWait() || !this.relay.fits(text, job.lanes))) {
      for (let lane = 0; lane < job.lanes; lane++) own.run(job, lane);
      return;
    }
    const number = this.relay.announce(text, job.lanes);
    for (const lane of claimed(this.relay, job, number, 0, this.count)) {
      own.run(job, lane);
      this.relay.finish();
    }
    this.relay.wait(job.lanes);
  }

  /** The same without blocking the caller's thread for longer than one lane. */
  async runAsync(job: Job, own: LaneRunner): Promise<void> {
    const number = this.relay.announce(writeJob(job), job.lanes);
    for (const lane of claimed(this.relay, job, number, 0, this.count)) {
      own.run(job, lane);
      this.relay.finish();
      await new Promise((resolve) => setTimeout(resolve));
    }
    await this.relay.waitAsync(job.lanes);
  }

  stop(): void {
    for (const worker of this.workers) worker.terminate();
  }
}

/** Bytes reserved, not used, for a memory that threads share. More is refused by some browsers. */
export const SHARED_BYTES = 2 ** 30;
