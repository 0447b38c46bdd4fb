// A heatmap: a canvas with names for some rows, a legend, values on hover and by keyboard, and a copy as PNG or CSV.
import { csvOfMatrix } from "../data/csv.js";
import { figure, float32Text } from "../data/numbers.js";
import { announce, clamp, csvBlob, download, fill, h, refill, saveButtons } from "./dom.js";
import { exportHeatmap } from "./exportHeatmap.js";
import { drawLegend } from "./legend.js";
import { emptyMatrix, largest, type Matrix, roundUp, type Scale } from "./matrix.js";
import { paintMatrix } from "./paint.js";
import { paintPicture, watchPicture } from "./sight.js";
import { cssColor, onThemeChange } from "./theme.js";
import { hideTooltip, showTooltip } from "./tooltip.js";

export interface HeatmapSpec {
  /** For file names and tests: "write_weights", "read_weights-2". */
  readonly id: string;
  readonly title: string;
  readonly scale: Scale;
  /** "cell 12", said on hover and written in the CSV. */
  rowName(row: number): string;
  columnName(column: number): string;
  /** Short names beside the rows; "" for none. Left out: no room is kept for them. */
  rowTick?(row: number): string;
  /** Short names below the columns. */
  columnTick?(column: number): string;
  /** What is coloured for a value, where it is not the value itself. */
  shade?(value: number): number;
  /** The value that gets the last colour, where it is known beforehand. */
  readonly most?: number;
  faint?(row: number, column: number): boolean;
  /** More to say of a value. */
  describe?(value: number, row: number, column: number): string;
  /** Height of a row while there is room, and of the whole map at most. */
  readonly rowHeight?: number;
  readonly mostHeight?: number;
  /** Stands beside another map: nothing but its title above it. */
  readonly isBare?: boolean;
  /** In a map over time: what moves the step. */
  onColumn?(column: number): void;
}

/** Names closer together than this, in pixels, would touch. */
const TICK_DISTANCE = 11;
const NUDGE: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

export class Heatmap {
  /** The one whose value the box tells: there is one box. */
  static #told: Heatmap | undefined;
  readonly element: HTMLElement;
  #matrix: Matrix = emptyMatrix;
  #width = 0;
  #most: number;
  #focus = { row: 0, column: 0 };
  /** Where in the window the box with the value of `#focus` is asked for. */
  #picked: { readonly x: number; readonly y: number } | undefined;
  readonly #canvas = h("canvas", { width: 0, height: 0 });
  readonly #ticks = h("div", { class: "map-ticks", "aria-hidden": "true" });
  readonly #columnTicks = h("div", { class: "map-columns", "aria-hidden": "true" });
  readonly #mark = h("div", { class: "map-mark", hidden: true });
  readonly #cursor = h("div", { class: "map-cursor", hidden: true });
  readonly #plot: HTMLElement;
  readonly #legend: HTMLElement = h("span", { class: "legend" });
  readonly #note = h("span", { class: "map-note" });
  /** Whether there is something newer than what is painted. */
  #isStale = false;
  readonly #stopListening: readonly (() => void)[];

  constructor(readonly spec: HeatmapSpec) {
    const { id, title } = spec;
    this.#most = spec.most ?? (spec.scale === "unit" ? 1 : 0);
    this.#ticks.hidden = spec.rowTick === undefined;
    this.#plot = h(
      "div",
      { class: "map-plot", tabindex: 0, role: "application", "aria-roledescription": "heatmap" },
      this.#canvas,
      this.#cursor,
      this.#mark,
      this.#columnTicks,
    );
    this.element = h(
      "figure",
      { class: "map", "data-map": id },
      h(
        "figcaption",
        {},
        h("span", { class: "map-title" }, title),
        ...(spec.isBare === true
          ? []
          : [this.#note, this.#legend, saveButtons(title, { PNG: () => void this.#savePng(), CSV: () => this.#saveCsv() })]),
      ),
      h("div", { class: "map-body" }, this.#ticks, this.#plot),
    );
    this.#listen();
    this.#stopListening = [onThemeChange(() => this.#layOut()), watchPicture(this.element, () => this.#paintStale())];
  }

  dispose(): void {
    for (const stop of this.#stopListening) stop();
    this.#unpick();
    this.element.remove();
  }

  get matrix(): Matrix {
    return this.#matrix;
  }

  /** Width of the plot in the page's pixels. */
  get plotWidth(): number {
    return this.#width;
  }

  /** Shows a matrix; it is painted when somebody sees it, or later. @param note a few words beside the title */
  show(matrix: Matrix, note = ""): void {
    this.#matrix = matrix;
    if (this.spec.most === undefined && this.spec.scale !== "unit") this.#most = Math.max(this.#most, roundUp(largest(matrix.values)));
    refill(this.#note, note);
    this.#layOut();
    this.#pickAgain();
  }

  resize(width: number): void {
    if (width === this.#width) return;
    this.#width = width;
    this.#layOut();
  }

  /** Where the steps are in a map over time. */
  moveCursor(column: number): void {
    this.#cursor.hidden = false;
    this.#cursor.style.left = `${(column * this.#width) / Math.max(1, this.#matrix.columns)}px`;
    this.#cursor.style.width = `${this.#width / Math.max(1, this.#matrix.columns)}px`;
    this.element.dataset.step = String(column);
  }

  get #height(): number {
    const { rowHeight = 10, mostHeight = 160 } = this.spec;
    return Math.max(1, Math.min(rowHeight * this.#matrix.rows, mostHeight));
  }

  /** The size and all words are right at any time, so that nothing jumps when it comes into sight. */
  #layOut(): void {
    const { rows, columns } = this.#matrix;
    if (this.#width < 1 || rows === 0) return;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(this.#width * ratio), Math.round(this.#height * ratio)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
      this.#canvas.style.width = `${width / ratio}px`;
      this.#canvas.style.height = `${height / ratio}px`;
      this.#drawTicks();
    }
    drawLegend(this.#legend, this.spec.scale, this.#most);
    const label = `${this.spec.title}: ${rows} rows, ${columns} columns, values ${this.range()}. Arrow keys go from value to value.`;
    if (this.#plot.getAttribute("aria-label") !== label) this.#plot.setAttribute("aria-label", label);
    this.#isStale = true;
    paintPicture(this.element);
  }

  #paintStale(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const { width, height } = this.#canvas;
    const context = this.#canvas.getContext("2d") as CanvasRenderingContext2D;
    paintMatrix(context, this.#matrix, { x: 0, y: 0, width, height }, devicePixelRatio, this.paintOptions());
  }

  paintOptions() {
    const { scale, shade, faint } = this.spec;
    return { scale, shade, faint, most: this.#most || 1, background: cssColor("panel") };
  }

  range(): string {
    return `${this.spec.scale === "signed" ? `−${figure(this.#most)}` : "0"} to ${figure(this.#most)}`;
  }

  /** Rows that have a name beside them, with the position of their middle as a fraction of the height. */
  ticks(height = this.#height): { readonly text: string; readonly at: number }[] {
    const { rows } = this.#matrix;
    const { rowTick } = this.spec;
    if (rowTick === undefined) return [];
    const named = Array.from({ length: rows }, (_, row) => ({ text: rowTick(row), at: (row + 0.5) / rows })).filter(
      ({ text }) => text !== "",
    );
    const all = named.length === rows;
    const stride = all ? niceStride((TICK_DISTANCE * rows) / height) : 1;
    return named.filter((_, i) => i % stride === 0);
  }

  #drawTicks(): void {
    const height = this.#height;
    const labels = this.ticks().map(({ text, at }) => {
      const label = h("span", {}, text);
      label.style.top = `${at * height}px`;
      return label;
    });
    fill(this.#ticks, ...labels);
    this.#ticks.style.height = `${height}px`;
    const { columnTick } = this.spec;
    if (columnTick === undefined) return;
    const { columns } = this.#matrix;
    const below = Array.from({ length: columns }, (_, column) => {
      const label = h("span", {}, columnTick(column));
      label.style.left = `${((column + 0.5) * this.#width) / columns}px`;
      return label;
    });
    fill(this.#columnTicks, ...below);
  }

  #listen(): void {
    const plot = this.#plot;
    plot.addEventListener("pointermove", (event) => this.#point(event, event.buttons === 1));
    plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      plot.setPointerCapture(event.pointerId);
      this.#point(event, true);
    });
    plot.addEventListener("pointerleave", () => this.#unpick());
    plot.addEventListener("pointercancel", () => this.#unpick());
    plot.addEventListener("blur", () => this.#unpick());
    plot.addEventListener("keydown", (event) => this.#press(event));
  }

  #point(event: PointerEvent, isPressed: boolean): void {
    const { rows, columns } = this.#matrix;
    const { left, top } = this.#canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - top) * rows) / this.#height);
    const column = Math.floor(((event.clientX - left) * columns) / this.#width);
    if (isPressed) this.spec.onColumn?.(clamp(column, 0, columns - 1));
    if (row < 0 || column < 0 || row >= rows || column >= columns) this.#unpick();
    else {
      const shown = this.#heaviestAround(row, column);
      this.#pick(shown.row, shown.column, event.clientX, event.clientY);
    }
  }

  /** Where several values share a pixel it shows the one of the largest magnitude, and so do we. */
  #heaviestAround(row: number, column: number): { row: number; column: number } {
    const { rows, columns, values } = this.#matrix;
    const [height, width] = [Math.min(rows, this.#canvas.height), Math.min(columns, this.#canvas.width)];
    const span = (index: number, count: number, shown: number): [number, number] => {
      const pixel = Math.floor((index * shown) / count);
      return [Math.ceil((pixel * count) / shown), Math.ceil(((pixel + 1) * count) / shown)];
    };
    let best = { row, column };
    const [firstRow, endRow] = span(row, rows, height);
    const [firstColumn, endColumn] = span(column, columns, width);
    for (let r = firstRow; r < endRow; r++) {
      for (let c = firstColumn; c < endColumn; c++) {
        const isHeavier = Math.abs(values[r * columns + c] ?? 0) > Math.abs(values[best.row * columns + best.column] ?? 0);
        if (isHeavier) best = { row: r, column: c };
      }
    }
    return best;
  }

  #press(event: KeyboardEvent): void {
    const { rows, columns } = this.#matrix;
    const nudge = NUDGE[event.key];
    if (event.key === "Escape") this.#unpick();
    if (rows === 0 || (nudge === undefined && event.key !== "Enter")) return;
    event.preventDefault();
    const far = event.shiftKey ? 10 : 1;
    const [down, right] = this.#picked !== undefined ? (nudge ?? [0, 0]) : [0, 0];
    const row = clamp(this.#focus.row + far * down, 0, rows - 1);
    const column = clamp(this.#focus.column + far * right, 0, columns - 1);
    if (right !== 0) this.spec.onColumn?.(column);
    const { left, top } = this.#canvas.getBoundingClientRect();
    this.#pick(row, column, left + ((column + 1) * this.#width) / columns, top + (row * this.#height) / rows);
    announce(this.lines(row, column).join(", "));
  }

  #pick(row: number, column: number, x: number, y: number): void {
    const { rows, columns } = this.#matrix;
    this.#focus = { row, column };
    this.#picked = { x, y };
    Heatmap.#told = this;
    const [cellWidth, cellHeight] = [this.#width / columns, this.#height / rows];
    Object.assign(this.#mark.style, {
      left: `${column * cellWidth}px`,
      top: `${row * cellHeight}px`,
      width: `${Math.max(3, cellWidth)}px`,
      height: `${Math.max(3, cellHeight)}px`,
    });
    this.#mark.hidden = false;
    showTooltip(x, y, this.lines(row, column));
  }

  #unpick(): void {
    this.#mark.hidden = true;
    this.#picked = undefined;
    if (Heatmap.#told !== this) return;
    Heatmap.#told = undefined;
    hideTooltip();
  }

  /** The box tells the value on show, also while pointer and keyboard rest. */
  #pickAgain(): void {
    if (this.#picked === undefined || Heatmap.#told !== this) return;
    const { row, column } = this.#focus;
    if (row < this.#matrix.rows && column < this.#matrix.columns) this.#pick(row, column, this.#picked.x, this.#picked.y);
    else this.#unpick();
  }

  /** What is said of a value: the place, the very number of the file, and what it means. */
  lines(row: number, column: number): string[] {
    const value = this.#matrix.values[row * this.#matrix.columns + column] ?? Number.NaN;
    const more = this.spec.describe?.(value, row, column) ?? "";
    const number = Number.isNaN(value) ? "nothing" : float32Text(value);
    return [`${this.spec.rowName(row)}, ${this.spec.columnName(column)}`, number, ...(more === "" ? [] : [more])];
  }

  async #savePng(): Promise<void> {
    download(`${this.spec.id}.png`, await exportHeatmap(this, this.#height));
  }

  #saveCsv(): void {
    const { rows, columns, values } = this.#matrix;
    const names = (count: number, name: (index: number) => string) => Array.from({ length: count }, (_, i) => name(i));
    const { id, rowName, columnName } = this.spec;
    const text = csvOfMatrix(
      this.spec.title,
      names(columns, columnName),
      names(rows, rowName),
      (row, column) => values[row * columns + column] as number,
    );
    download(`${id}.csv`, csvBlob(text));
  }
}

/** 1, 2, 4, 5, 8, 10, 16, 20, … : the least of these that is not below. */
export function niceStride(least: number): number {
  const steps = [1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 256];
  return steps.find((step) => step >= least) ?? 500;
}
