// How a model's state is laid out, apart from any engine: what a State needs to be read, so that one that is kept holds its own
// bytes and not the memory of the model that made it.
import { hasCellState } from "../controllers/cells.js";
import { pad8 } from "../engine/linear.js";
import type { Memory } from "../memory/memory.js";
import type { ModelConfig, ModelType } from "./options.js";

export class StateLayout {
  /** What a state must have in common with a model to be one of its states. */
  readonly signature: string;
  readonly numMemories: number;
  /** Whether cells have c beside h. */
  readonly hasCellState: boolean;
  /** Padded widths of a row of h or c, and of r. */
  readonly hiddenWidth: number;
  readonly readWidth: number;

  constructor(
    readonly type: ModelType,
    readonly config: ModelConfig,
    readonly memory: Memory,
  ) {
    const { rnnType, hiddenSize, numLayers, numHiddenLayers, nrCells, cellSize, readHeads, shareMemory } = config;
    const { sparseReads, temporalReads, temporalLinks, readFeedback } = config;
    const sizes = [rnnType, hiddenSize, numLayers, numHiddenLayers, nrCells, cellSize, readHeads, shareMemory];
    this.signature = [type, ...sizes, sparseReads, temporalReads, temporalLinks, readFeedback].join("/");
    this.numMemories = shareMemory ? 1 : numLayers;
    this.hasCellState = hasCellState[rnnType];
    this.hiddenWidth = pad8(hiddenSize);
    this.readWidth = memory.readWidth;
  }

  /** Floats of controller state and read vectors of `batch` elements; see controllerState.ts for their layout. */
  floats(batch: number): number {
    const { numLayers, numHiddenLayers, readFeedback } = this.config;
    const cells = numLayers * numHiddenLayers * (this.hasCellState ? 2 : 1);
    return batch * (cells * this.hiddenWidth + (readFeedback ? 1 : 2) * this.readWidth);
  }
}
