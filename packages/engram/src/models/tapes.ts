// What forwards in training mode keep so that backward can go through them: `maxTapes` tapes, used in turn.
import { StateError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import type { BackwardResult, ForwardResult } from "./calls.js";
import type { Call, Sequences } from "./sequences.js";
import type { StateTensor } from "./stateTensor.js";

export interface Tape {
  readonly sequences: Sequences;
  /** Undefined once it was gone back through. */
  result: ForwardResult | undefined;
  call: Call | undefined;
  /** The input, for running forward again with `recompute`. */
  input: Float32Array | undefined;
  /** Whether the forward was given a state, whose gradient somebody may want at any time. */
  hadState: boolean;
  /** What the latest backward gave: its state gradient may still lie in the sequences. */
  unread: Unread | undefined;
}

/** A state's gradient that was not asked for yet. */
interface Unread {
  read(): void;
  /** From now on there is none to read. */
  drop(): void;
}

export class Tapes {
  /** The one longest unused first. */
  private readonly tapes: Tape[] = [];

  constructor(private readonly most: number) {}

  get bytes(): number {
    return this.tapes.reduce((sum, { sequences }) => sum + sequences.bytes, 0);
  }

  /** A tape to record a forward on: a new one while there are fewer than `maxTapes`, else the one longest unused. */
  next(open: () => Sequences): Tape {
    const reused = this.tapes.length < this.most ? undefined : this.tapes.shift();
    const tape = reused ?? { sequences: open(), result: undefined, call: undefined, input: undefined, hadState: false, unread: undefined };
    this.tapes.push(tape);
    settle(tape);
    tape.result = undefined; // what it kept is about to be overwritten
    return tape;
  }

  /** The tape of a forward result (undefined: of the latest). @throws {StateError} when it is spent, or no longer kept */
  find(where: string, of: ForwardResult | undefined): Tape {
    const latest = this.tapes[this.tapes.length - 1];
    const tape = of === undefined ? latest : this.tapes.find(({ result }) => result === of);
    if (tape?.result !== undefined) return tape;
    if (of !== undefined) {
      throw new StateError(
        `${where}: that forward result was gone back through already, or is no longer kept; maxTapes (${this.most}) says how many are`,
      );
    }
    throw new StateError(
      latest === undefined
        ? `${where}: there is no forward to go back through: call forward in training mode (train()) first`
        : `${where}: the latest forward was gone back through already; call forward again`,
    );
  }

  dispose(): void {
    for (const tape of this.tapes) {
      settle(tape);
      tape.sequences.dispose();
    }
    this.tapes.length = 0;
  }
}

/** Keeps what a forward gave, and what going back through it needs. */
export function keepOn(tape: Tape, result: ForwardResult, call: Call, input: Float32Array, hadState: boolean): void {
  tape.result = result;
  tape.hadState = hadState;
  tape.call = call;
  tape.input = call.recompute > 0 ? input.slice() : undefined;
}

/**
 * What backward gives. The state's gradient is read when it is asked for, or else before the tape that has it is written again: but not for
 * a call that began with the empty state, as most do, whose gradient hardly anybody wants and which takes a good part of a backward to read.
 */
export function backwardResult(tape: Tape, inputGrad: Tensor, given: ReadonlyMap<string, StateTensor> | undefined): BackwardResult {
  let read: Map<string, StateTensor> | undefined;
  let isDropped = false;
  const readNow = () => {
    read ??= tape.sequences.stateGradients(given);
    return read;
  };
  tape.unread = {
    read: readNow,
    drop() {
      isDropped = read === undefined;
    },
  };
  return {
    inputGrad,
    get stateGrad() {
      if (isDropped) {
        throw new StateError(
          "backward: stateGrad of a call without a state must be read before the next forward; read it at once, or give forward initialState()",
        );
      }
      return readNow();
    },
  };
}

/**
 * Reads the state's gradient for a caller who may still ask for it. Whether anybody still holds the result cannot be known: a WeakRef
 * would keep every result alive until a synchronous loop ends.
 */
function settle(tape: Tape): void {
  if (tape.hadState) tape.unread?.read();
  else tape.unread?.drop();
  tape.unread = undefined;
}
