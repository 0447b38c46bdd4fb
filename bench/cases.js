// What is measured: every row of the table that the project must reach, what belongs beside it, and the sweeps.
//
// A case: `model` ("dnc", "sam", "sdnc"), `measure` ("train": one training step, forward to Adam; "forward": a sequence without
// gradients; "step": one time step of streaming), sizes under the library's own option names, and
//   mark      ratio to the Python package to reach, both on all cores, in turn in one run
//   trained   so many training steps on a copy task go before, at a high learning rate: gates saturate, and tiny values would show
//   streamed  so many steps of streaming go before: the memory is old
//   filled    the memory starts with every cell written

const small = { inputSize: 6, hiddenSize: 64, numHiddenLayers: 1, nrCells: 16, cellSize: 20, readHeads: 4 };
const sparse = { ...small, nrCells: 5000, sparseReads: 4 };
const linked = { ...sparse, temporalReads: 4, temporalLinks: 8 };
const baseOf = { dnc: small, sam: sparse, sdnc: linked };

function define(name, model, measure, batchSize, sequenceLength, options, more = {}) {
  return { name, model, measure, batchSize, sequenceLength, options: { ...baseOf[model], ...options }, ...more };
}

/** The marked table, in its order. */
export const table = [
  define("dnc-n16", "dnc", "train", 32, 20, {}, { mark: 12 }),
  define("dnc-n64", "dnc", "train", 32, 20, { nrCells: 64 }, { mark: 15 }),
  define("dnc-n256", "dnc", "train", 32, 20, { nrCells: 256 }, { mark: 7 }),
  define("dnc-b1000", "dnc", "train", 1000, 17, { nrCells: 32 }, { mark: 10 }),
  define(
    "dnc-layers",
    "dnc",
    "train",
    10,
    4,
    { inputSize: 64, hiddenSize: 128, nrCells: 100, cellSize: 32, numLayers: 4, numHiddenLayers: 2 },
    { mark: 8 },
  ),
  define("dnc-h512", "dnc", "train", 32, 20, { nrCells: 64, hiddenSize: 512 }, { mark: 2.5 }),
  define("dnc-step", "dnc", "step", 1, 1, {}, { mark: 25 }),
  define("sam-n256", "sam", "train", 8, 20, { nrCells: 256 }),
  define("sam-n1000", "sam", "train", 8, 20, { nrCells: 1000 }),
  define("sam-n5000", "sam", "train", 8, 20, {}, { mark: 200 }),
  define("sdnc-n256", "sdnc", "train", 8, 20, { nrCells: 256 }),
  define("sdnc-n1000", "sdnc", "train", 8, 20, { nrCells: 1000 }),
  define("sdnc-n5000", "sdnc", "train", 8, 20, {}, { mark: 200 }),
];

/** Forward alone, streaming, long-trained and old memories, and the SAM paper's own sizes. */
export const further = [
  define("dnc-n16-forward", "dnc", "forward", 32, 20, {}),
  define("dnc-n64-forward", "dnc", "forward", 32, 20, { nrCells: 64 }),
  define("dnc-n256-forward", "dnc", "forward", 32, 20, { nrCells: 256 }),
  define("sam-n5000-forward", "sam", "forward", 8, 20, {}),
  define("sdnc-n5000-forward", "sdnc", "forward", 8, 20, {}),
  define("sam-step", "sam", "step", 1, 1, {}),
  define("sdnc-step", "sdnc", "step", 1, 1, {}),
  define("dnc-n16-trained", "dnc", "train", 32, 20, {}, { trained: 1000 }),
  define("dnc-n64-trained", "dnc", "train", 32, 20, { nrCells: 64 }, { trained: 1000 }),
  define("dnc-n256-trained", "dnc", "train", 32, 20, { nrCells: 256 }, { trained: 500 }),
  define("sam-n5000-trained", "sam", "train", 8, 20, {}, { trained: 1000 }),
  define("sdnc-n5000-trained", "sdnc", "train", 8, 20, {}, { trained: 1000 }),
  define("dnc-step-old", "dnc", "step", 1, 1, {}, { streamed: 20_000 }),
  define("sam-step-old", "sam", "step", 1, 1, {}, { streamed: 20_000 }),
  define("sam-million", "sam", "train", 8, 20, { nrCells: 1_000_000, hiddenSize: 100, cellSize: 32 }),
  define("sam-64k-t100", "sam", "train", 1, 100, { nrCells: 65_536, hiddenSize: 100, cellSize: 32 }),
];

const axisOf = {
  N: (base, n) => ({ ...base, options: { ...base.options, nrCells: n } }),
  H: (base, h) => ({ ...base, options: { ...base.options, hiddenSize: h } }),
  T: (base, t) => ({ ...base, sequenceLength: t }),
  B: (base, b) => ({ ...base, batchSize: b }),
};

/** `expected`: the exponent of time against the axis and how far it may be off, where a mark says so; counted over points from `from`. */
function sweep(name, axis, values, base, more = {}) {
  const cases = values.map((value) => ({ ...axisOf[axis](base, value), name: `${name}=${value}`, value }));
  return { name, axis, model: base.model, measure: base.measure, values, cases, ...more };
}

const doubling = (first, last) => {
  const values = [];
  for (let value = first; value <= last; value *= 2) values.push(value);
  return values;
};
const linear = { expected: { exponent: 1, within: 0.1 } };
const dnc = define("", "dnc", "train", 32, 20, {});
const sam = define("", "sam", "train", 8, 20, {});
const sdnc = define("", "sdnc", "train", 8, 20, {});
const samSmall = define("", "sam", "train", 8, 20, { nrCells: 256 });
const sdncSmall = define("", "sdnc", "train", 8, 20, { nrCells: 256 });
const cells = [1000, 10_000, 100_000, 1_000_000, 16_000_000];

export const sweeps = [
  sweep("dnc-N", "N", doubling(16, 512), { ...dnc, batchSize: 16 }),
  sweep("dnc-T", "T", doubling(10, 160), dnc, linear),
  sweep("dnc-B", "B", doubling(16, 256), dnc, linear),
  sweep("dnc-H", "H", doubling(32, 512), dnc),
  sweep("sam-N", "N", cells, sam, { expected: { exponent: 0, within: 0.02 } }),
  sweep("sam-T", "T", doubling(10, 160), samSmall, linear),
  sweep("sam-B", "B", doubling(8, 128), sam, { expected: { exponent: 1, within: 0.1, from: 16 } }),
  sweep("sam-H", "H", doubling(32, 512), sam),
  sweep("sdnc-N", "N", cells, sdnc),
  sweep("sdnc-T", "T", doubling(10, 160), sdncSmall),
  sweep("sdnc-B", "B", doubling(8, 128), sdnc),
  sweep("sdnc-H", "H", doubling(32, 512), sdnc),
  sweep("sam-rows", "N", [10, 100, 1000, 10_000, 100_000, 1_000_000], define("", "sam", "step", 1, 1, {}, { filled: true })),
];

export const cases = [...table, ...further];

/** A name that no case and no sweep has; `names` are those there are. */
export class UnknownCase extends Error {
  constructor(wanted) {
    super(`no case or sweep is named '${wanted}'`);
    this.wanted = wanted;
    this.names = [...cases, ...sweeps].map((each) => each.name);
  }
}

/**
 * Cases and sweeps whose name is one of `names`, or begins with one that ends in "*".
 * @throws {UnknownCase}
 */
export function select(names) {
  const matches = (wanted) => (each) => (wanted.endsWith("*") ? each.name.startsWith(wanted.slice(0, -1)) : each.name === wanted);
  const chosen = { cases: new Set(), sweeps: new Set() };
  for (const wanted of names) {
    const found = { cases: cases.filter(matches(wanted)), sweeps: sweeps.filter(matches(wanted)) };
    if (found.cases.length + found.sweeps.length === 0) throw new UnknownCase(wanted);
    for (const each of found.cases) chosen.cases.add(each);
    for (const each of found.sweeps) chosen.sweeps.add(each);
  }
  return { cases: [...chosen.cases], sweeps: [...chosen.sweeps] };
}
