// Named sets of flags that are known to train. What each gives over five seeds is in the README; flags that follow win.
import type { TaskName } from "engram/tasks";
import type { FlagName, Settings } from "./flags.js";

export interface Preset {
  /** One line for the help. */
  readonly about: string;
  readonly flags: Partial<Settings>;
}

export const presets: Readonly<Record<TaskName, Readonly<Record<string, Preset>>>> = {
  copy: {
    quick: {
      about: "DNC, lengths 1 to 8, solved in seconds",
      flags: {
        memory_type: "dnc",
        mem_slot: 16,
        mem_size: 16,
        read_heads: 1,
        nhid: 64,
        nhlayer: 1,
        lr: 3e-3,
        clip: 10,
        batch_size: 32,
        sequence_max_length: 8,
        iterations: 20_000,
        stop_when_solved: true,
      },
    },
    curriculum: {
      about: "DNC, lengths 1 to 4 and then on to 20",
      flags: {
        memory_type: "dnc",
        mem_slot: 32,
        mem_size: 20,
        read_heads: 1,
        nhid: 64,
        nhlayer: 1,
        lr: 1e-3,
        clip: 10,
        batch_size: 32,
        sequence_max_length: 4,
        curriculum_loss: 0.02,
        curriculum_limit: 20,
        iterations: 30_000,
        stop_when_solved: true,
      },
    },
    sam: {
      about: "SAM, lengths 1 to 8",
      flags: {
        memory_type: "sam",
        mem_slot: 32,
        mem_size: 20,
        read_heads: 4,
        sparse_reads: 4,
        nhid: 64,
        nhlayer: 1,
        lr: 1e-3,
        clip: 10,
        batch_size: 32,
        sequence_max_length: 8,
        iterations: 20_000,
        stop_when_solved: true,
      },
    },
    sdnc: {
      about: "SDNC, lengths 1 to 8",
      flags: {
        memory_type: "sdnc",
        mem_slot: 24,
        mem_size: 16,
        read_heads: 2,
        sparse_reads: 4,
        nhid: 64,
        nhlayer: 1,
        lr: 2e-3,
        clip: 10,
        batch_size: 32,
        sequence_max_length: 8,
        iterations: 20_000,
        stop_when_solved: true,
      },
    },
  },
  adding: {
    sam: {
      about: "SAM, lengths 2 to 100, holds on 1,000",
      flags: {
        memory_type: "sam",
        mem_slot: 1000,
        mem_size: 32,
        read_heads: 1,
        sparse_reads: 4,
        nhid: 100,
        nhlayer: 1,
        lr: 1e-3,
        clip: 10,
        batch_size: 20,
        input_size: 3,
        sequence_max_length: 100,
        iterations: 2000,
      },
    },
  },
  argmax: {
    dnc: {
      about: "DNC, lengths 2 to 15",
      flags: {
        memory_type: "dnc",
        mem_slot: 20,
        mem_size: 10,
        read_heads: 2,
        nhid: 100,
        nhlayer: 1,
        lr: 1e-3,
        clip: 10,
        batch_size: 32,
        input_size: 10,
        sequence_max_length: 15,
        iterations: 20_000,
        stop_when_solved: true,
      },
    },
  },
};

/** A preset as it would be typed. */
export function presetArguments(preset: Preset): string[] {
  return (Object.entries(preset.flags) as [FlagName, Settings[FlagName]][]).flatMap(([name, value]) => {
    if (typeof value === "boolean") return [value ? `--${name}` : `--no-${name}`];
    return [`--${name}`, String(value)];
  });
}
