// The float64 memories behind one face, for the network's reference: an access as a function of ξ and the state, with the function
// that goes back through it. States are keyed by the names of the library's tensors, one element each.
import type { ModelConfig, ModelType } from "../../src/models/options.js";
import { fieldOf } from "../denseBench.js";
import { referenceFields } from "../sparseBench.js";
import { accessBackward, accessForward, type DenseState, interfaceSections as denseSections } from "./denseMemory.js";
import { type SparseGradient, type SparseState, sparseAccess, sparseAccessBackward } from "./sparseMemory.js";

export type Fields = Record<string, Float64Array<ArrayBuffer>>;

export interface ReferenceAccess {
  readonly reads: Float64Array;
  readonly next: Fields;
  /** Gradients of ξ and of the state before, from those of r and of the state after. */
  back(dReads: Float64Array, dNext: Fields): { dXi: Float64Array; dPrev: Fields };
}

export interface ReferenceMemory {
  /** Sections of ξ by their state-dict names. */
  readonly sections: readonly (readonly [name: string, size: number])[];
  /** @param clock after it advanced */
  access(xi: Float64Array, prev: Fields, clock: number): ReferenceAccess;
}

/** The arrays of `fields` under other names: `names` maps the new ones to those that may be there. */
function rename<To>(names: Readonly<Record<string, string>>, fields: object): To {
  const renamed = Object.entries(names).map(([to, from]) => [to, (fields as Partial<Fields>)[from]] as const);
  return Object.fromEntries(renamed.filter(([, values]) => values !== undefined)) as To;
}

function inverse(names: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(names).map(([a, b]) => [b, a]));
}

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function denseMemory({ nrCells: cells, cellSize: width, readHeads: heads }: ModelConfig): ReferenceMemory {
  const sizes = { cells, width, heads };
  return {
    sections: denseSections(sizes).map(([name, size]) => [snakeCase(name), size] as const),
    access(xi, prev) {
      const access = accessForward(sizes, xi, rename<DenseState>(fieldOf, prev));
      return {
        reads: access.reads,
        next: rename<Fields>(inverse(fieldOf), access.next),
        back(dReads, dNext) {
          const { dInterface, dPrev } = accessBackward(access, dReads, rename<DenseState>(fieldOf, dNext));
          return { dXi: dInterface, dPrev: rename<Fields>(inverse(fieldOf), dPrev) };
        },
      };
    },
  };
}

function sparseMemory(config: ModelConfig, linked: boolean): ReferenceMemory {
  const { cellSize: w, readHeads: r } = config;
  const options = linked ? config : { ...config, temporalReads: 0, temporalLinks: 0 };
  const sections: [string, number][] = [
    ["read_query", r * w],
    ["read_strengths", r],
    ["write_vector", w],
    ["interpolation_gate", 1],
    ["write_gate", 1],
  ];
  if (linked) sections.push(["read_modes", 3 * r]);
  return {
    sections,
    access(xi, prev, clock) {
      const access = sparseAccess(options, rename<SparseState>(inverse(referenceFields), prev), xi, clock);
      return {
        reads: access.reads,
        next: rename<Fields>(referenceFields, access.after),
        back(dReads, dNext) {
          const gradient = rename<SparseGradient>(inverse(referenceFields), dNext);
          const { dXi, dBefore } = sparseAccessBackward(options, access, dReads, gradient);
          return { dXi, dPrev: rename<Fields>(referenceFields, dBefore) };
        },
      };
    },
  };
}

export function referenceMemory(type: ModelType, config: ModelConfig): ReferenceMemory {
  return type === "dnc" ? denseMemory(config) : sparseMemory(config, type === "sdnc");
}
