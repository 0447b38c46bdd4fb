// SAM's and SDNC's memory in float64, dense and plain: models.md §3 and §4 as they stand, one element, one access. The reference that the
// kernels are checked against; itself checked by central differences (sparseMemory.test.ts).
//
// Vectors of several heads are head by head; M [N, W], read weights [R, N], L [N, N] row-major.

export interface SparseOptions {
  readonly nrCells: number;
  readonly cellSize: number;
  readonly readHeads: number;
  readonly sparseReads: number;
  /** Both 0 for SAM. */
  readonly temporalReads: number;
  readonly temporalLinks: number;
}

export interface SparseState {
  memory: Float64Array;
  readWeights: Float64Array;
  writeWeights: Float64Array;
  lastAccess: Float64Array;
  linkMatrix: Float64Array;
  precedence: Float64Array;
}

/** What an access computed on its way: enough to go back. */
export interface SparseAccess {
  readonly xi: Interface;
  readonly before: SparseState;
  readonly after: SparseState;
  readonly z: number;
  /** Each head's chosen cells by falling similarity, and its softmax over them. */
  readonly cells: number[][];
  readonly content: number[][];
  /** Each head's temporal readings after the cut: backward, forward; their cells by falling weight. */
  readonly temporal: { cells: number[]; weights: Float64Array }[][];
  readonly reads: Float64Array;
}

export interface SparseGradient {
  memory: Float64Array;
  readWeights: Float64Array;
  writeWeights: Float64Array;
}

interface Interface {
  readonly queries: Float64Array[];
  readonly strengths: number[];
  readonly writeVector: Float64Array;
  readonly interpolationGate: number;
  readonly writeGate: number;
  /** A head's weights of backward, forward and content reading. */
  readonly modes: number[][];
}

const EPSILON = 1e-6;
const ACCESS_THRESHOLD = 0.005;

const at = (values: ArrayLike<number>, i: number): number => values[i] as number;
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => sum(Array.from(a, (x, i) => x * at(b, i)));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const norm = (x: ArrayLike<number>): number => Math.sqrt(dot(x, x) + EPSILON);

function softmax(x: readonly number[]): number[] {
  const largest = Math.max(...x);
  const e = x.map((value) => Math.exp(value - largest));
  return e.map((value) => value / sum(e));
}

/** Gradient of x from that of softmax(x) = p. */
function softmaxBackward(p: readonly number[], dp: readonly number[]): number[] {
  const mean = dot(p, dp);
  return p.map((value, i) => value * (at(dp, i) - mean));
}

/** The `count` largest of those cells, ties toward the lower one. */
function largest(values: ArrayLike<number>, cells: readonly number[], count: number): number[] {
  return [...cells].sort((a, b) => at(values, b) - at(values, a) || a - b).slice(0, count);
}

const positive = (values: ArrayLike<number>): number[] => range(values.length).filter((i) => at(values, i) > 0);

/** `values` with all but the `count` largest positive ones set to 0. */
function cut(values: Float64Array, count: number): Float64Array {
  const kept = new Float64Array(values.length);
  for (const i of largest(values, positive(values), count)) kept[i] = at(values, i);
  return kept;
}

export function emptyState({ nrCells: n, cellSize: w, readHeads: r }: SparseOptions): SparseState {
  const zeros = (size: number) => new Float64Array(size);
  return {
    memory: zeros(n * w),
    readWeights: zeros(r * n),
    writeWeights: zeros(n),
    lastAccess: zeros(n),
    linkMatrix: zeros(n * n),
    precedence: zeros(n),
  };
}

/** Width of ξ in the order of models.md. */
export function interfaceSize({ cellSize: w, readHeads: r, temporalReads }: SparseOptions): number {
  return r * w + r + w + 2 + (temporalReads > 0 ? 3 * r : 0);
}

function readInterface(options: SparseOptions, xi: ArrayLike<number>): Interface {
  const { cellSize: w, readHeads: r, temporalReads } = options;
  const values = Array.from(xi);
  const take = (count: number) => values.splice(0, count);
  const queries = range(r).map(() => Float64Array.from(take(w)));
  const strengths = take(r).map(softplus);
  const writeVector = Float64Array.from(take(w));
  const [interpolationGate, writeGate] = take(2).map(sigmoid) as [number, number];
  const modes = range(r).map(() => (temporalReads > 0 ? softmax(take(3)) : [0, 0, 1]));
  return { queries, strengths, writeVector, interpolationGate, writeGate, modes };
}

type Links = Pick<SparseState, "linkMatrix" | "precedence">;

/** One access; `clock` after it advanced. Changes nothing it was given. `constants`: L and p to use in place of those that follow from the write. */
export function sparseAccess(
  options: SparseOptions,
  before: SparseState,
  xiValues: ArrayLike<number>,
  clock: number,
  constants?: Links,
): SparseAccess {
  const { nrCells: n, cellSize: w, readHeads: r, sparseReads: k, temporalReads } = options;
  const xi = readInterface(options, xiValues);
  const z = largest(
    before.lastAccess.map((access) => -access),
    range(n),
    1,
  )[0] as number;

  const writeWeights = new Float64Array(n);
  for (const i of range(n)) {
    writeWeights[i] = xi.writeGate * (xi.interpolationGate * meanRead(options, before, i) + (1 - xi.interpolationGate) * (i === z ? 1 : 0));
  }
  const memory = before.memory.slice();
  memory.fill(0, z * w, (z + 1) * w);
  for (const i of range(n))
    for (const j of range(w)) memory[i * w + j] = at(memory, i * w + j) + at(writeWeights, i) * at(xi.writeVector, j);
  const word = (i: number) => memory.subarray(i * w, (i + 1) * w);

  const isLinked = temporalReads > 0;
  const { linkMatrix, precedence } = constants ?? (isLinked ? updateLinks(options, before, writeWeights) : before);
  const readWeights = new Float64Array(r * n);
  const reads = new Float64Array(r * w);
  const access: SparseAccess = { xi, before, after: { ...before }, z, cells: [], content: [], temporal: [], reads };
  for (const h of range(r)) {
    const q = xi.queries[h] as Float64Array;
    const similarity = range(n).map((i) => dot(word(i), q) / (norm(word(i)) * norm(q)));
    const cells = largest(similarity, range(n), k);
    const content = softmax(cells.map((i) => at(xi.strengths, h) * at(similarity, i)));
    const previous = before.readWeights.subarray(h * n, (h + 1) * n);
    const backward = new Float64Array(n);
    const forward = new Float64Array(n);
    for (const i of isLinked ? range(n) : []) {
      for (const j of range(n)) {
        add(backward, i, at(linkMatrix, j * n + i) * at(previous, j));
        add(forward, i, at(linkMatrix, i * n + j) * at(previous, j));
      }
    }
    const temporal = [backward, forward].map((values) => {
      const weights = cut(values, temporalReads);
      return { cells: largest(weights, positive(weights), temporalReads), weights };
    });
    const [p0, p1, p2] = xi.modes[h] as [number, number, number];
    const weights = readWeights.subarray(h * n, (h + 1) * n);
    for (const i of range(n)) weights[i] = p0 * at(temporal[0]?.weights ?? [], i) + p1 * at(temporal[1]?.weights ?? [], i);
    for (const [j, i] of cells.entries()) weights[i] = at(weights, i) + p2 * at(content, j);
    for (const i of range(n)) for (const j of range(w)) reads[h * w + j] = at(reads, h * w + j) + at(weights, i) * at(word(i), j);
    access.cells.push(cells);
    access.content.push(content);
    access.temporal.push(temporal);
  }
  const lastAccess = before.lastAccess.slice();
  for (const i of range(n)) {
    const weight = at(writeWeights, i) + sum(range(r).map((h) => at(readWeights, h * n + i)));
    if (weight > ACCESS_THRESHOLD) lastAccess[i] = clock;
  }
  Object.assign(access.after, { memory, readWeights, writeWeights, lastAccess, linkMatrix, precedence });
  return access;
}

function meanRead({ nrCells: n, readHeads: r }: SparseOptions, state: SparseState, i: number): number {
  return sum(range(r).map((h) => at(state.readWeights, h * n + i))) / r;
}

function updateLinks(options: SparseOptions, before: SparseState, w: Float64Array): Links {
  const { nrCells: n, temporalLinks } = options;
  const linkMatrix = new Float64Array(n * n);
  for (const i of range(n)) {
    const row = new Float64Array(n);
    for (const j of range(n)) {
      if (i !== j) row[j] = (1 - at(w, i) - at(w, j)) * at(before.linkMatrix, i * n + j) + at(w, i) * at(before.precedence, j);
    }
    linkMatrix.set(cut(row, temporalLinks), i * n);
  }
  for (const j of range(n)) {
    const column = cut(
      Float64Array.from(range(n), (i) => at(linkMatrix, i * n + j)),
      temporalLinks,
    );
    for (const i of range(n)) linkMatrix[i * n + j] = at(column, i);
  }
  const written = sum(Array.from(w));
  const precedence = cut(
    before.precedence.map((p, i) => (1 - written) * p + at(w, i)),
    temporalLinks,
  );
  return { linkMatrix, precedence };
}

/** Gradients of ξ and of the state before, from those of r and of the state after. Choices, L and p are constants. */
export function sparseAccessBackward(
  options: SparseOptions,
  access: SparseAccess,
  dReads: ArrayLike<number>,
  dAfter: SparseGradient,
): { dXi: Float64Array; dBefore: SparseGradient } {
  const { nrCells: n, cellSize: w, readHeads: r } = options;
  const { xi, before, after, z } = access;
  const dMemory = dAfter.memory.slice();
  const dBeforeReads = new Float64Array(r * n);
  const dQueries: number[] = [];
  const dStrengths: number[] = [];
  const dModes: number[] = [];
  const word = (i: number) => after.memory.subarray(i * w, (i + 1) * w);
  for (const h of range(r)) {
    const dr = Array.from(dReads).slice(h * w, (h + 1) * w);
    const dWeights = range(n).map((i) => at(dAfter.readWeights, h * n + i) + dot(dr, word(i))); // r = sum_i w_i M_i
    for (const i of range(n)) for (const j of range(w)) add(dMemory, i * w + j, at(after.readWeights, h * n + i) * at(dr, j));

    const [p0, p1, p2] = xi.modes[h] as [number, number, number];
    const cells = access.cells[h] as number[];
    const content = access.content[h] as number[];
    const [backward, forward] = access.temporal[h] as [SparseAccess["temporal"][0][0], SparseAccess["temporal"][0][0]];
    const dModeWeights = [
      sum(backward.cells.map((i) => at(backward.weights, i) * at(dWeights, i))),
      sum(forward.cells.map((i) => at(forward.weights, i) * at(dWeights, i))),
      sum(cells.map((i, j) => at(content, j) * at(dWeights, i))),
    ];
    dModes.push(...softmaxBackward([p0, p1, p2], dModeWeights));
    for (const i of backward.cells) {
      for (const j of range(n)) add(dBeforeReads, h * n + j, p0 * at(dWeights, i) * at(after.linkMatrix, j * n + i)); // b = L^T w'
    }
    for (const i of forward.cells) {
      for (const j of range(n)) add(dBeforeReads, h * n + j, p1 * at(dWeights, i) * at(after.linkMatrix, i * n + j)); // f = L w'
    }

    const q = xi.queries[h] as Float64Array;
    const strength = at(xi.strengths, h);
    const similarity = cells.map((i) => dot(word(i), q) / (norm(word(i)) * norm(q)));
    const dScores = softmaxBackward(
      content,
      cells.map((i) => p2 * at(dWeights, i)),
    );
    dStrengths.push(dot(dScores, similarity) * (1 - Math.exp(-strength))); // softplus' = 1 - e^-softplus
    const dQuery = new Float64Array(w);
    for (const [c, i] of cells.entries()) {
      const dSimilarity = strength * at(dScores, c);
      const m = word(i);
      for (const j of range(w)) {
        add(dQuery, j, dSimilarity * (at(m, j) / (norm(m) * norm(q)) - (at(similarity, c) * at(q, j)) / norm(q) ** 2));
        add(dMemory, i * w + j, dSimilarity * (at(q, j) / (norm(m) * norm(q)) - (at(similarity, c) * at(m, j)) / norm(m) ** 2));
      }
    }
    dQueries.push(...dQuery);
  }

  const dVector = range(w).map((j) => sum(range(n).map((i) => at(after.writeWeights, i) * at(dMemory, i * w + j))));
  const dWrite = range(n).map((i) => at(dAfter.writeWeights, i) + dot(dMemory.subarray(i * w, (i + 1) * w), xi.writeVector));
  dMemory.fill(0, z * w, (z + 1) * w);
  let dInterpolation = 0;
  let dWriteGate = 0;
  for (const i of range(n)) {
    const mean = meanRead(options, before, i);
    const isZ = i === z ? 1 : 0;
    dWriteGate += at(dWrite, i) * (xi.interpolationGate * mean + (1 - xi.interpolationGate) * isZ);
    dInterpolation += at(dWrite, i) * xi.writeGate * (mean - isZ);
    for (const h of range(r)) add(dBeforeReads, h * n + i, (at(dWrite, i) * xi.writeGate * xi.interpolationGate) / r);
  }
  const dGates = [dInterpolation * xi.interpolationGate * (1 - xi.interpolationGate), dWriteGate * xi.writeGate * (1 - xi.writeGate)];
  const dXi = Float64Array.from([...dQueries, ...dStrengths, ...dVector, ...dGates, ...(options.temporalReads > 0 ? dModes : [])]);
  return { dXi, dBefore: { memory: dMemory, readWeights: dBeforeReads, writeWeights: new Float64Array(n) } };
}

function add(values: Float64Array, i: number, value: number): void {
  values[i] = at(values, i) + value;
}
