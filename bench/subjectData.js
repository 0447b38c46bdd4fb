// Seeded data for what is timed, and the memory a process has used at most.
import { readFileSync } from "node:fs";
import { tensor } from "engram";

/** Uniform numbers in [0, 1) (mulberry32). */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function randomBits(shape, seed) {
  const random = seeded(seed);
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor(
    Float32Array.from({ length: count }, () => Number(random() < 0.5)),
    shape,
  );
}

/** Peak resident memory of this process, where the system tells it (Linux). */
export function peakBytes() {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
  } catch {
    return process.memoryUsage().rss;
  }
}
