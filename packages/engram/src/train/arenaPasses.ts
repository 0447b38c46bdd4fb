// A trainer's passes over the whole weight arena, around the shards of a step: it packs the weights, adds up gradients and finds their
// norm, clips and updates. What one part of a pass does is arenaJobs.ts.
import { EngramError } from "../errors.js";
import type { Core } from "../models/core.js";
import { type ArenaJob, arenaSlices, runArenaJob } from "./arenaJobs.js";
import { clipShare, finiteNorm } from "./gradientNorm.js";
import type { StepJob } from "./laneRunner.js";
import type { Optimizer } from "./optimizers.js";
import type { ResolvedTrainerOptions } from "./trainerOptions.js";
import type { UpdateCall } from "./updateRules.js";

export class ArenaPasses {
  /** Where the optimizer's moments lie, each laid out as the weights. */
  readonly moments: readonly number[];
  private readonly calls: readonly UpdateCall[];
  private readonly slices: ReturnType<typeof arenaSlices>;
  private readonly squares: number;

  /** @param share has all threads do the lanes of a job */
  constructor(
    private readonly core: Core,
    private readonly optimizer: Optimizer,
    private readonly share: (job: ArenaJob) => void,
  ) {
    const { engine, weights } = core;
    const { count, gradients, values } = weights;
    this.moments = optimizer.moments.map(() => engine.allocate(4 * count));
    optimizer.initialize(engine, this.moments, count);
    this.calls = optimizer.calls({ weights: values, gradients, moments: this.moments });
    this.slices = arenaSlices(count);
    this.squares = engine.allocate(8 * this.slices.lanes);
  }

  /** Gives the memory back. */
  free(): void {
    for (const at of [...this.moments, this.squares]) this.core.engine.free(at);
  }

  /** Packs the weights, where they changed, for a training step. */
  pack(): void {
    const { weights, network } = this.core;
    const job = { arena: "pack", lanes: network.packParts, carryState: false, weights: weights.values } as const;
    weights.pack(true, () => this.run(job));
  }

  /**
   * Adds up what the lanes of a step computed.
   * @param step undefined where the gradients are there already
   * @returns the norm of all gradients
   * @throws {NumericError} when it or the loss is not finite, naming step `number`
   */
  sum(step: StepJob | undefined, accumulates: boolean, number: number, loss: number | undefined): number {
    const { core, slices, squares } = this;
    const { gradients } = core.weights;
    const { sums = 0, laneBytes = 0, lanes = 0 } = step ?? {};
    const numSums = sums === 0 || sums === gradients ? 0 : lanes;
    this.run({ arena: "sum", ...slices, carryState: false, gradients, sums, laneBytes, numSums, accumulates, squares });
    return finiteNorm(core, core.engine.f64(squares, slices.lanes), number, loss);
  }

  /** Clips the gradients, whose norm is `norm`, and updates the weights. */
  update(norm: number, learningRate: number, options: Pick<ResolvedTrainerOptions, "clipGradNorm" | "clipGradValue">): void {
    const { core, slices, calls } = this;
    const { clipGradNorm, clipGradValue = null } = options;
    const { gradients } = core.weights;
    this.optimizer.begin(learningRate);
    core.weights.changed();
    try {
      const share = clipShare(norm, clipGradNorm);
      this.run({ arena: "update", ...slices, carryState: false, gradients, share, bound: clipGradValue, calls });
    } catch (cause) {
      throw new EngramError(
        "a worker thread stopped in the middle of an update: some of the weights are updated and some are not; go back to a checkpoint",
        undefined,
        { cause },
      );
    }
  }

  /** Few weights are dealt with sooner than another thread is told of them. */
  private run(job: ArenaJob): void {
    if (this.slices.lanes > 1) this.share(job);
    else for (let lane = 0; lane < job.lanes; lane++) runArenaJob(this.core.engine, this.core.network, job, lane);
  }
}
