// One access to a DNC memory in float64, one element, unpadded: the equations of the paper (Graves et al. 2016) as loops, and their
// gradient by hand. The kernels are tested against this, and this against central differences.

export interface DenseSizes {
  readonly cells: number;
  readonly width: number;
  readonly heads: number;
}

type Values = Float64Array<ArrayBuffer>;

/** All row-major: memory [N, W], linkMatrix [N, N], readWeights [R, N], the others [N]. A gradient of a state has the same form. */
export interface DenseState {
  memory: Values;
  linkMatrix: Values;
  precedence: Values;
  readWeights: Values;
  writeWeights: Values;
  usage: Values;
}

export const stateNames = ["memory", "linkMatrix", "precedence", "readWeights", "writeWeights", "usage"] as const;

export function emptyState({ cells, width, heads }: DenseSizes): DenseState {
  return {
    memory: new Float64Array(cells * width),
    linkMatrix: new Float64Array(cells * cells),
    precedence: new Float64Array(cells),
    readWeights: new Float64Array(heads * cells),
    writeWeights: new Float64Array(cells),
    usage: new Float64Array(cells),
  };
}

/** The sections of ξ, in their order in the state dict. */
export function interfaceSections({ width, heads }: DenseSizes) {
  return [
    ["readKeys", heads * width],
    ["readStrengths", heads],
    ["writeKey", width],
    ["writeStrength", 1],
    ["eraseVector", width],
    ["writeVector", width],
    ["freeGates", heads],
    ["allocationGate", 1],
    ["writeGate", 1],
    ["readModes", 3 * heads],
  ] as const;
}

export function interfaceSize(sizes: DenseSizes): number {
  return interfaceSections(sizes).reduce((sum, [, size]) => sum + size, 0);
}

type Section = ReturnType<typeof interfaceSections>[number][0];
type Interface = Record<Section, Values>;

const EPSILON = 1e-6;
const at = (values: ArrayLike<number>, i: number) => values[i] as number;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const add = (values: Values, i: number, x: number) => {
  values[i] = at(values, i) + x;
};

function dot(a: ArrayLike<number>, aFrom: number, b: ArrayLike<number>, bFrom: number, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += at(a, aFrom + i) * at(b, bFrom + i);
  return sum;
}

function split(sizes: DenseSizes, vector: ArrayLike<number>): Interface {
  let from = 0;
  const parts = interfaceSections(sizes).map(([name, size]) => {
    from += size;
    return [name, Float64Array.from({ length: size }, (_, i) => at(vector, from - size + i))] as const;
  });
  return Object.fromEntries(parts) as Interface;
}

function softmax(scores: Values): Values {
  const largest = Math.max(...scores);
  const powers = scores.map((s) => Math.exp(s - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

function softmaxBackward(dOut: Values, out: Values): Values {
  const mean = dot(dOut, 0, out, 0, out.length);
  return out.map((p, i) => p * (at(dOut, i) - mean));
}

function activate(sizes: DenseSizes, vector: ArrayLike<number>): Interface {
  const raw = split(sizes, vector);
  const modes = range(sizes.heads).flatMap((h) => [...softmax(raw.readModes.slice(3 * h, 3 * h + 3))]);
  return {
    readKeys: raw.readKeys.map(Math.tanh),
    readStrengths: raw.readStrengths.map(softplus),
    writeKey: raw.writeKey.map(Math.tanh),
    writeStrength: raw.writeStrength.map(softplus),
    eraseVector: raw.eraseVector.map(sigmoid),
    writeVector: raw.writeVector.map(Math.tanh),
    freeGates: raw.freeGates.map(sigmoid),
    allocationGate: raw.allocationGate.map(sigmoid),
    writeGate: raw.writeGate.map(sigmoid),
    readModes: Float64Array.from(modes),
  };
}

function activateBackward(sizes: DenseSizes, d: Interface, y: Interface, vector: ArrayLike<number>): Values {
  const raw = split(sizes, vector);
  const slopes: Record<Exclude<Section, "readModes">, (y: number, x: number) => number> = {
    readKeys: (t) => 1 - t * t,
    writeKey: (t) => 1 - t * t,
    writeVector: (t) => 1 - t * t,
    readStrengths: (_, x) => sigmoid(x),
    writeStrength: (_, x) => sigmoid(x),
    eraseVector: (s) => s * (1 - s),
    freeGates: (s) => s * (1 - s),
    allocationGate: (s) => s * (1 - s),
    writeGate: (s) => s * (1 - s),
  };
  const parts = interfaceSections(sizes).map(([name]) => {
    if (name !== "readModes") return d[name].map((g, i) => g * slopes[name](at(y[name], i), at(raw[name], i)));
    const of = (values: Values, h: number) => values.slice(3 * h, 3 * h + 3);
    return Float64Array.from(range(sizes.heads).flatMap((h) => [...softmaxBackward(of(d.readModes, h), of(y.readModes, h))]));
  });
  return Float64Array.from(parts.flatMap((part) => [...part]));
}

/** D(M_i, k) for every cell. */
function similarity({ cells, width }: DenseSizes, memory: Values, keys: Values, from: number): Values {
  const keyNorm = Math.sqrt(dot(keys, from, keys, from, width) + EPSILON);
  return Float64Array.from(range(cells), (i) => {
    const norm = Math.sqrt(dot(memory, i * width, memory, i * width, width) + EPSILON);
    return dot(memory, i * width, keys, from, width) / (norm * keyNorm);
  });
}

function similarityBackward(
  { cells, width }: DenseSizes,
  d: { similarity: Values; memory: Values; keys: Values },
  memory: Values,
  keys: Values,
  from: number,
): void {
  const keySquare = dot(keys, from, keys, from, width) + EPSILON;
  for (let i = 0; i < cells; i++) {
    const square = dot(memory, i * width, memory, i * width, width) + EPSILON;
    const product = dot(memory, i * width, keys, from, width);
    const scale = at(d.similarity, i) / Math.sqrt(square * keySquare);
    for (let k = 0; k < width; k++) {
      const m = at(memory, i * width + k);
      const key = at(keys, from + k);
      add(d.memory, i * width + k, scale * (key - (product * m) / square));
      add(d.keys, from + k, scale * (m - (product * key) / keySquare));
    }
  }
}

export interface DenseAccess {
  readonly sizes: DenseSizes;
  readonly vector: ArrayLike<number>;
  readonly prev: DenseState;
  readonly next: DenseState;
  /** r, [R, W]. */
  readonly reads: Values;
  readonly order: readonly number[];
  readonly xi: Interface;
  readonly written: { similarity: Values; content: Values; allocation: Values; adjusted: Values };
  readonly read: readonly { similarity: Values; content: Values; forward: Values; backward: Values }[];
}

/** @param vector ξ as the linear layer gives it, sections in the order of the state dict */
export function accessForward(sizes: DenseSizes, vector: ArrayLike<number>, prev: DenseState): DenseAccess {
  const { cells, width, heads } = sizes;
  const xi = activate(sizes, vector);
  const next = emptyState(sizes);
  for (let i = 0; i < cells; i++) {
    let retention = 1;
    for (let h = 0; h < heads; h++) retention *= 1 - at(xi.freeGates, h) * at(prev.readWeights, h * cells + i);
    const used = at(prev.usage, i);
    next.usage[i] = (used + (1 - used) * at(prev.writeWeights, i)) * retention;
  }

  const similar = similarity(sizes, prev.memory, xi.writeKey, 0);
  const content = softmax(similar.map((d) => at(xi.writeStrength, 0) * d));
  const adjusted = next.usage.map((u) => EPSILON + (1 - EPSILON) * u);
  const order = range(cells).sort((a, b) => at(adjusted, a) - at(adjusted, b));
  const allocation = new Float64Array(cells);
  let product = 1;
  for (const cell of order) {
    allocation[cell] = (1 - at(adjusted, cell)) * product;
    product *= at(adjusted, cell);
  }
  const [allocationGate, writeGate] = [at(xi.allocationGate, 0), at(xi.writeGate, 0)];
  const w = allocation.map((a, i) => writeGate * (allocationGate * a + (1 - allocationGate) * at(content, i)));
  next.writeWeights = w;

  const totalWrite = w.reduce((a, b) => a + b, 0);
  for (let i = 0; i < cells; i++) {
    for (let k = 0; k < width; k++) {
      const kept = at(prev.memory, i * width + k) * (1 - at(w, i) * at(xi.eraseVector, k));
      next.memory[i * width + k] = kept + at(w, i) * at(xi.writeVector, k);
    }
    for (let j = 0; j < cells; j++) {
      const link = (1 - at(w, i) - at(w, j)) * at(prev.linkMatrix, i * cells + j) + at(w, i) * at(prev.precedence, j);
      next.linkMatrix[i * cells + j] = i === j ? 0 : link;
    }
    next.precedence[i] = (1 - totalWrite) * at(prev.precedence, i) + at(w, i);
  }

  const reads = new Float64Array(heads * width);
  const read = range(heads).map((h) => {
    const alike = similarity(sizes, next.memory, xi.readKeys, h * width);
    const found = softmax(alike.map((d) => at(xi.readStrengths, h) * d));
    const [forward, backward] = [new Float64Array(cells), new Float64Array(cells)];
    for (let i = 0; i < cells; i++) {
      for (let j = 0; j < cells; j++) {
        add(forward, i, at(next.linkMatrix, i * cells + j) * at(prev.readWeights, h * cells + j));
        add(backward, i, at(next.linkMatrix, j * cells + i) * at(prev.readWeights, h * cells + j));
      }
    }
    for (let i = 0; i < cells; i++) {
      const [back, ahead, alikeMode] = [at(xi.readModes, 3 * h), at(xi.readModes, 3 * h + 1), at(xi.readModes, 3 * h + 2)];
      const weight = back * at(backward, i) + ahead * at(forward, i) + alikeMode * at(found, i);
      next.readWeights[h * cells + i] = weight;
      for (let k = 0; k < width; k++) add(reads, h * width + k, weight * at(next.memory, i * width + k));
    }
    return { similarity: alike, content: found, forward, backward };
  });
  return { sizes, vector, prev, next, reads, order, xi, written: { similarity: similar, content, allocation, adjusted }, read };
}

/** Goes back: the gradients of ξ and of the state before, from those of r and of the state after (which stay as they are). */
export function accessBackward(access: DenseAccess, dReads: ArrayLike<number>, dNext: DenseState) {
  const { sizes, prev, xi } = access;
  const { cells, heads } = sizes;
  const dXi = split(sizes, new Float64Array(interfaceSize(sizes)));
  const dPrev = emptyState(sizes);
  const d = Object.fromEntries(stateNames.map((name) => [name, dNext[name].slice()])) as unknown as DenseState;

  for (let h = 0; h < heads; h++) readBackward(access, h, dReads, d, dPrev, dXi);
  linkBackward(access, d, dPrev);
  writeBackward(access, d, dPrev, dXi);
  weightsBackward(access, d, dPrev, dXi);

  for (let i = 0; i < cells; i++) {
    const kept = range(heads).map((h) => 1 - at(xi.freeGates, h) * at(prev.readWeights, h * cells + i));
    const retention = kept.reduce((a, b) => a * b, 1);
    const [used, write] = [at(prev.usage, i), at(prev.writeWeights, i)];
    add(dPrev.usage, i, at(d.usage, i) * retention * (1 - write));
    add(dPrev.writeWeights, i, at(d.usage, i) * retention * (1 - used));
    for (let h = 0; h < heads; h++) {
      const others = kept.reduce((a, b, other) => (other === h ? a : a * b), 1);
      const dKept = at(d.usage, i) * (used + (1 - used) * write) * others;
      add(dXi.freeGates, h, -dKept * at(prev.readWeights, h * cells + i));
      add(dPrev.readWeights, h * cells + i, -dKept * at(xi.freeGates, h));
    }
  }
  return { dInterface: activateBackward(sizes, dXi, xi, access.vector), dPrev };
}

// r_h = Mᵀ·w^r_h, the mix of w^r_h, and where its three parts come from.
function readBackward(access: DenseAccess, h: number, dReads: ArrayLike<number>, d: DenseState, dPrev: DenseState, dXi: Interface): void {
  const { sizes, prev, next, xi } = access;
  const { cells, width } = sizes;
  const { similarity: alike, content, forward, backward } = access.read[h] as DenseAccess["read"][number];
  const modes = xi.readModes.slice(3 * h, 3 * h + 3);
  const dWeights = d.readWeights.slice(h * cells, (h + 1) * cells);
  for (let i = 0; i < cells; i++) {
    for (let k = 0; k < width; k++) {
      add(dWeights, i, at(next.memory, i * width + k) * at(dReads, h * width + k));
      add(d.memory, i * width + k, at(next.readWeights, h * cells + i) * at(dReads, h * width + k));
    }
  }
  [backward, forward, content].forEach((part, mode) => {
    dXi.readModes[3 * h + mode] = dot(dWeights, 0, part, 0, cells);
  });
  for (let i = 0; i < cells; i++) {
    const [dBackward, dForward] = [at(modes, 0) * at(dWeights, i), at(modes, 1) * at(dWeights, i)];
    for (let j = 0; j < cells; j++) {
      add(d.linkMatrix, i * cells + j, dForward * at(prev.readWeights, h * cells + j));
      add(dPrev.readWeights, h * cells + j, dForward * at(next.linkMatrix, i * cells + j));
      add(d.linkMatrix, j * cells + i, dBackward * at(prev.readWeights, h * cells + j));
      add(dPrev.readWeights, h * cells + j, dBackward * at(next.linkMatrix, j * cells + i));
    }
  }
  const dScores = softmaxBackward(
    dWeights.map((g) => at(modes, 2) * g),
    content,
  );
  dXi.readStrengths[h] = dot(dScores, 0, alike, 0, cells);
  const dSimilarity = dScores.map((g) => g * at(xi.readStrengths, h));
  similarityBackward(sizes, { similarity: dSimilarity, memory: d.memory, keys: dXi.readKeys }, next.memory, xi.readKeys, h * width);
}

// L and p; L_ii = 0 whatever went before.
function linkBackward({ sizes: { cells }, prev, next }: DenseAccess, d: DenseState, dPrev: DenseState): void {
  const w = next.writeWeights;
  const totalWrite = w.reduce((a, b) => a + b, 0);
  for (let i = 0; i < cells; i++) {
    for (let j = 0; j < cells; j++) {
      if (i === j) continue;
      const g = at(d.linkMatrix, i * cells + j);
      const link = at(prev.linkMatrix, i * cells + j);
      add(dPrev.linkMatrix, i * cells + j, g * (1 - at(w, i) - at(w, j)));
      add(dPrev.precedence, j, g * at(w, i));
      add(d.writeWeights, i, g * (at(prev.precedence, j) - link));
      add(d.writeWeights, j, -g * link);
    }
  }
  const decayed = dot(d.precedence, 0, prev.precedence, 0, cells);
  for (let i = 0; i < cells; i++) {
    add(dPrev.precedence, i, at(d.precedence, i) * (1 - totalWrite));
    add(d.writeWeights, i, at(d.precedence, i) - decayed);
  }
}

// M = M′∘(1 − w eᵀ) + w vᵀ.
function writeBackward({ sizes, prev, next, xi }: DenseAccess, d: DenseState, dPrev: DenseState, dXi: Interface): void {
  const { cells, width } = sizes;
  for (let i = 0; i < cells; i++) {
    const w = at(next.writeWeights, i);
    for (let k = 0; k < width; k++) {
      const g = at(d.memory, i * width + k);
      const word = at(prev.memory, i * width + k);
      add(dPrev.memory, i * width + k, g * (1 - w * at(xi.eraseVector, k)));
      add(d.writeWeights, i, g * (at(xi.writeVector, k) - word * at(xi.eraseVector, k)));
      add(dXi.eraseVector, k, -g * w * word);
      add(dXi.writeVector, k, g * w);
    }
  }
}

// w^w from allocation and content, and those two.
function weightsBackward({ sizes, prev, xi, written, order }: DenseAccess, d: DenseState, dPrev: DenseState, dXi: Interface): void {
  const { cells } = sizes;
  const { allocation, content, adjusted, similarity: alike } = written;
  const [allocationGate, writeGate] = [at(xi.allocationGate, 0), at(xi.writeGate, 0)];
  const dW = d.writeWeights;
  const mixed = allocation.map((a, i) => allocationGate * a + (1 - allocationGate) * at(content, i));
  dXi.writeGate[0] = dot(dW, 0, mixed, 0, cells);
  dXi.allocationGate[0] = writeGate * (dot(dW, 0, allocation, 0, cells) - dot(dW, 0, content, 0, cells));

  // Each û_j is a factor of every allocation after it in the order.
  order.forEach((cell, j) => {
    const before = order.slice(0, j).reduce((product, other) => product * at(adjusted, other), 1);
    let g = -writeGate * allocationGate * at(dW, cell) * before;
    let product = before;
    for (const later of order.slice(j + 1)) {
      g += writeGate * allocationGate * at(dW, later) * (1 - at(adjusted, later)) * product;
      product *= at(adjusted, later);
    }
    add(d.usage, cell, (1 - EPSILON) * g);
  });

  const dScores = softmaxBackward(
    dW.map((g) => writeGate * (1 - allocationGate) * g),
    content,
  );
  dXi.writeStrength[0] = dot(dScores, 0, alike, 0, cells);
  const dSimilarity = dScores.map((g) => g * at(xi.writeStrength, 0));
  similarityBackward(sizes, { similarity: dSimilarity, memory: dPrev.memory, keys: dXi.writeKey }, prev.memory, xi.writeKey, 0);
}
