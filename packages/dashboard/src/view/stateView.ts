// The maps of one step. They follow the slider as fast as their values come, and never show values of two steps at once: a map's
// `data-step` is the step that it shows.
import type { TraceHeader } from "../data/api.js";
import { axesOf, traceSizes } from "../data/traceLayout.js";
import { fill, h } from "./dom.js";
import { Heatmap } from "./heatmap.js";
import type { Matrix } from "./matrix.js";
import { type StatePanel, statePanels } from "./statePanels.js";
import { StepLoader } from "./stepLoader.js";
import type { TimeData } from "./timeData.js";
import { shownCells } from "./timePanels.js";

const WEIGHT_WIDTH = 11;

interface StateMap {
  readonly panel: StatePanel;
  readonly map: Heatmap;
  /** Write and read weights of this step beside the rows of the memory. */
  readonly weights: Heatmap | undefined;
  loader: StepLoader | undefined;
}

export class StateView {
  readonly element: HTMLElement;
  readonly #header: TraceHeader;
  readonly #maps: readonly StateMap[];
  readonly #observer = new ResizeObserver(() => this.#resize());
  #data: TimeData | undefined;
  #layer = 0;
  #step = 0;
  #positions: Float32Array = new Float32Array(0);

  constructor(header: TraceHeader) {
    this.#header = header;
    this.#maps = statePanels(header, () => this.#positions).map((panel) => makeMap(panel, header));
    this.element = h("div", { class: "maps" });
    fill(
      this.element,
      ...this.#maps.map(({ map, weights }) =>
        weights === undefined ? map.element : h("div", { class: "map-pair" }, weights.element, map.element),
      ),
    );
    this.#observer.observe(this.element);
  }

  dispose(): void {
    this.#observer.disconnect();
    for (const { map, weights, loader } of this.#maps) {
      loader?.close();
      weights?.dispose();
      map.dispose();
    }
  }

  /** What `show` needs to draw a step at once, for all maps. */
  async load(data: TimeData, layer: number, step: number): Promise<StepLoader[]> {
    const loaders = this.#loaders(data, layer);
    await Promise.all(loaders.map((loader) => loader.load(step)));
    return loaders;
  }

  /** Takes its values from another trace, or another layer of it, from the next `goTo` on. */
  show(data: TimeData, layer: number, loaders = this.#loaders(data, layer)): void {
    this.#data = data;
    this.#layer = layer;
    for (const [i, state] of this.#maps.entries()) {
      state.loader?.close();
      state.loader = loaders[i];
    }
  }

  #loaders({ trace, steps, layers }: TimeData, layer: number): StepLoader[] {
    const onLoaded = () => this.goTo(this.#step);
    return this.#maps.map(({ panel: { tensor, rows, columns } }) => {
      return new StepLoader(trace, tensor, steps, rows * columns, layers, layer, onLoaded);
    });
  }

  goTo(step: number): void {
    this.#step = step;
    const data = this.#data;
    if (data === undefined) return;
    for (const { panel, map, weights, loader } of this.#maps) {
      const values = loader?.at(step);
      if (values === undefined) continue; // comes in a moment
      this.#positions = data.row("debug.read_positions", step, this.#layer);
      const isEmpty = values.every((value) => value === 0);
      map.show({ rows: panel.rows, columns: panel.columns, values }, `at step ${step}${isEmpty ? ", all 0" : ""}`);
      map.element.dataset.step = String(step);
      weights?.show(this.#weightsNow(data, step));
      if (weights !== undefined) weights.element.dataset.step = String(step);
    }
  }

  /** A column for writing and one for each head. */
  #weightsNow(data: TimeData, step: number): Matrix {
    const { heads } = traceSizes(this.#header);
    const rows = shownCells(this.#header).length;
    const columns = heads + 1;
    const values = new Float32Array(rows * columns);
    const write = data.row("debug.write_weights", step, this.#layer);
    const read = data.row("debug.read_weights", step, this.#layer);
    for (let cell = 0; cell < rows; cell++) {
      values[cell * columns] = write[cell] ?? Number.NaN;
      for (let head = 0; head < heads; head++) values[cell * columns + 1 + head] = read[head * rows + cell] ?? Number.NaN;
    }
    return { rows, columns, values };
  }

  #resize(): void {
    for (const { panel, map, weights } of this.#maps) {
      weights?.resize(WEIGHT_WIDTH * (traceSizes(this.#header).heads + 1));
      const body = map.element.querySelector(".map-body");
      const ticks = map.element.querySelector<HTMLElement>(".map-ticks");
      const room = (body?.clientWidth ?? 0) - (ticks?.hidden === true ? 0 : (ticks?.offsetWidth ?? 0));
      if (room < 1) continue;
      const pixels = Math.floor(room * devicePixelRatio);
      const { columns, rows } = panel;
      const most = panel.isSquare
        ? Math.min(pixels, Math.round((map.spec.mostHeight ?? pixels) * devicePixelRatio), MOST_SQUARE_CELL * rows * devicePixelRatio)
        : pixels;
      map.resize((most >= columns ? Math.floor(most / columns) * columns : most) / devicePixelRatio);
    }
  }
}

/** Small link matrices need not fill the column. */
const MOST_SQUARE_CELL = 20;
const MOST_SQUARE = 400;

function makeMap(panel: StatePanel, header: TraceHeader): StateMap {
  const { spec, hasWeights, isSquare } = panel;
  if (isSquare) {
    const side = Math.min(MOST_SQUARE, MOST_SQUARE_CELL * panel.rows);
    return { panel, map: new Heatmap({ ...spec, rowHeight: side / panel.rows, mostHeight: side }), weights: undefined, loader: undefined };
  }
  if (!hasWeights || axesOf("debug.write_weights", header).length === 0)
    return { panel, map: new Heatmap(spec), weights: undefined, loader: undefined };
  const { heads } = traceSizes(header);
  const weights = new Heatmap({
    ...spec,
    id: "weights_now",
    title: "Weights",
    isBare: true,
    scale: "unit",
    columnTick: (column) => (column === 0 ? "w" : String(column)),
    columnName: (column) => (column === 0 ? "written with" : `read by head ${column} of ${heads}`),
  });
  const { rowTick, ...withoutTicks } = spec;
  return { panel, map: new Heatmap(rowTick === undefined ? spec : withoutTicks), weights, loader: undefined };
}
