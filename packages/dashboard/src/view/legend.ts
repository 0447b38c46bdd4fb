// The strip of colours with the values at its ends.
import { ramp } from "../data/colors.js";
import { figure } from "../data/numbers.js";
import { fill, h } from "./dom.js";
import { rampOf, type Scale } from "./matrix.js";
import { theme } from "./theme.js";

const WIDTH = 64;
const HEIGHT = 8;

export function legendEnds(scale: Scale, most: number): [least: string, most: string] {
  return [scale === "signed" ? `−${figure(most)}` : "0", figure(most)];
}

/** Draws it anew where something changed. */
export function drawLegend(element: HTMLElement, scale: Scale, most: number): void {
  const state = `${scale} ${most} ${theme()}`;
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  const canvas = h("canvas", { width: WIDTH, height: 1 });
  paintRamp(canvas.getContext("2d") as CanvasRenderingContext2D, scale, 0, 0, WIDTH, 1);
  const [low, high] = legendEnds(scale, most);
  fill(element, h("span", {}, low), canvas, h("span", {}, high));
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", `colours from ${low} to ${high}`);
}

export function paintRamp(context: CanvasRenderingContext2D, scale: Scale, x: number, y: number, width = WIDTH, height = HEIGHT): void {
  const colors = ramp(theme(), rampOf(scale));
  for (let i = 0; i < width; i++) {
    const [r, g, b] = colors[Math.round((i * (colors.length - 1)) / Math.max(1, width - 1))] as readonly [number, number, number];
    context.fillStyle = `rgb(${r} ${g} ${b})`;
    context.fillRect(x + i, y, 1, height);
  }
}
