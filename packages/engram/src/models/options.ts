// The options of the three models: names and defaults of the Python package in camelCase, checked once, at construction.
import type { Nonlinearity, RnnType } from "../controllers/cells.js";
import { ConfigError } from "../errors.js";
import { didYouMean } from "../suggest.js";

export type ModelType = "dnc" | "sam" | "sdnc";

/** How a sparse memory looks for the cells most like a query. */
export type MemoryIndex = "exact" | "quantized";

/** What a DNC's constructor takes. Defaults in brackets. */
export interface DNCOptions {
  /** X, values of an input step. */
  inputSize: number;
  /** H, hidden units of each recurrent cell. */
  hiddenSize: number;
  /** O, values of an output step [inputSize]. */
  outputSize?: number;
  /** Kind of recurrent cell ['lstm']. */
  rnnType?: RnnType;
  /** Layers, each a controller and a memory access, at most 1024 [1]. */
  numLayers?: number;
  /** Recurrent cells one above the other in each controller, at most 1024 [2]. */
  numHiddenLayers?: number;
  /** Whether recurrent cells have biases [true]. */
  bias?: boolean;
  /** Whether inputs and outputs are [B, T, …] rather than [T, B, …] [true]. */
  batchFirst?: boolean;
  /** Probability of dropping an output of every cell but the top one of a layer, in training, 0 ≤ p < 1 [0]. */
  dropout?: number;
  /** Only false is supported. */
  bidirectional?: boolean;
  /** N, memory cells, at most 2²⁴ [DNC 5, SAM and SDNC 5000]. */
  nrCells?: number;
  /** R, read heads [DNC 2, SAM and SDNC 4]. */
  readHeads?: number;
  /** W, values of a memory cell [10]. */
  cellSize?: number;
  /** Activation of 'rnn' cells ['tanh']. */
  nonlinearity?: Nonlinearity;
  /** One linear layer for each section of the interface vector rather than one for all [false]. */
  independentLinears?: boolean;
  /** Whether all layers share one memory [true]. */
  shareMemory?: boolean;
  /** Whether the controller sees at each step what was read at the step before (the paper) or what the call started with (pytorch-dnc) [true]. */
  readFeedback?: boolean;
  /** Bound on the controller's output, 0 for none [20]. */
  clip?: number;
  /** Whether forward also gives the memory's values for the first batch element [false]. */
  debug?: boolean;
  /** Only −1, the CPU, is supported. */
  gpuId?: number;
  /** Seed of the initial weights and of dropout [0]. */
  seed?: number;
  /** Forward results kept for backward at a time [1]. */
  maxTapes?: number;
  /** Keep saved points only and run forward again between them in backward: less memory; a dense memory takes about a third more time, a sparse one up to twice as long [false]. */
  recompute?: boolean;
}

/** What a SAM's constructor takes besides. */
export interface SAMOptions extends DNCOptions {
  /** K, cells read by content by each head, at most nrCells [4]. */
  sparseReads?: number;
  /**
   * How those cells are found: 'exact' compares the query with every touched row; 'quantized', for memories of ten thousand touched rows and more, scores
   * codes of two bits a dimension first and compares the best of them, which may miss one [exact].
   */
  index?: MemoryIndex;
}

/** What an SDNC's constructor takes besides. */
export interface SDNCOptions extends SAMOptions {
  /** K_T, cells read by each head forward, and as many backward, along the links [4]. */
  temporalReads?: number;
  /** K_L, links kept in each row and column of the link matrix [8]. */
  temporalLinks?: number;
}

/** All options, resolved; what a kind of model does not have keeps its default. */
export type ModelConfig = Readonly<Required<SDNCOptions>>;

/** 2²⁴: the largest count that float32 positions still name exactly. */
export const MAX_CELLS = 2 ** 24;

/** Layers, and cells of a layer, at most: each has objects of its own, so that some more would be no network but a full heap. */
const MAX_DEPTH = 1024;

const dncDefaults = {
  outputSize: 0,
  rnnType: "lstm",
  numLayers: 1,
  numHiddenLayers: 2,
  bias: true,
  batchFirst: true,
  dropout: 0,
  bidirectional: false,
  nrCells: 5,
  readHeads: 2,
  cellSize: 10,
  nonlinearity: "tanh",
  independentLinears: false,
  shareMemory: true,
  readFeedback: true,
  clip: 20,
  debug: false,
  gpuId: -1,
  seed: 0,
  maxTapes: 1,
  recompute: false,
} as const;
const samDefaults = { ...dncDefaults, nrCells: 5000, readHeads: 4, sparseReads: 4, index: "exact" } as const;
const sdncDefaults = { ...samDefaults, temporalReads: 4, temporalLinks: 8 } as const;
const defaultsOf = { dnc: dncDefaults, sam: samDefaults, sdnc: sdncDefaults };

const sizes = ["inputSize", "hiddenSize", "outputSize", "readHeads", "cellSize", "maxTapes"] as const;
const depths = ["numLayers", "numHiddenLayers"] as const;
const sparseSizes = ["sparseReads", "temporalReads", "temporalLinks"] as const;
const choices = { rnnType: ["lstm", "gru", "rnn"], nonlinearity: ["tanh", "relu"], index: ["exact", "quantized"] } as const;
/** A rotation of cellSize² values is drawn for the index. */
const MAX_QUANTIZED_CELL_SIZE = 512;

function show(value: unknown): string {
  if (typeof value === "string") return `'${value}'`;
  if (typeof value === "number" || typeof value === "boolean" || value === null || value === undefined) return String(value);
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

function checkNames(type: ModelType, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const others = Object.entries(defaultsOf).filter(([, defaults]) => Object.hasOwn(defaults, name));
    if (others.length > 0) {
      const kinds = others.map(([other]) => other.toUpperCase()).join(" and ");
      throw new ConfigError(`unknown option '${name}': ${kinds} ${others.length > 1 ? "have" : "has"} it, ${type.toUpperCase()} has not`);
    }
    throw new ConfigError(`unknown option '${name}'${didYouMean(name, known)} (known: ${known.join(", ")})`);
  }
}

const LARGEST_SIZE = 2 ** 31 - 1;

function checkSize(name: string, value: unknown, largest = LARGEST_SIZE): void {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= largest) return;
  const isBounded = largest < LARGEST_SIZE || (typeof value === "number" && value > largest);
  const bound = isBounded ? `from 1 to ${largest === MAX_CELLS ? `2^24 (${largest})` : largest}` : "of 1 or more";
  throw new ConfigError(`${name} must be a whole number ${bound}, got ${show(value)}`);
}

function checkTypes(config: Record<string, unknown>, defaults: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(defaults)) {
    if (typeof value === "boolean" && typeof config[name] !== "boolean") {
      throw new ConfigError(`${name} must be true or false, got ${show(config[name])}`);
    }
  }
  for (const [name, allowed] of Object.entries(choices)) {
    const value = config[name];
    if ((allowed as readonly unknown[]).includes(value)) continue;
    throw new ConfigError(
      `${name} must be one of ${allowed.map((a) => `'${a}'`).join(", ")}, got ${show(value)}${didYouMean(value, allowed)}`,
    );
  }
}

function checkRanges(config: Record<string, unknown>): void {
  const { dropout, clip, seed, gpuId, bidirectional } = config;
  if (typeof dropout !== "number" || !(dropout >= 0 && dropout < 1)) {
    throw new ConfigError(`dropout must be a probability of 0 or more and below 1, got ${show(dropout)}`);
  }
  if (typeof clip !== "number" || !(clip >= 0 && Number.isFinite(clip))) {
    throw new ConfigError(`clip must be a finite number of 0 (no bound) or more, got ${show(clip)}`);
  }
  if (typeof seed !== "number" || !Number.isSafeInteger(seed)) throw new ConfigError(`seed must be a whole number, got ${show(seed)}`);
  if (gpuId !== -1) throw new ConfigError(`gpuId must be -1: there is no GPU engine, models run on the CPU; got ${show(gpuId)}`);
  if (bidirectional) throw new ConfigError("bidirectional: true is not supported yet; leave it false");
}

/** Checks the options of a model and fills in the defaults. @throws {ConfigError} naming the option, what it must be and what came */
export function resolveOptions(type: ModelType, options: DNCOptions | SAMOptions | SDNCOptions): ModelConfig {
  if (typeof options !== "object" || options === null) {
    throw new ConfigError(`options must be an object with at least inputSize and hiddenSize, got ${show(options)}`);
  }
  const defaults = defaultsOf[type];
  checkNames(type, options, ["inputSize", "hiddenSize", ...Object.keys(defaults)]);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const config: Record<string, unknown> = { sparseReads: 4, temporalReads: 4, temporalLinks: 8, index: "exact", ...defaults, ...given };
  for (const name of ["inputSize", "hiddenSize"]) {
    if (config[name] === undefined) throw new ConfigError(`${name} is required: a whole number of 1 or more`);
  }
  if (given.outputSize === undefined) config.outputSize = config.inputSize;
  for (const name of sizes) checkSize(name, config[name]);
  for (const name of depths) checkSize(name, config[name], MAX_DEPTH);
  checkSize("nrCells", config.nrCells, MAX_CELLS);
  for (const name of sparseSizes) checkSize(name, config[name]);
  checkTypes(config, defaults);
  checkRanges(config);
  const { sparseReads, nrCells } = config as ModelConfig;
  if (type !== "dnc" && sparseReads > nrCells) {
    throw new ConfigError(`sparseReads must be at most nrCells (${nrCells}), got ${sparseReads}; lower sparseReads or raise nrCells`);
  }
  if (config.index === "quantized" && (config.cellSize as number) > MAX_QUANTIZED_CELL_SIZE) {
    throw new ConfigError(
      `index: 'quantized' takes a cellSize of at most ${MAX_QUANTIZED_CELL_SIZE}, got ${show(config.cellSize)}; lower it or leave index 'exact'`,
    );
  }
  return Object.freeze(config) as ModelConfig;
}

/** Those of a model's options that its constructor takes: what makes it again. */
export function ownOptions(type: ModelType, config: ModelConfig): Partial<ModelConfig> {
  const names = ["inputSize", "hiddenSize", ...Object.keys(defaultsOf[type])];
  return Object.fromEntries(Object.entries(config).filter(([name]) => names.includes(name)));
}
