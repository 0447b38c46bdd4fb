// A heatmap as a picture by itself, with its title, names and legend, at twice the size it has on the page.
import { legendEnds, paintRamp } from "./legend.js";
import type { Matrix, Scale } from "./matrix.js";
import { type PaintOptions, paintMatrix } from "./paint.js";
import { cssColor } from "./theme.js";

const RATIO = 2;
const MARGIN = 16;
const TICKS = 64;
const HEADING = 26;
const FOOT = 22;
const FONT = "system-ui, sans-serif";

/** What of a heatmap goes into its picture. */
interface Picture {
  readonly spec: { readonly title: string; readonly scale: Scale; rowTick?(row: number): string };
  readonly matrix: Matrix;
  readonly plotWidth: number;
  paintOptions(): PaintOptions;
  /** Names of rows, and where each stands from top (0) to bottom (1). */
  ticks(height: number): readonly { readonly text: string; readonly at: number }[];
}

export function exportHeatmap(map: Picture, height: number): Promise<Blob> {
  const { spec, matrix, plotWidth } = map;
  const canvas = document.createElement("canvas");
  const left = MARGIN + (spec.rowTick === undefined ? 0 : TICKS);
  const top = MARGIN + HEADING;
  canvas.width = Math.ceil(RATIO * Math.max(left + plotWidth + MARGIN, 320));
  canvas.height = Math.ceil(RATIO * (top + height + FOOT + MARGIN));
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.fillStyle = cssColor("panel");
  context.fillRect(0, 0, canvas.width, canvas.height);
  const box = { x: RATIO * left, y: RATIO * top, width: Math.round(RATIO * plotWidth), height: Math.round(RATIO * height) };
  paintMatrix(context, matrix, box, RATIO, map.paintOptions());
  context.scale(RATIO, RATIO);
  drawTexts(context, map, left, top, height);
  drawFoot(context, map, left, top + height + 8);
  return toBlob(canvas);
}

function drawTexts(context: CanvasRenderingContext2D, map: Picture, left: number, top: number, height: number): void {
  context.fillStyle = cssColor("text");
  context.textBaseline = "middle";
  context.font = `600 13px ${FONT}`;
  context.fillText(map.spec.title, MARGIN, MARGIN + 7);
  context.font = `11px ${FONT}`;
  context.fillStyle = cssColor("muted");
  context.textAlign = "right";
  for (const { text, at } of map.ticks(height)) context.fillText(text, left - 6, top + at * height, TICKS - 8);
  context.textAlign = "left";
}

function drawFoot(context: CanvasRenderingContext2D, map: Picture, left: number, y: number): void {
  const [low, high] = legendEnds(map.spec.scale, map.paintOptions().most);
  context.fillText(low, left, y + 4);
  const start = left + context.measureText(low).width + 6;
  paintRamp(context, map.spec.scale, start, y);
  context.fillStyle = cssColor("muted");
  context.fillText(high, start + 70, y + 4);
}

export function toBlob(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob === null ? reject(new Error("the picture is too large for this browser")) : resolve(blob)), "image/png");
  });
}
