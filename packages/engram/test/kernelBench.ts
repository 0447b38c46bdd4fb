// A small workbench for kernel tests: puts arrays into an engine's memory and reads them back. Not for timing.
import { Engine } from "../src/engine/engine.js";

export class KernelBench {
  readonly engine = Engine.create();
  readonly kernels = this.engine.kernels;

  /** A copy of `values` in the engine's memory. */
  put(values: ArrayLike<number>): number {
    const at = this.engine.allocate(4 * values.length);
    this.engine.f32(at, values.length).set(values);
    return at;
  }

  putInts(values: ArrayLike<number>): number {
    const at = this.engine.allocate(4 * values.length);
    this.engine.i32(at, values.length).set(values);
    return at;
  }

  /** Room for `count` floats, filled with NaN so that a kernel which forgets to write shows. */
  room(count: number): number {
    const at = this.engine.allocate(4 * count);
    this.engine.f32(at, count).fill(Number.NaN);
    return at;
  }

  zeros(count: number): number {
    return this.engine.allocate(4 * count);
  }

  /** A copy of what is there now. */
  take(at: number, count: number): Float32Array {
    return this.engine.f32(at, count).slice();
  }

  takeInts(at: number, count: number): Int32Array {
    return this.engine.i32(at, count).slice();
  }
}

/** Rows of `width` values laid out with `stride` values a row, the rest zero. */
export function padRows(values: ArrayLike<number>, width: number, stride: number): Float32Array {
  const rows = values.length / width;
  const padded = new Float32Array(rows * stride);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) padded[row * stride + i] = values[row * width + i] as number;
  }
  return padded;
}

/** The first `width` values of each row of `stride`. */
export function unpadRows(values: ArrayLike<number>, width: number, stride: number): Float32Array {
  const rows = values.length / stride;
  const unpadded = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) unpadded[row * width + i] = values[row * stride + i] as number;
  }
  return unpadded;
}

/** n rounded up to 8, the width of padded rows of activations. */
export function pad8(n: number): number {
  return (n + 7) & ~7;
}
