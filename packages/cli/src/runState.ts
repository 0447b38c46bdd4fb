// What the command line adds to a checkpoint, so that a run goes on exactly as if it had never stopped. No times of day and no
// speeds: the same seed gives the same bytes.
import { CheckpointError, type Model, type RandomState } from "engram";
import { readCheckpoint } from "engram/files";
import type { TaskName } from "engram/tasks";
import type { CurriculumState, TrainerState } from "engram/train";

/** Sums over some iterations. */
export interface Sums {
  readonly loss: number;
  readonly gradNorm: number;
  readonly count: number;
}

/** The best checkpoint: that of the longest sequences, and among those of the least mean loss since the one before. */
export interface Best {
  readonly iteration: number;
  readonly maxLength: number;
  readonly loss: number;
}

export interface RunState {
  readonly task: TaskName;
  readonly iteration: number;
  readonly curriculum: CurriculumState;
  /** Of the generator that training data come from. */
  readonly random: RandomState;
  readonly sinceSummary: Sums;
  readonly sinceCheckpoint: Sums;
  readonly best: Best | null;
}

export interface RunCheckpoint {
  readonly model: Model;
  readonly trainer: TrainerState;
  readonly run: RunState;
}

/** Reads a checkpoint that `engram train` wrote. @throws {CheckpointError} for anything else */
export function readRunCheckpoint(bytes: Uint8Array, source: string): RunCheckpoint {
  const { model, trainer, run } = readCheckpoint(bytes, source);
  const state = run as Partial<RunState> | undefined;
  if (typeof state?.iteration !== "number" || typeof state.curriculum?.maxLength !== "number") {
    throw new CheckpointError(`${source}: a checkpoint, but not one of engram train`);
  }
  return { model, trainer, run: state as RunState };
}
