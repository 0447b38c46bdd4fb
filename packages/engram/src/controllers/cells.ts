// The three kinds of recurrent cell: how PyTorch lays out their weights, where the engine keeps their gates, and their kernels.
//
// Axes: H hidden units, padded to Hp; a row of gates is `blocks` times Hp. All buffers are rows for the active batch elements.
import type { Engine } from "../engine/engine.js";

export type RnnType = "lstm" | "gru" | "rnn";
export type Nonlinearity = "tanh" | "relu";

/** Whether a kind of cell has a state c beside h. */
export const hasCellState: Readonly<Record<RnnType, boolean>> = { lstm: true, gru: false, rnn: false };

/** Addresses of one cell's rows at one time step. Cells without a cell state leave `c`, `cPrev` and `tanhC` alone. */
export interface CellStep {
  gates: number;
  h: number;
  c: number;
  tanhC: number;
  hPrev: number;
  cPrev: number;
}

export interface CellKind {
  /** State-dict prefix. */
  readonly prefix: RnnType;
  /** Gate matrices in PyTorch's order, G. */
  readonly gates: number;
  /** Gate blocks of an engine row, and for each of PyTorch's gates the block that its input weights and hidden weights feed. */
  readonly blocks: number;
  readonly inputBlocks: readonly number[];
  readonly hiddenBlocks: readonly number[];
  readonly hasCellState: boolean;
  /** Whether `backward` leaves in dH a part of the gradient of h_{t-1} that does not go through the hidden weights (GRU). */
  readonly keepsHidden: boolean;
  /** Gate preactivations become activations in place; writes h (and c, tanh c). */
  forward(step: CellStep, rows: number, width: number): void;
  /** dH, dC in: gradients of h_t and c_t; dC out: of c_{t-1}; dH out: see `keepsHidden`. Writes dGates, of the preactivations. */
  backward(dGates: number, dH: number, dC: number, step: CellStep, rows: number, width: number): void;
}

/** The cell kind of a model's options, bound to an engine. */
export function cellKind(engine: Engine, type: RnnType, nonlinearity: Nonlinearity): CellKind {
  if (type === "lstm") return lstm(engine);
  if (type === "gru") return gru(engine);
  return rnn(engine, nonlinearity);
}

function lstm({ kernels }: Engine): CellKind {
  return {
    prefix: "lstm",
    gates: 4, // i, f, g, o
    blocks: 4,
    inputBlocks: [0, 1, 2, 3],
    hiddenBlocks: [0, 1, 2, 3],
    hasCellState: hasCellState.lstm,
    keepsHidden: false,
    forward: (s, rows, width) => kernels.lstmForward(s.h, s.c, s.tanhC, s.gates, s.cPrev, rows, width),
    backward: (dGates, dH, dC, s, rows, width) => kernels.lstmBackward(dGates, dC, dH, s.gates, s.tanhC, s.cPrev, rows, width),
  };
}

function gru({ kernels }: Engine): CellKind {
  return {
    prefix: "gru",
    gates: 3, // r, z, n
    blocks: 4, // n's input part, r, z, n's hidden part: r∘ stands between the two parts of n
    inputBlocks: [1, 2, 0],
    hiddenBlocks: [1, 2, 3],
    hasCellState: hasCellState.gru,
    keepsHidden: true,
    forward: (s, rows, width) => kernels.gruForward(s.h, s.gates, s.hPrev, rows, width),
    backward: (dGates, dH, _dC, s, rows, width) => kernels.gruBackward(dGates, dH, dH, s.gates, s.hPrev, rows, width),
  };
}

function rnn({ kernels }: Engine, nonlinearity: Nonlinearity): CellKind {
  const relu = nonlinearity === "relu";
  return {
    prefix: "rnn",
    gates: 1,
    blocks: 1,
    inputBlocks: [0],
    hiddenBlocks: [0],
    hasCellState: hasCellState.rnn,
    keepsHidden: false,
    forward: (s, rows, width) => (relu ? kernels.rnnReluForward : kernels.rnnTanhForward)(s.h, s.gates, rows, width),
    backward: (dGates, dH, _dC, s, rows, width) => (relu ? kernels.rnnReluBackward : kernels.rnnTanhBackward)(dGates, dH, s.h, rows, width),
  };
}
