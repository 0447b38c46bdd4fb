// The forward pass of DNC, SAM and SDNC in float64, as plain as the equations: what the benchmark checks the library against before
// it times anything. One batch element, a fresh state, LSTM controllers, one shared memory: the configurations that are timed.
// Shapes as in the papers: M [N][W], L [N][N], one array a head. Never timed itself.

const EPSILON = 1e-6;
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => (x > 30 ? x : Math.log1p(Math.exp(x)));
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const zeros = (n) => new Array(n).fill(0);
const sum = (values) => values.reduce((total, value) => total + value, 0);

function softmax(values) {
  const top = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - top));
  const total = sum(powers);
  return powers.map((power) => power / total);
}

const norm = (vector) => Math.sqrt(dot(vector, vector) + EPSILON);
const similarity = (row, key) => dot(row, key) / (norm(row) * norm(key));

/** x·Wᵀ + b, W [rows, x.length]. */
function affine(parameters, weight, bias, x) {
  const w = parameters.get(weight).data;
  const b = bias === undefined ? undefined : parameters.get(bias).data;
  return Array.from({ length: w.length / x.length }, (_, row) => {
    let total = b === undefined ? 0 : b[row];
    for (let i = 0; i < x.length; i++) total += w[row * x.length + i] * x[i];
    return total;
  });
}

/** Indices of the `count` largest values, the lower index first among equals. */
function largest(values, count) {
  const order = values.map((_, i) => i).sort((a, b) => values[b] - values[a] || a - b);
  return order.slice(0, count);
}

/** Keeps the `count` largest positive values, the rest 0. */
function keepLargest(values, count) {
  const positive = values.map((_, i) => i).filter((i) => values[i] > 0);
  positive.sort((a, b) => values[b] - values[a] || a - b);
  const kept = zeros(values.length);
  for (const i of positive.slice(0, count)) kept[i] = values[i];
  return kept;
}

/** Cuts the interface vector into its sections, in order. */
function cut(vector, sizes) {
  let end = 0;
  return sizes.map((size) => {
    end += size;
    return vector.slice(end - size, end);
  });
}
const heads = (vector, width) => cut(vector, zeros(vector.length / width).fill(width));

function updateLinks(links, write, precedence) {
  const n = write.length;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) links[i][j] = i === j ? 0 : (1 - write[i] - write[j]) * links[i][j] + write[i] * precedence[j];
  }
}
const updatePrecedence = (precedence, write) => precedence.map((p, i) => (1 - sum(write)) * p + write[i]);
const forwardWeights = (links, read) => links.map((row) => dot(row, read));
const backwardWeights = (links, read) => weightedSum(links, read, read.length);
/** Σ_i weights_i · rows_i. */
function weightedSum(rows, weights, width) {
  const result = zeros(width);
  for (let i = 0; i < rows.length; i++) {
    if (weights[i] === 0) continue;
    for (let j = 0; j < width; j++) result[j] += weights[i] * rows[i][j];
  }
  return result;
}

class DenseMemory {
  constructor({ nrCells: N, cellSize: W, readHeads: R }) {
    Object.assign(this, { N, W, R, precedence: zeros(N), write: zeros(N), usage: zeros(N) });
    this.memory = Array.from({ length: N }, () => zeros(W));
    this.links = Array.from({ length: N }, () => zeros(N));
    this.reads = Array.from({ length: R }, () => zeros(N));
  }

  content(key, strength) {
    return softmax(this.memory.map((row) => strength * similarity(row, key)));
  }

  allocation() {
    const usage = this.usage.map((u) => EPSILON + (1 - EPSILON) * u);
    const order = usage.map((_, i) => i).sort((a, b) => usage[a] - usage[b] || a - b);
    const result = zeros(this.N);
    let product = 1;
    for (const i of order) {
      result[i] = (1 - usage[i]) * product;
      product *= usage[i];
    }
    return result;
  }

  access(xi) {
    const { W, R } = this;
    const [keys, strengths, writeKey, writeStrength, erase, vector, free, [allocationGate], [writeGate], modes] = cut(xi, [
      R * W,
      R,
      W,
      1,
      W,
      W,
      R,
      1,
      1,
      3 * R,
    ]);
    this.usage = this.usage.map((u, i) =>
      free.reduce((kept, gate, h) => kept * (1 - sigmoid(gate) * this.reads[h][i]), u + (1 - u) * this.write[i]),
    );
    const content = this.content(writeKey.map(Math.tanh), softplus(writeStrength[0]));
    const [a, g] = [sigmoid(allocationGate), sigmoid(writeGate)];
    this.write = this.allocation().map((allocated, i) => g * (a * allocated + (1 - a) * content[i]));
    this.memory = this.memory.map((row, i) =>
      row.map((value, j) => value * (1 - this.write[i] * sigmoid(erase[j])) + this.write[i] * Math.tanh(vector[j])),
    );
    updateLinks(this.links, this.write, this.precedence);
    this.precedence = updatePrecedence(this.precedence, this.write);
    this.reads = this.reads.map((before, h) => {
      const [backward, forward, lookup] = softmax(modes.slice(3 * h, 3 * h + 3));
      const c = this.content(heads(keys, W)[h].map(Math.tanh), softplus(strengths[h]));
      const f = forwardWeights(this.links, before);
      const b = backwardWeights(this.links, before);
      return c.map((value, i) => backward * b[i] + forward * f[i] + lookup * value);
    });
    return this.reads.flatMap((weights) => weightedSum(this.memory, weights, W));
  }
}

/** SAM's memory, and SDNC's with `linked`. `numCells` may be cut to what a short fresh sequence can reach. */
class SparseMemory {
  constructor({ cellSize: W, readHeads: R, sparseReads: K, temporalReads, temporalLinks }, numCells, linked) {
    Object.assign(this, { W, R, K, temporalReads, temporalLinks, linked, clock: 0, lastAccess: zeros(numCells) });
    this.memory = Array.from({ length: numCells }, () => zeros(W));
    this.reads = Array.from({ length: R }, () => zeros(numCells));
    this.precedence = zeros(numCells);
    this.links = linked ? Array.from({ length: numCells }, () => zeros(numCells)) : [];
  }

  access(xi) {
    const { W, R, linked } = this;
    const [queries, strengths, vector, [interpolation], [gate], modes] = cut(xi, [R * W, R, W, 1, 1, linked ? 3 * R : 0]);
    this.clock++;
    const oldest = this.lastAccess.indexOf(Math.min(...this.lastAccess));
    const [i, g] = [sigmoid(interpolation), sigmoid(gate)];
    const write = this.lastAccess.map(
      (_, cell) => g * ((i * sum(this.reads.map((weights) => weights[cell]))) / R + (cell === oldest ? 1 - i : 0)),
    );
    this.memory[oldest] = zeros(W);
    this.memory = this.memory.map((row, cell) => (write[cell] === 0 ? row : row.map((value, j) => value + write[cell] * vector[j])));
    const before = this.reads;
    this.reads = before.map((_, h) => this.content(heads(queries, W)[h], softplus(strengths[h])));
    if (linked) this.followLinks(write, before, modes);
    for (let cell = 0; cell < write.length; cell++) {
      if (write[cell] + sum(this.reads.map((weights) => weights[cell])) > 0.005) this.lastAccess[cell] = this.clock;
    }
    return this.reads.flatMap((weights) => weightedSum(this.memory, weights, W));
  }

  content(query, strength) {
    const similarities = this.memory.map((row) => similarity(row, query));
    const nearest = largest(similarities, this.K);
    const weights = softmax(nearest.map((cell) => strength * similarities[cell]));
    const result = zeros(similarities.length);
    for (const [k, cell] of nearest.entries()) result[cell] = weights[k];
    return result;
  }

  followLinks(write, before, modes) {
    updateLinks(this.links, write, this.precedence);
    this.links = this.links.map((row) => keepLargest(row, this.temporalLinks));
    for (let column = 0; column < write.length; column++) {
      const kept = keepLargest(
        this.links.map((row) => row[column]),
        this.temporalLinks,
      );
      for (const [cell, row] of this.links.entries()) row[column] = kept[cell];
    }
    this.precedence = keepLargest(updatePrecedence(this.precedence, write), this.temporalLinks);
    this.reads = this.reads.map((content, h) => {
      const [backward, forward, lookup] = softmax(modes.slice(3 * h, 3 * h + 3));
      const f = keepLargest(forwardWeights(this.links, before[h]), this.temporalReads);
      const b = keepLargest(backwardWeights(this.links, before[h]), this.temporalReads);
      return content.map((value, cell) => backward * b[cell] + forward * f[cell] + lookup * value);
    });
  }
}

function openMemory(model, config, steps) {
  if (model === "dnc") return new DenseMemory(config);
  // Untouched cells are taken in index order, and an access touches at most R·(K + 2·K_T) + 1 new ones.
  const touched = config.readHeads * (config.sparseReads + 2 * (config.temporalReads ?? 0)) + 1;
  const numCells = Math.min(config.nrCells, steps * config.numLayers * touched + config.sparseReads + 1);
  return new SparseMemory(config, numCells, model === "sdnc");
}

function lstmCell(parameters, prefix, k, x, state, H) {
  const names = ["ih", "hh"].map((side) => [`${prefix}.weight_${side}_l${k}`, `${prefix}.bias_${side}_l${k}`]);
  const fromInput = affine(parameters, ...names[0], x);
  const fromState = affine(parameters, ...names[1], state.h);
  const [i, f, g, o] = heads(
    fromInput.map((value, n) => value + fromState[n]),
    H,
  );
  state.c = state.c.map((c, n) => sigmoid(f[n]) * c + sigmoid(i[n]) * Math.tanh(g[n]));
  state.h = state.c.map((c, n) => sigmoid(o[n]) * Math.tanh(c));
  return state.h;
}

/**
 * @param config the model's resolved options
 * @param parameters the state dict
 * @param input rows of one element, [T][X]
 * @returns the outputs, [T][O]
 */
export function referenceForward(model, config, parameters, input) {
  const { hiddenSize: H, numLayers, numHiddenLayers, clip } = config;
  if (config.rnnType !== "lstm") throw new Error("the float64 reference of the benchmark knows LSTM controllers only");
  const memory = openMemory(model, config, input.length);
  const states = Array.from({ length: numLayers }, () => Array.from({ length: numHiddenLayers }, () => ({ h: zeros(H), c: zeros(H) })));
  let reads = zeros(config.readHeads * config.cellSize);
  return input.map((x) => {
    let above = [...x, ...reads];
    states.forEach((cells, layer) => {
      cells.forEach((state, k) => {
        above = lstmCell(parameters, `lstm_layer_${layer}`, k, above, state, H);
      });
      const h = clip === 0 ? above : above.map((value) => Math.max(-clip, Math.min(clip, value)));
      const name = "rnn_layer_memory_shared.interface_weights";
      reads = memory.access(affine(parameters, `${name}.weight`, `${name}.bias`, h));
      above = [...h, ...reads];
    });
    return affine(parameters, "output.weight", "output.bias", above);
  });
}
