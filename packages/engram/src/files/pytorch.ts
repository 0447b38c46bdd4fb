// Weights of the Python package `dnc` (pytorch-dnc). In Python, after training:
//
//   from safetensors.torch import save_file
//   save_file(rnn.state_dict(), "dnc.safetensors")
//
// Names and shapes of its DNC's weights are ours, and so is what they mean.
import { CheckpointError } from "../errors.js";
import { DNC } from "../models/dnc.js";
import type { DNCOptions } from "../models/options.js";
import type { Tensor } from "../tensor.js";
import { readSafetensors } from "./safetensors.js";

/** Interface sections that only its SAM and SDNC have, with independent linears. */
const SPARSE_SECTION = /\.(read_query|interpolation_gate)_transform\./;
const INTERFACE_WEIGHT = /^rnn_layer_memory_.*\.interface_weights\.weight$/;
const WHY_NOT =
  "its SAM and SDNC have another interface (an interpolation gate for each cell, among others) than the papers' equations that engram follows, so their weights can't be loaded";

/**
 * A DNC with weights that the Python package `dnc` trained, from a safetensors file of its `state_dict()`.
 *
 * The options are those of the Python constructor, in camelCase (`nr_cells` is `nrCells`); they are not in the file. `readFeedback` is
 * false unless given: there the controller sees, at every step of a call, the read vectors that the call started with, and only so
 * the model computes what that one did. Cosine similarity has its ε in another place (models with a nearly empty memory differ in
 * the sixth digit).
 * @param bytes the whole file
 * @param config the options the model was made with in Python, as far as they are not the defaults
 * @param source what to call the file in error messages
 * @throws {CheckpointError} when the file is broken, its weights don't fit the options, or are of a SAM or SDNC
 * @throws {ConfigError} for options that a DNC does not take
 */
export function loadPyTorchWeights(bytes: Uint8Array, config: DNCOptions, source = "PyTorch weights"): DNC {
  const { tensors } = readSafetensors(bytes, source);
  refuseSparseModels(tensors, config, source);
  const model = new DNC({ ...config, readFeedback: config?.readFeedback === undefined ? false : config.readFeedback });
  try {
    refuseOtherInterface(tensors, model, source);
    model.loadStateDict(tensors);
    return model;
  } catch (error) {
    model.dispose();
    throw error instanceof CheckpointError && !error.message.startsWith(source)
      ? new CheckpointError(`${source}: ${error.message}`, { cause: error })
      : error;
  }
}

function refuseSparseModels(tensors: ReadonlyMap<string, Tensor>, config: object, source: string): void {
  const option = ["sparseReads", "temporalReads", "temporalLinks"].find((name) => Object.hasOwn(config ?? {}, name));
  if (option !== undefined) throw new CheckpointError(`${source}: ${option} is an option of SAM and SDNC; ${WHY_NOT}`);
  const section = [...tensors.keys()].find((name) => SPARSE_SECTION.test(name));
  if (section !== undefined) throw new CheckpointError(`${source}: ${section} is a weight of SAM or SDNC; ${WHY_NOT}`);
}

/** With one linear layer for the whole interface, only its number of rows tells a DNC from the others. */
function refuseOtherInterface(tensors: ReadonlyMap<string, Tensor>, model: DNC, source: string): void {
  for (const [name, { shape }] of model.parameters()) {
    const rows = tensors.get(name)?.shape[0];
    if (!INTERFACE_WEIGHT.test(name) || rows === undefined || rows === shape[0]) continue;
    const { readHeads, cellSize } = model.config;
    throw new CheckpointError(
      `${source}: ${name} has ${rows} rows, a DNC with readHeads ${readHeads} and cellSize ${cellSize} has ${shape[0]}; ` +
        `either these options differ, or it is a SAM or SDNC: ${WHY_NOT}`,
    );
  }
}
