// The errors a caller can catch by type. Each is thrown at the public edge, before anything changed, and says what was
// expected, what came, and what to do. A message that starts with "internal:" is a defect of this library.

export type ErrorCode = "SHAPE" | "CONFIG" | "STATE" | "CHECKPOINT" | "NUMERIC" | "ENGINE";

/** Base class of everything this library throws on purpose; `code` tells the kinds apart without `instanceof`. */
export class EngramError extends Error {
  readonly code: ErrorCode;
  constructor(message: string, code: ErrorCode = "ENGINE", options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A tensor has the wrong shape or type, or holds a value that is not finite. */
export class ShapeError extends EngramError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, "SHAPE", options);
  }
}

/** An option is missing, unknown, of the wrong type or out of range. */
export class ConfigError extends EngramError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, "CONFIG", options);
  }
}

/** A state or a tape does not belong to this model or call, or was already used up. */
export class StateError extends EngramError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, "STATE", options);
  }
}

/** A file or state dict is truncated, corrupt, foreign, or belongs to another model. */
export class CheckpointError extends EngramError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, "CHECKPOINT", options);
  }
}

/** A loss, gradient or weight stopped being finite during training; names the tensor and the step. */
export class NumericError extends EngramError {
  readonly tensor: string;
  readonly step: number;
  constructor(message: string, tensor: string, step: number) {
    super(message, "NUMERIC");
    this.tensor = tensor;
    this.step = step;
  }
}
