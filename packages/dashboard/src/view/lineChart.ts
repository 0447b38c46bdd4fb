// Lines over iterations: the mean or smoothed value of each run, and behind it the range between the least and the greatest value
// that a point stands for. Drawn by uPlot; zoom, read-out, keyboard and export around it are ours.
import uPlot from "uplot";
import type { SampledMetrics } from "../data/api.js";
import { figure, thousands } from "../data/numbers.js";
import { announce, clamp, download, fill, h, saveButtons } from "./dom.js";
import { toBlob } from "./exportHeatmap.js";
import { paintPicture, watchPicture } from "./sight.js";
import { cssColor, onThemeChange } from "./theme.js";

export interface ChartSpec {
  /** Name of the number in the metrics. */
  readonly field: string;
  readonly title: string;
  /** Ends of the axis where they are known: accuracy goes from 0 to 1. */
  readonly range?: readonly [number, number];
  /** Drawn as steps, not smoothed: it is set, not measured. */
  readonly isStepped?: boolean;
  /** Only whole numbers occur. */
  readonly isWhole?: boolean;
  readonly show?: (value: number) => string;
  saveCsv(): void;
  /** The reader wants to see these iterations; undefined: all. */
  onZoom(range: readonly [number, number] | undefined): void;
}

/** One run's line. */
export interface ChartLine {
  readonly name: string;
  readonly metrics: SampledMetrics;
}

export interface ChartOptions {
  readonly isLog: boolean;
  readonly isSmoothed: boolean;
}

const HEIGHT = 172;
const LEAST_WIDTH = 120;
const RUN_COLORS = ["run-a", "run-b"] as const;
/** Series of a run: least, greatest, mean, line. */
const SERIES = 4;
const FONT = "11px system-ui, sans-serif";
const SYNC = "iterations";
const ZOOM = 0.6;
/** So few points are marked, or a single one would not be seen. */
const MARKED = 24;
/** Distances between the ticks of an axis of whole numbers. */
const WHOLE_STEPS = steps(0, 15);
/** The same for a loss that explodes: the chart's own end at 1e32. */
const HUGE_STEPS = steps(30, 308);
const HUGE = 1e32;

export class LineChart {
  readonly element: HTMLElement;
  readonly #readout = h("span", { class: "chart-readout" });
  readonly #plotElement = h("div", { class: "chart-plot", tabindex: 0, role: "application", "aria-roledescription": "line chart" });
  readonly #empty = h("p", { class: "chart-empty muted" }, "No values yet.");
  #plot: uPlot | undefined;
  #lines: readonly ChartLine[] = [];
  #options: ChartOptions = { isLog: false, isSmoothed: false };
  #shape = "";
  #width = LEAST_WIDTH;
  /** Whether there is something newer than what is drawn. */
  #isStale = false;

  constructor(readonly spec: ChartSpec) {
    const { title, field } = spec;
    this.element = h(
      "figure",
      { class: "chart", "data-chart": field },
      h(
        "figcaption",
        {},
        h("span", { class: "map-title" }, title),
        this.#readout,
        saveButtons(title, { PNG: () => void this.#savePng(), CSV: () => spec.saveCsv() }),
      ),
      this.#plotElement,
    );
    this.#plotElement.append(this.#empty);
    new ResizeObserver(([entry]) => this.#resize(entry?.contentRect.width ?? 0)).observe(this.#plotElement);
    watchPicture(this.element, () => this.#drawStale());
    onThemeChange(() => this.#redraw());
    this.#plotElement.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Of the plot, as it was laid out last: asking for it now would have the browser lay out the page anew. */
  get width(): number {
    return this.#width;
  }

  #resize(width: number): void {
    this.#width = Math.max(LEAST_WIDTH, Math.floor(width));
    if (this.#plot !== undefined && this.#plot.width !== this.#width) this.#plot.setSize({ width: this.#width, height: HEIGHT });
  }

  /** Drawn when somebody sees it, or later. */
  show(lines: readonly ChartLine[], options: ChartOptions): void {
    this.#lines = lines;
    this.#options = options;
    this.#isStale = true;
    paintPicture(this.element);
  }

  /** Colours are set when a plot is made. */
  #redraw(): void {
    this.#shape = "";
    this.#isStale = this.#lines.length > 0;
    paintPicture(this.element);
  }

  #drawStale(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const { isLog, isSmoothed } = this.#options;
    const shape = JSON.stringify([this.#lines.map(({ name }) => name), isLog, isSmoothed, this.#isHuge()]);
    const data = this.#data();
    this.#empty.hidden = data[0].length > 0;
    if (shape !== this.#shape || this.#plot === undefined) {
      this.#shape = shape;
      this.#build();
    } else this.#plot.setData(data);
    this.#showReadout(null);
  }

  #data(): uPlot.AlignedData {
    const { isLog, isSmoothed } = this.#options;
    const { field, isStepped } = this.spec;
    // A logarithm needs something above zero.
    const fit = (values: readonly (number | null)[]) =>
      isLog ? values.map((value) => (value !== null && value > 0 ? value : null)) : [...values];
    const tables = this.#lines.map(({ metrics }): uPlot.AlignedData => {
      const series = metrics.series[field] ?? { mean: [], min: [], max: [], smooth: [] };
      const line = isSmoothed && isStepped !== true ? series.smooth : series.mean;
      return [[...metrics.iteration], fit(series.min), fit(series.max), fit(series.mean), fit(line)];
    });
    if (tables.length === 0) return [[]];
    // Points of one run that the other does not have are passed over (1), true gaps stay.
    return tables.length === 1
      ? (tables[0] as uPlot.AlignedData)
      : uPlot.join(
          tables,
          tables.map((table) => table.map(() => 1)),
        );
  }

  #isHuge(): boolean {
    return this.#lines.some(({ metrics }) => metrics.series[this.spec.field]?.max.some((value) => value !== null && value > HUGE));
  }

  #build(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    const data = this.#data();
    if (data[0].length === 0) return;
    this.#plot = new uPlot(this.#plotOptions(), data, this.#plotElement);
    this.#describe();
  }

  #plotOptions(): uPlot.Options {
    const { isLog } = this.#options;
    const { range, isWhole, show = figure } = this.spec;
    const axis = { font: FONT, stroke: cssColor("muted"), grid: { stroke: cssColor("line"), width: 1 }, ticks: { show: false } };
    return {
      width: this.width,
      height: HEIGHT,
      legend: { show: false },
      padding: [8, 16, 0, 0],
      cursor: { sync: { key: SYNC, setSeries: false }, points: { size: 6 }, drag: { x: true, y: false, setScale: false }, y: false },
      scales: {
        x: { time: false },
        y: isLog ? { distr: 3 } : { range: (_, low, high) => yRange(low, high, range) },
      },
      axes: [
        { ...axis, size: 26, space: 64, incrs: WHOLE_STEPS, values: (_, ticks) => ticks.map((tick) => shortCount(tick)) },
        {
          ...axis,
          ...(isLog && { grid: { ...axis.grid, filter: powersOfTen } }),
          size: 46,
          space: 28,
          ...((isWhole === true || this.#isHuge()) && { incrs: isWhole === true ? WHOLE_STEPS : HUGE_STEPS }),
          values: (_, ticks) => ticks.map((tick) => (tick === null || (isLog && !isPowerOfTen(tick)) ? "" : show(tick))),
        },
      ],
      series: [{}, ...this.#lines.flatMap((_, run) => this.#series(run))],
      bands: this.#lines.map((_, run) => ({
        series: [run * SERIES + 2, run * SERIES + 1],
        fill: `${cssColor(RUN_COLORS[run % 2] as string)}26`,
      })),
      hooks: {
        setCursor: [(plot) => this.#showReadout(plot.cursor.idx ?? null)],
        setSelect: [(plot) => this.#zoomToSelection(plot)],
        ready: [(plot) => plot.over.addEventListener("dblclick", () => this.spec.onZoom(undefined))],
      },
    };
  }

  #series(run: number): uPlot.Series[] {
    const color = cssColor(RUN_COLORS[run % 2] as string);
    const { isSmoothed } = this.#options;
    const isStepped = this.spec.isStepped === true;
    const edge: uPlot.Series = { stroke: "transparent", width: 0, points: { show: false }, spanGaps: true };
    const faint: uPlot.Series = { stroke: `${color}55`, width: 1, points: { show: false }, spanGaps: true, show: isSmoothed && !isStepped };
    const paths = isStepped ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
    const line: uPlot.Series = {
      stroke: color,
      width: 1.75,
      points: { show: (plot) => plot.data[0].length <= MARKED, size: 5, fill: color, width: 0 },
      spanGaps: true,
      ...(paths !== undefined && { paths }),
    };
    return [edge, { ...edge }, faint, line];
  }

  #zoomToSelection(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 3) return;
    this.spec.onZoom([Math.max(0, plot.posToVal(left, "x")), plot.posToVal(left + width, "x")]);
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  /** The values at a point, or the last ones. */
  #showReadout(index: number | null): void {
    const plot = this.#plot;
    const at = index ?? (plot?.data[0].length ?? 0) - 1;
    if (plot === undefined || at < 0) {
      fill(this.#readout);
      return;
    }
    const words = this.#lines.map(({ metrics }, run) => {
      const [low, high, , line] = [1, 2, 3, 4].map((offset) => this.#valueNear(plot, run * SERIES + offset, at)) as [
        Value,
        Value,
        Value,
        Value,
      ];
      const { show = figure } = this.spec;
      const range =
        metrics.linesPerPoint > 1 && low !== undefined && high !== undefined && low !== high ? ` (${show(low)} … ${show(high)})` : "";
      return h("span", { class: `run-${"ab"[run % 2]}` }, line === undefined ? "–" : show(line) + (index === null ? "" : range));
    });
    const where = index === null ? "" : `at ${thousands(plot.data[0][at] as number)}`;
    fill(this.#readout, ...words, where !== "" && h("span", { class: "muted" }, where));
  }

  /** A run's value at a point of the chart, or its last one before: the points of two runs differ. */
  #valueNear(plot: uPlot, series: number, at: number): Value {
    const values = plot.data[series] as readonly (number | null | undefined)[] | undefined;
    for (let i = at; i >= 0; i--) {
      const value = values?.[i];
      if (typeof value === "number") return value;
    }
    return undefined;
  }

  #press(event: KeyboardEvent): void {
    const plot = this.#plot;
    if (plot === undefined || plot.data[0].length === 0) return;
    const last = plot.data[0].length - 1;
    const at = plot.cursor.idx ?? last;
    const move: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -last, End: last };
    const by = move[event.key];
    if (by !== undefined) this.#moveCursor(plot, clamp(at + by * (event.shiftKey ? 10 : 1), 0, last));
    else if (event.key === "+" || event.key === "-")
      this.#zoomAround(plot, plot.data[0][at] as number, event.key === "+" ? ZOOM : 1 / ZOOM);
    else if (event.key === "Escape" || event.key === "0") this.spec.onZoom(undefined);
    else return;
    event.preventDefault();
  }

  #moveCursor(plot: uPlot, index: number): void {
    plot.setCursor({ left: plot.valToPos(plot.data[0][index] as number, "x"), top: 10 });
    announce(`${this.spec.title} ${this.#readout.textContent}`);
  }

  #zoomAround(plot: uPlot, center: number, factor: number): void {
    const { min = 0, max = 1 } = plot.scales.x as uPlot.Scale;
    this.spec.onZoom([Math.max(0, center - (center - min) * factor), center + (max - center) * factor]);
  }

  #describe(): void {
    this.#plotElement.setAttribute(
      "aria-label",
      `${this.spec.title} over iterations. Arrow keys go from point to point, plus and minus zoom, Escape shows all.`,
    );
  }

  async #savePng(): Promise<void> {
    this.#drawStale();
    const plot = this.#plot;
    if (plot === undefined) return;
    const source = plot.ctx.canvas;
    const ratio = source.width / plot.width;
    const heading = Math.round(34 * ratio);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [source.width + Math.round(16 * ratio), source.height + heading + Math.round(10 * ratio)];
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    context.fillStyle = cssColor("panel");
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(source, Math.round(8 * ratio), heading);
    this.#drawHeading(context, ratio);
    download(`${this.spec.field}.png`, await toBlob(canvas));
  }

  #drawHeading(context: CanvasRenderingContext2D, ratio: number): void {
    context.scale(ratio, ratio);
    context.textBaseline = "middle";
    context.fillStyle = cssColor("text");
    context.font = "600 13px system-ui, sans-serif";
    context.fillText(this.spec.title, 14, 18);
    let x = 26 + context.measureText(this.spec.title).width;
    context.font = FONT;
    for (const [run, { name }] of this.#lines.entries()) {
      context.fillStyle = cssColor(RUN_COLORS[run % 2] as string);
      context.fillText(name, x, 18);
      x += context.measureText(name).width + 14;
    }
  }
}

type Value = number | undefined;

/** 1, 2, 5, 10, … from one power of ten to another. */
function steps(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => [1, 2, 5].map((step) => step * 10 ** (from + i))).flat();
}

/** A little room above and below; a line that never changes gets some too. */
function yRange(low: number | null, high: number | null, fixed: readonly [number, number] | undefined): uPlot.Range.MinMax {
  if (low === null || high === null) return [0, 1];
  if (fixed !== undefined) return [Math.min(fixed[0], low), Math.max(fixed[1], high)];
  const least = low > 0 && low < high * 0.5 ? 0 : low;
  const room = (high - least) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [least === 0 ? 0 : least - room, high + room];
}

/** Lines at 1, 10, 100 only: those between would fill the chart. */
function powersOfTen(_: uPlot, ticks: number[]): (number | null)[] {
  return ticks.map((tick) => (isPowerOfTen(tick) ? tick : null));
}

function isPowerOfTen(value: number): boolean {
  const power = Math.log10(value);
  return Math.abs(power - Math.round(power)) < 1e-9;
}

/** 12000 → "12k" */
function shortCount(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toFixed(2))}M`;
  return value >= 1000 ? `${Number((value / 1000).toFixed(2))}k` : String(value);
}
