// The functions of functions.ts over whole arrays: out[i] = f(x[i]). `count` is at least 1 and rounded up to whole vectors; out
// may be x.
import { cos2Pi4, exp4, log4, sigmoid4, sin2Pi4, softplus4, tanh4 } from "./functions";
import { floats, padded } from "./simd";

export function mapExp(out: usize, x: usize, count: i32): void {
  const end = floats(padded(count));
  let at: usize = 0;
  do {
    v128.store(out + at, exp4(v128.load(x + at)));
    at += 16;
  } while (at < end);
}

export function mapSigmoid(out: usize, x: usize, count: i32): void {
  const end = floats(padded(count));
  let at: usize = 0;
  do {
    v128.store(out + at, sigmoid4(v128.load(x + at)));
    at += 16;
  } while (at < end);
}

export function mapTanh(out: usize, x: usize, count: i32): void {
  const end = floats(padded(count));
  let at: usize = 0;
  do {
    v128.store(out + at, tanh4(v128.load(x + at)));
    at += 16;
  } while (at < end);
}

export function mapSoftplus(out: usize, x: usize, count: i32): void {
  const end = floats(padded(count));
  let at: usize = 0;
  do {
    v128.store(out + at, softplus4(v128.load(x + at)));
    at += 16;
  } while (at < end);
}

export function mapLog(out: usize, x: usize, count: i32): void {
  const end = floats(padded(count));
  let at: usize = 0;
  do {
    v128.store(out + at, log4(v128.load(x + at)));
    at += 16;
  } while (at < end);
}

export function mapSin2Pi(out: usize, x: usize, count: i32): void {
  const end = floats(padded(count));
  let at: usize = 0;
  do {
    v128.store(out + at, sin2Pi4(v128.load(x + at)));
    at += 16;
  } while (at < end);
}

export function mapCos2Pi(out: usize, x: usize, count: i32): void {
  const end = floats(padded(count));
  let at: usize = 0;
  do {
    v128.store(out + at, cos2Pi4(v128.load(x + at)));
    at += 16;
  } while (at < end);
}
