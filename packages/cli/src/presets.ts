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
        mem_slot: 32,
        mem_size: 16,
        read_heads: 1,
        nhid: 64,
        nhlayer: 1,
        lr: 5e-3,
        clip: 10,
        batch_size: 32,
        sequence_max_length: 8,
        iterations: 3000,
        stop_when_solved: true,
      },
    },
    curriculum: {
      about: "SDNC, lengths 1 to 8 and then on to 20",
      flags: {
        memory_type: "sdnc",
        mem_slot: 256,
        mem_size: 16,
        read_heads: 1,
        sparse_reads: 4,
        temporal_reads: 2,
        temporal_links: 8,
        nhid: 64,
        nhlayer: 1,
        lr: 8e-3,
        lr_cosine: 2000,
        clip: 1,
        batch_size: 32,
        sequence_max_length: 8,
        curriculum_loss: 0.1,
        curriculum_limit: 20,
        iterations: 2000,
        stop_when_solved: true,
      },
    },
    sam: {
      about: "SAM, lengths 1 to 8",
      flags: {
        memory_type: "sam",
        mem_slot: 128,
        mem_size: 20,
        read_heads: 1,
        sparse_reads: 8,
        nhid: 64,
        nhlayer: 1,
        lr: 5e-3,
        lr_cosine: 3500,
        clip: 10,
        batch_size: 32,
        sequence_max_length: 8,
        iterations: 3500,
        stop_when_solved: true,
      },
    },
    sdnc: {
      about: "SDNC, lengths 1 to 8",
      flags: {
        memory_type: "sdnc",
        mem_slot: 128,
        mem_size: 16,
        read_heads: 1,
        sparse_reads: 4,
        temporal_reads: 2,
        temporal_links: 8,
        nhid: 64,
        nhlayer: 1,
        lr: 8e-3,
        lr_cosine: 3000,
        clip: 1,
        batch_size: 32,
        sequence_max_length: 8,
        iterations: 3000,
        stop_when_solved: true,
      },
    },
  },
  adding: {
    sam: {
      about: "SAM, lengths 2 to 100, holds on 1,000",
      flags: {
        memory_type: "sam",
        mem_slot: 16,
        mem_size: 16,
        read_heads: 1,
        sparse_reads: 4,
        rnn_type: "gru",
        nhid: 64,
        nhlayer: 1,
        lr: 2e-3,
        lr_cosine: 1000,
        clip: 10,
        batch_size: 16,
        input_size: 3,
        sequence_max_length: 100,
        iterations: 1000,
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
        read_heads: 1,
        nhid: 64,
        nhlayer: 1,
        lr: 5e-3,
        lr_cosine: 4000,
        clip: 1,
        batch_size: 32,
        input_size: 10,
        sequence_max_length: 15,
        iterations: 4000,
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
