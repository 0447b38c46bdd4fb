// One sequence and what the memory did: maps over time on the left, the memory at one step on the right, and a slider that moves
// all of them together.
import type { TraceHeader } from "../data/api.js";
import type { MemoryWeights } from "../data/memoryUse.js";
import { figure, thousands } from "../data/numbers.js";
import type { Trace } from "../data/trace.js";
import { MOST_CELLS, traceSizes } from "../data/traceLayout.js";
import { clamp, fill, h, refill } from "./dom.js";
import { Heatmap } from "./heatmap.js";
import { Scrubber } from "./scrubber.js";
import { StateView } from "./stateView.js";
import type { StepLoader } from "./stepLoader.js";
import { TimeData } from "./timeData.js";
import { memoryPanels, sequencePanels, type TimePanel } from "./timePanels.js";

interface TimeMap {
  readonly panel: TimePanel;
  readonly map: Heatmap;
}

/** All that a header's maps depend on. */
function signature({ model, options, task, tensors, cells }: TraceHeader): string {
  return JSON.stringify([model, options, task, tensors, cells]);
}

const LEAST_PLOT = 120;

/** "Of 5,000 cells 32 are shown, among them all that are used." */
function chosenCells(header: TraceHeader): string {
  const { cells } = traceSizes(header);
  const shown = header.cells?.length ?? cells;
  const which = shown < MOST_CELLS ? "among them all that this sequence uses" : "those with the largest weights";
  return `Of ${thousands(cells)} cells ${thousands(shown)} are shown, ${which}.`;
}

export class MemoryView {
  readonly element: HTMLElement;
  readonly #scrubber = new Scrubber((step) => this.goTo(step));
  readonly #sequence = h("div", { class: "maps" });
  readonly #memory = h("div", { class: "maps" });
  readonly #choice = h("p", { class: "muted choice" });
  readonly #stateColumn = h("div", { class: "state-column" });
  readonly #timeColumn = h("div", { class: "time-column" }, this.#sequence, this.#memory);
  readonly #layerChoice = h("select", { "aria-label": "Layer" });
  #data: TimeData | undefined;
  #maps: TimeMap[] = [];
  #state: StateView | undefined;
  #signature = "";
  #layer = 0;
  #asked: boolean[] = [];
  #loading = 0;
  #frame = 0;
  /** For the plots of the maps over time, in the page's pixels, as it was laid out last. */
  #room = 0;

  /** @param onData called when another trace, or another layer of it, is shown */
  constructor(readonly onData: (weights: MemoryWeights) => void = () => undefined) {
    this.element = h(
      "div",
      { class: "memory-view" },
      this.#scrubber.element,
      this.#choice,
      h("div", { class: "columns" }, this.#timeColumn, this.#stateColumn),
    );
    new ResizeObserver(() => this.#measure()).observe(this.#sequence);
    this.#layerChoice.addEventListener("change", () => {
      this.#layer = Number(this.#layerChoice.value);
      this.#update();
    });
  }

  get step(): number {
    return this.#scrubber.step;
  }

  /**
   * Asks for what is shown of another trace; the step stays.
   * @returns draws it, unless another was asked for meanwhile; undefined when the trace is not there any more
   */
  async load(trace: Trace): Promise<(() => void) | undefined> {
    const turn = ++this.#loading;
    const panels = [...sequencePanels(trace.header), ...memoryPanels(trace.header)];
    const data = await TimeData.load(trace, panels).catch(() => undefined);
    if (data === undefined) return undefined;
    const isAlike = signature(trace.header) === this.#signature;
    const layer = this.#layer;
    const loaders = isAlike ? await this.#state?.load(data, layer, this.step) : undefined;
    return () => {
      if (turn !== this.#loading) return;
      this.#data = data;
      if (!isAlike) this.#build(trace.header);
      this.#update(layer === this.#layer ? loaders : undefined);
    };
  }

  goTo(step: number): void {
    const steps = this.#data?.steps ?? 1;
    this.#scrubber.moveTo(clamp(step, 0, steps - 1));
    // Several moves within a frame are drawn once.
    if (this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#drawStep();
      });
    }
  }

  /** Makes the maps that a trace of this kind needs. */
  #build(header: TraceHeader): void {
    this.#signature = signature(header);
    for (const { map } of this.#maps) map.dispose();
    const make = (panel: TimePanel): TimeMap => ({ panel, map: new Heatmap(this.#spec(panel)) });
    const sequence = sequencePanels(header).map(make);
    const memory = memoryPanels(header).map(make);
    this.#maps = [...sequence, ...memory];
    fill(this.#sequence, ...sequence.map(({ map }) => map.element));
    fill(this.#memory, ...memory.map(({ map }) => map.element));
    this.#state?.dispose();
    this.#state = new StateView(header);
    fill(this.#choice, chosenCells(header));
    this.#choice.hidden = header.cells === null;
    const { layers } = traceSizes(header);
    this.#layer = Math.min(this.#layer, layers - 1);
    fill(
      this.#layerChoice,
      ...Array.from({ length: layers }, (_, layer) => h("option", { value: layer, selected: layer === this.#layer }, `Layer ${layer + 1}`)),
    );
    fill(this.#stateColumn, layers > 1 && this.#layerChoice, this.#state.element);
    if (this.#room === 0) this.#measure();
  }

  #spec(panel: TimePanel) {
    const { id, title, scale, rowNames, rowTicks, more } = panel;
    const isAnswer = id === "target" || id === "output";
    return {
      id,
      title,
      scale,
      rowName: (row: number) => rowNames[row] ?? "",
      rowTick: (row: number) => rowTicks[row] ?? "",
      columnName: (column: number) => `step ${column}`,
      onColumn: (column: number) => this.goTo(column),
      ...(isAnswer && { faint: (_: number, column: number) => this.#asked[column] === false }),
      ...more,
    };
  }

  #update(loaders?: StepLoader[]): void {
    const data = this.#data;
    if (data === undefined) return;
    this.#asked = data.asked();
    this.#scrubber.setSteps(this.#asked);
    this.#scrubber.moveTo(this.step);
    this.#resize();
    for (const { panel, map } of this.#maps) map.show(data.matrix(panel, this.#layer), panel.note);
    this.#state?.show(data, this.#layer, loaders);
    this.#drawStep();
    this.onData(data.weights(this.#layer));
  }

  #drawStep(): void {
    for (const { map } of this.#maps) map.moveCursor(this.step);
    this.#state?.goTo(this.step);
    refill(this.#scrubber.words, ...this.#words());
  }

  #words(): (Node | string)[] {
    const steps = this.#data?.steps ?? 1;
    const answer = this.#data?.answer();
    const asked = this.#asked[this.step] === true ? "answer counts" : "";
    return [
      h("strong", {}, `Step ${this.step}`),
      ` of 0 … ${steps - 1}`,
      ...(asked === "" ? [] : [h("span", { class: "tag" }, asked)]),
      ...(answer === undefined
        ? []
        : [h("span", { class: "muted" }, `answer ${figure(answer.answer)}, should be ${figure(answer.target)}`)]),
    ];
  }

  /** Only when the browser has just laid out the page, or has to anyway: it would do so anew for every trace. */
  #measure(): void {
    const body = this.#maps[0]?.map.element.querySelector(".map-body");
    const ticks = this.#maps[0]?.map.element.querySelector<HTMLElement>(".map-ticks");
    if (body === null || body === undefined || body.clientWidth === 0) return;
    this.#room = Math.max(LEAST_PLOT, body.clientWidth - (ticks?.offsetWidth ?? 0));
    this.#resize();
    for (const { map } of this.#maps) map.moveCursor(this.step);
  }

  /** All maps over time get one width: of whole pixels a step where there is room. */
  #resize(): void {
    if (this.#room === 0 || this.#data === undefined) return;
    const pixels = Math.floor(this.#room * devicePixelRatio);
    const { steps } = this.#data;
    const width = (pixels >= steps ? Math.floor(pixels / steps) * steps : pixels) / devicePixelRatio;
    for (const { map } of this.#maps) map.resize(width);
    this.#scrubber.resize(width);
  }
}
