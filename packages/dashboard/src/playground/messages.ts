// What the page and its worker say to each other.
import type { TraceHeader } from "../data/api.js";
import type { Pattern } from "./pattern.js";
import type { Summary } from "./session.js";
import type { Settings } from "./settings.js";

export type ToWorker =
  | { readonly type: "start"; readonly settings: Settings; readonly pattern: Pattern }
  | { readonly type: "load"; readonly bytes: Uint8Array; readonly name: string; readonly settings: Settings }
  | { readonly type: "train" }
  | { readonly type: "pause" }
  | { readonly type: "step" }
  | { readonly type: "pattern"; readonly pattern: Pattern }
  | { readonly type: "save" };

export type FromWorker =
  | {
      readonly type: "ready";
      readonly isLoaded: boolean;
      readonly settings: Settings;
      readonly parameters: number;
      readonly iteration: number;
    }
  | { readonly type: "training" }
  | { readonly type: "progress"; readonly iteration: number; readonly loss: number; readonly iterationsPerSecond: number }
  | ({ readonly type: "summary" } & Summary)
  | {
      readonly type: "trace";
      readonly header: TraceHeader;
      readonly tensors: readonly { readonly name: string; readonly data: Float32Array; readonly shape: readonly number[] }[];
      readonly score: Readonly<Record<string, number>>;
    }
  | { readonly type: "stopped"; readonly solved: boolean; readonly iteration: number; readonly seconds: number }
  | { readonly type: "saved"; readonly bytes: Uint8Array; readonly iteration: number }
  | { readonly type: "problem"; readonly message: string };
