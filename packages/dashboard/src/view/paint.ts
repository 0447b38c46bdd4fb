// Draws a matrix on a canvas: one pixel a value on a small canvas, enlarged without smoothing, with hairlines between cells that are
// large enough.
import { packedRamp } from "../data/colors.js";
import { colorValues, type Matrix, pool, rampOf, type Scale } from "./matrix.js";
import { theme } from "./theme.js";

export interface PaintOptions {
  readonly scale: Scale;
  /** The value that gets the last colour. */
  readonly most: number;
  /** What is coloured for a value, where it is not the value itself. */
  readonly shade?: ((value: number) => number) | undefined;
  /** Which cells are shown faintly. */
  readonly faint?: ((row: number, column: number) => boolean) | undefined;
  /** Colour of hairlines and of cells without a value. */
  readonly background: string;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Cells of at least so many pixels have a hairline between them. */
const HAIRLINE_FROM = 5;
const FAINT = 0.3;
const scratch = document.createElement("canvas");
const ramps = new Map<string, Uint32Array>();

function rampFor(scale: Scale): Uint32Array {
  const key = `${theme()} ${rampOf(scale)}`;
  let colors = ramps.get(key);
  if (colors === undefined) {
    colors = packedRamp(theme(), rampOf(scale));
    ramps.set(key, colors);
  }
  return colors;
}

/** @param box in pixels of the canvas @param ratio pixels of the canvas for one of the page */
export function paintMatrix(context: CanvasRenderingContext2D, matrix: Matrix, box: Box, ratio: number, options: PaintOptions): void {
  const { x, y, width, height } = box;
  context.fillStyle = options.background;
  context.fillRect(x, y, width, height);
  if (matrix.rows === 0 || matrix.columns === 0 || width < 1 || height < 1) return;
  const shown = pool(matrix, Math.floor(height), Math.floor(width));
  const image = colorize(shown, matrix, options);
  if (scratch.width < shown.columns || scratch.height < shown.rows) {
    scratch.width = Math.max(scratch.width, shown.columns);
    scratch.height = Math.max(scratch.height, shown.rows);
  }
  const small = scratch.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
  small.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch, 0, 0, shown.columns, shown.rows, x, y, width, height);
  drawHairlines(context, shown, box, ratio, options.background);
}

function colorize(shown: Matrix, matrix: Matrix, { scale, most, shade, faint }: PaintOptions): ImageData {
  const { rows, columns, values } = shown;
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  colorValues(pixels, shade === undefined ? values : values.map(shade), rampFor(scale), most, scale);
  if (faint !== undefined) {
    for (let i = 0; i < values.length; i++) {
      const row = Math.floor((Math.floor(i / columns) * matrix.rows) / rows);
      const column = Math.floor(((i % columns) * matrix.columns) / columns);
      if (faint(row, column)) image.data[4 * i + 3] = Math.round(FAINT * 255);
    }
  }
  return image;
}

function drawHairlines(
  context: CanvasRenderingContext2D,
  { rows, columns }: Matrix,
  { x, y, width, height }: Box,
  ratio: number,
  color: string,
): void {
  context.fillStyle = color;
  const line = Math.max(1, Math.round(ratio));
  if (Math.min(width / columns, height / rows) < HAIRLINE_FROM * ratio) return;
  for (let column = 1; column < columns; column++) context.fillRect(x + Math.round((column * width) / columns), y, line, height);
  for (let row = 1; row < rows; row++) context.fillRect(x, y + Math.round((row * height) / rows), width, line);
}
