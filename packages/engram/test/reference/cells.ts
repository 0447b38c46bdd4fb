// The recurrent cells of models.md §1 in float64, PyTorch's equations unit by unit. Arrays hold [rows, H] or, for gates, [rows, G·H]
// with the kernels' order of blocks: LSTM i f g o, GRU n_x r z n_h, RNN one.
type Values = ArrayLike<number>;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Calls `unit` for each row and unit j, with the index of [row, j] and that of [row, block, j] in an array of `blocks` blocks. */
function eachUnit(rows: number, size: number, blocks: number, unit: (at: number, gate: (block: number) => number) => void): void {
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < size; j++) unit(row * size + j, (block) => (row * blocks + block) * size + j);
  }
}

export interface LstmStep {
  /** i, f, g, o, activated */
  gates: Float64Array;
  c: Float64Array;
  h: Float64Array;
}

export function lstm(preactivations: Values, cPrev: Values, rows: number, size: number): LstmStep {
  const step = { gates: Float64Array.from(preactivations), c: new Float64Array(rows * size), h: new Float64Array(rows * size) };
  eachUnit(rows, size, 4, (at, gate) => {
    const i = sigmoid(preactivations[gate(0)] as number);
    const f = sigmoid(preactivations[gate(1)] as number);
    const g = Math.tanh(preactivations[gate(2)] as number);
    const o = sigmoid(preactivations[gate(3)] as number);
    const c = f * (cPrev[at] as number) + i * g;
    [i, f, g, o].forEach((value, block) => {
      step.gates[gate(block)] = value;
    });
    step.c[at] = c;
    step.h[at] = o * Math.tanh(c);
  });
  return step;
}

/** Gradients of the preactivations and of c′, from those that reach h and c. */
export function lstmBackward(dH: Values, dC: Values, step: LstmStep, cPrev: Values, rows: number, size: number) {
  const dGates = new Float64Array(4 * rows * size);
  const dCPrev = new Float64Array(rows * size);
  eachUnit(rows, size, 4, (at, gate) => {
    const [i, f, g, o] = [0, 1, 2, 3].map((block) => step.gates[gate(block)] as number) as [number, number, number, number];
    const tanhC = Math.tanh(step.c[at] as number);
    const dh = dH[at] as number;
    const dc = (dC[at] as number) + dh * o * (1 - tanhC ** 2);
    dGates[gate(0)] = dc * g * i * (1 - i);
    dGates[gate(1)] = dc * (cPrev[at] as number) * f * (1 - f);
    dGates[gate(2)] = dc * i * (1 - g ** 2);
    dGates[gate(3)] = dh * tanhC * o * (1 - o);
    dCPrev[at] = dc * f;
  });
  return { dGates, dCPrev };
}

export interface GruStep {
  /** n, r, z activated, and n_h as it came */
  gates: Float64Array;
  h: Float64Array;
}

export function gru(preactivations: Values, hPrev: Values, rows: number, size: number): GruStep {
  const step = { gates: Float64Array.from(preactivations), h: new Float64Array(rows * size) };
  eachUnit(rows, size, 4, (at, gate) => {
    const r = sigmoid(preactivations[gate(1)] as number);
    const z = sigmoid(preactivations[gate(2)] as number);
    const n = Math.tanh((preactivations[gate(0)] as number) + r * (preactivations[gate(3)] as number));
    [n, r, z].forEach((value, block) => {
      step.gates[gate(block)] = value;
    });
    step.h[at] = (1 - z) * n + z * (hPrev[at] as number);
  });
  return step;
}

/** Gradients of n_x, r's and z's preactivations and n_h, and of h′ past the weights. */
export function gruBackward(dH: Values, step: GruStep, hPrev: Values, rows: number, size: number) {
  const dGates = new Float64Array(4 * rows * size);
  const dHPrev = new Float64Array(rows * size);
  eachUnit(rows, size, 4, (at, gate) => {
    const [n, r, z, nH] = [0, 1, 2, 3].map((block) => step.gates[gate(block)] as number) as [number, number, number, number];
    const dh = dH[at] as number;
    const dn = dh * (1 - z) * (1 - n ** 2);
    dGates[gate(0)] = dn;
    dGates[gate(1)] = dn * nH * r * (1 - r);
    dGates[gate(2)] = dh * ((hPrev[at] as number) - n) * z * (1 - z);
    dGates[gate(3)] = dn * r;
    dHPrev[at] = dh * z;
  });
  return { dGates, dHPrev };
}

export type Nonlinearity = "tanh" | "relu";

export function rnn(preactivations: Values, nonlinearity: Nonlinearity): Float64Array {
  return Float64Array.from(preactivations, (x) => (nonlinearity === "tanh" ? Math.tanh(x) : Math.max(x, 0)));
}

export function rnnBackward(dH: Values, h: Values, nonlinearity: Nonlinearity): Float64Array {
  return Float64Array.from(h, (value, i) => (dH[i] as number) * (nonlinearity === "tanh" ? 1 - value ** 2 : value > 0 ? 1 : 0));
}
