// Matrix products. One micro-kernel serves all three orientations; what differs is how the right-hand side was packed.
//
// Axes: M rows, N columns, K the summed axis. A is row-major [M, K] with a row stride; B is packed into panels of PANEL = 8
// columns, panel after panel, each [K, 8] (N rounded up to 8, missing columns zero). C is row-major with a row stride of at
// least N rounded up to 8, and its padding columns are written too.
// Every element of C is one running sum over k = 0 … K-1 in order, whatever the tile it falls in: so a row's result does not
// depend on the other rows, and a batch gives the bits of its parts.
import { floats, zero4 } from "./simd";

const PANEL: i32 = 8;
/** Bytes of A taken at a time: with a panel and a strip of C they stay in the second-level cache. */
const BLOCK_BYTES: i32 = 1 << 16;

/**
 * C = start + A·B. `start` is the row each sum begins with: 0 for none, C itself to accumulate (startStride = cStride),
 * a bias row with startStride 0. Strides in bytes. k ≥ 1.
 */
export function gemm(
  c: usize, cStride: usize, start: usize, startStride: usize, a: usize, aStride: usize, panels: usize,
  m: i32, n: i32, k: i32,
): void {
  const numPanels = (n + PANEL - 1) / PANEL;
  const rest = m & 3;
  // Three rows left over run as four, the last one twice; one or two take several panels side by side instead.
  const tiledRows = rest == 3 ? m : m - rest;
  const blockRows = max(4, BLOCK_BYTES / (4 * k) & ~3);
  for (let i = 0; i < tiledRows; i += blockRows) {
    const row = <usize>i;
    tiles(
      c + row * cStride, cStride, start == 0 ? 0 : start + row * startStride, startStride, a + row * aStride, aStride, panels,
      min(blockRows, tiledRows - i), numPanels, k,
    );
  }
  const from = <usize>tiledRows;
  const restStart = start == 0 ? 0 : start + from * startStride;
  if (rest == 2) twoRows(c + from * cStride, cStride, restStart, startStride, a + from * aStride, aStride, panels, numPanels, k);
  if (rest == 1) oneRow(c + from * cStride, restStart, a + from * aStride, panels, numPanels, k);
}

/** Every panel against a block of rows, which stays in the second-level cache meanwhile. */
function tiles(
  c: usize, cStride: usize, start: usize, startStride: usize, a: usize, aStride: usize, panels: usize, rows: i32, numPanels: i32, k: i32,
): void {
  const panelBytes = floats(k * PANEL);
  for (let p = 0; p < numPanels; p++) {
    const panel = panels + <usize>p * panelBytes;
    const column = floats(p * PANEL);
    for (let i = 0; i < rows; i += 4) {
      const fourth = <usize>min(3, rows - i - 1);
      tile4x8(
        c + <usize>i * cStride + column, cStride, start == 0 ? 0 : start + <usize>i * startStride + column, startStride,
        a + <usize>i * aStride, aStride, fourth, panel, k,
      );
    }
  }
}

// The inner loops are do … while: V8 then ends each pass with one branch rather than two, worth 8 % here. With no branch around the
// largest it also orders each load beside its use, worth 4 %.
// Eight accumulators: as many as the vector registers hold beside the operands (more spill and halve the rate).
// @ts-ignore: decorator
@inline
function tile4x8(
  c: usize, cStride: usize, start: usize, startStride: usize, a: usize, aStride: usize, fourth: usize, panel: usize, k: i32,
): void {
  let s00 = zero4(), s01 = zero4(), s10 = zero4(), s11 = zero4();
  let s20 = zero4(), s21 = zero4(), s30 = zero4(), s31 = zero4();
  if (start != 0) {
    s00 = v128.load(start); s01 = v128.load(start, 16);
    s10 = v128.load(start + startStride); s11 = v128.load(start + startStride, 16);
    s20 = v128.load(start + 2 * startStride); s21 = v128.load(start + 2 * startStride, 16);
    s30 = v128.load(start + fourth * startStride); s31 = v128.load(start + fourth * startStride, 16);
  }
  let a0 = a, a1 = a + aStride, a2 = a + 2 * aStride, a3 = a + fourth * aStride;
  const end = panel + floats(k * PANEL);
  do {
    const b0 = v128.load(panel), b1 = v128.load(panel, 16);
    let x = v128.load_splat<f32>(a0);
    s00 = f32x4.add(s00, f32x4.mul(x, b0)); s01 = f32x4.add(s01, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(a1);
    s10 = f32x4.add(s10, f32x4.mul(x, b0)); s11 = f32x4.add(s11, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(a2);
    s20 = f32x4.add(s20, f32x4.mul(x, b0)); s21 = f32x4.add(s21, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(a3);
    s30 = f32x4.add(s30, f32x4.mul(x, b0)); s31 = f32x4.add(s31, f32x4.mul(x, b1));
    a0 += 4; a1 += 4; a2 += 4; a3 += 4; panel += 32;
  } while (panel < end);
  v128.store(c, s00); v128.store(c, s01, 16);
  v128.store(c + cStride, s10); v128.store(c + cStride, s11, 16);
  v128.store(c + 2 * cStride, s20); v128.store(c + 2 * cStride, s21, 16);
  v128.store(c + fourth * cStride, s30); v128.store(c + fourth * cStride, s31, 16);
}

// Two rows: two panels side by side keep eight sums in flight.
function twoRows(
  c: usize, cStride: usize, start: usize, startStride: usize, a: usize, aStride: usize, panels: usize, numPanels: i32, k: i32,
): void {
  const panelBytes = floats(k * PANEL);
  let p = 0;
  for (; p + 2 <= numPanels; p += 2) {
    const column = floats(p * PANEL);
    tile2x16(c + column, cStride, start == 0 ? 0 : start + column, startStride, a, aStride, panels + <usize>p * panelBytes, panelBytes);
  }
  if (p == numPanels) return;
  const column = floats(p * PANEL);
  const panel = panels + <usize>p * panelBytes;
  tile1x8(c + column, start == 0 ? 0 : start + column, a, panel, panelBytes);
  tile1x8(c + cStride + column, start == 0 ? 0 : start + startStride + column, a + aStride, panel, panelBytes);
}

// @ts-ignore: decorator
@inline
function tile2x16(c: usize, cStride: usize, start: usize, startStride: usize, a: usize, aStride: usize, p0: usize, panelBytes: usize): void {
  let s00 = zero4(), s01 = zero4(), s02 = zero4(), s03 = zero4();
  let s10 = zero4(), s11 = zero4(), s12 = zero4(), s13 = zero4();
  if (start != 0) {
    s00 = v128.load(start); s01 = v128.load(start, 16); s02 = v128.load(start, 32); s03 = v128.load(start, 48);
    const second = start + startStride;
    s10 = v128.load(second); s11 = v128.load(second, 16); s12 = v128.load(second, 32); s13 = v128.load(second, 48);
  }
  let p1 = p0 + panelBytes, a1 = a + aStride;
  const end = p1;
  if (p0 < end) do {
    const b0 = v128.load(p0), b1 = v128.load(p0, 16), b2 = v128.load(p1), b3 = v128.load(p1, 16);
    let x = v128.load_splat<f32>(a);
    s00 = f32x4.add(s00, f32x4.mul(x, b0)); s01 = f32x4.add(s01, f32x4.mul(x, b1));
    s02 = f32x4.add(s02, f32x4.mul(x, b2)); s03 = f32x4.add(s03, f32x4.mul(x, b3));
    x = v128.load_splat<f32>(a1);
    s10 = f32x4.add(s10, f32x4.mul(x, b0)); s11 = f32x4.add(s11, f32x4.mul(x, b1));
    s12 = f32x4.add(s12, f32x4.mul(x, b2)); s13 = f32x4.add(s13, f32x4.mul(x, b3));
    a += 4; a1 += 4; p0 += 32; p1 += 32;
  } while (p0 < end);
  v128.store(c, s00); v128.store(c, s01, 16); v128.store(c, s02, 32); v128.store(c, s03, 48);
  const c1 = c + cStride;
  v128.store(c1, s10); v128.store(c1, s11, 16); v128.store(c1, s12, 32); v128.store(c1, s13, 48);
}

// One row: three panels side by side. Four would be more than the registers hold with all loads of a pass made first, as V8 does.
function oneRow(c: usize, start: usize, a: usize, panels: usize, numPanels: i32, k: i32): void {
  const panelBytes = floats(k * PANEL);
  let p = 0;
  for (; p + 3 <= numPanels; p += 3) {
    const column = floats(p * PANEL);
    tile1x24(c + column, start == 0 ? 0 : start + column, a, panels + <usize>p * panelBytes, panelBytes);
  }
  for (; p < numPanels; p++) {
    const column = floats(p * PANEL);
    tile1x8(c + column, start == 0 ? 0 : start + column, a, panels + <usize>p * panelBytes, panelBytes);
  }
}

// @ts-ignore: decorator
@inline
function tile1x24(c: usize, start: usize, a: usize, p0: usize, panelBytes: usize): void {
  let s0 = zero4(), s1 = zero4(), s2 = zero4(), s3 = zero4(), s4 = zero4(), s5 = zero4();
  if (start != 0) {
    s0 = v128.load(start); s1 = v128.load(start, 16); s2 = v128.load(start, 32);
    s3 = v128.load(start, 48); s4 = v128.load(start, 64); s5 = v128.load(start, 80);
  }
  let p1 = p0 + panelBytes, p2 = p1 + panelBytes;
  const end = p1;
  if (p0 < end) do {
    const x = v128.load_splat<f32>(a);
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(p0))); s1 = f32x4.add(s1, f32x4.mul(x, v128.load(p0, 16)));
    s2 = f32x4.add(s2, f32x4.mul(x, v128.load(p1))); s3 = f32x4.add(s3, f32x4.mul(x, v128.load(p1, 16)));
    s4 = f32x4.add(s4, f32x4.mul(x, v128.load(p2))); s5 = f32x4.add(s5, f32x4.mul(x, v128.load(p2, 16)));
    a += 4; p0 += 32; p1 += 32; p2 += 32;
  } while (p0 < end);
  v128.store(c, s0); v128.store(c, s1, 16); v128.store(c, s2, 32);
  v128.store(c, s3, 48); v128.store(c, s4, 64); v128.store(c, s5, 80);
}

// @ts-ignore: decorator
@inline
function tile1x8(c: usize, start: usize, a: usize, panel: usize, panelBytes: usize): void {
  let s0 = zero4(), s1 = zero4();
  if (start != 0) {
    s0 = v128.load(start); s1 = v128.load(start, 16);
  }
  const end = panel + panelBytes;
  if (panel < end) do {
    const x = v128.load_splat<f32>(a);
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(panel))); s1 = f32x4.add(s1, f32x4.mul(x, v128.load(panel, 16)));
    a += 4; panel += 32;
  } while (panel < end);
  v128.store(c, s0); v128.store(c, s1, 16);
}

/**
 * Packs a block of W [rows, columns] for x·Wᵀ: row j of the block becomes column n0 + j of the panels, column i of the block
 * becomes position k0 + i of the summed axis. `k` is the panels' summed length. What no block covers must have been zeroed once.
 */
export function packTransposed(panels: usize, k: i32, n0: i32, k0: i32, w: usize, wStride: usize, rows: i32, columns: i32): void {
  let j = 0;
  while (j < rows) {
    const n = n0 + j;
    const to = panels + floats((n / PANEL) * k * PANEL + k0 * PANEL + (n % PANEL));
    const from = w + <usize>j * wStride;
    if ((n & 3) == 0 && j + 4 <= rows) {
      packFourRows(to, from, wStride, columns);
      j += 4;
    } else {
      for (let i = 0; i < columns; i++) store<f32>(to + floats(i * PANEL), load<f32>(from + floats(i)));
      j++;
    }
  }
}

function packFourRows(to: usize, from: usize, stride: usize, columns: i32): void {
  let i = 0;
  for (; i + 4 <= columns; i += 4) {
    storeTransposed(to + floats(i * PANEL), floats(PANEL), from + floats(i), stride);
  }
  for (; i < columns; i++) {
    for (let j = 0; j < 4; j++) store<f32>(to + floats(i * PANEL + j), load<f32>(from + <usize>j * stride + floats(i)));
  }
}

// out[i][j] = in[j][i] for a block of 4 × 4.
// @ts-ignore: decorator
@inline
function storeTransposed(out: usize, outStride: usize, input: usize, inStride: usize): void {
  const r0 = v128.load(input), r1 = v128.load(input + inStride);
  const r2 = v128.load(input + 2 * inStride), r3 = v128.load(input + 3 * inStride);
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), b = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const c = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5), d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<i64>(a, c, 0, 2));
  v128.store(out + outStride, v128.shuffle<i64>(a, c, 1, 3));
  v128.store(out + 2 * outStride, v128.shuffle<i64>(b, d, 0, 2));
  v128.store(out + 3 * outStride, v128.shuffle<i64>(b, d, 1, 3));
}

/** Packs a block of W [rows, columns] for y·W: row i becomes position k0 + i of the summed axis, column j becomes column n0 + j. */
export function packPlain(panels: usize, k: i32, n0: i32, k0: i32, w: usize, wStride: usize, rows: i32, columns: i32): void {
  let j = 0;
  while (j < columns) {
    const n = n0 + j;
    let to = panels + floats((n / PANEL) * k * PANEL + k0 * PANEL + (n % PANEL));
    let from = w + floats(j);
    const together = (n & 7) == 0 && j + 8 <= columns ? 8 : (n & 3) == 0 && j + 4 <= columns ? 4 : 1;
    for (const end = to + floats(rows * PANEL); to < end; to += floats(PANEL)) {
      if (together > 1) v128.store(to, v128.load(from));
      else store<f32>(to, load<f32>(from));
      if (together > 4) v128.store(to, v128.load(from, 16), 16);
      from += wStride;
    }
    j += together;
  }
}

/** out [columns, rows] = the transpose of in [rows, columns]; columns a multiple of 4. Strides in bytes. */
export function transposeRows(out: usize, outStride: usize, input: usize, inStride: usize, rows: i32, columns: i32): void {
  let i = 0;
  for (; i + 4 <= rows; i += 4) {
    for (let j = 0; j < columns; j += 4) {
      storeTransposed(out + <usize>j * outStride + floats(i), outStride, input + <usize>i * inStride + floats(j), inStride);
    }
  }
  for (; i < rows; i++) {
    for (let j = 0; j < columns; j++) store<f32>(out + <usize>j * outStride + floats(i), load<f32>(input + <usize>i * inStride + floats(j)));
  }
}
