// The upper half: where the run stands, and how it got there.
import type { MetricsQuery, RunSummary, SampledMetrics } from "../data/api.js";
import { duration, figure, percent, thousands } from "../data/numbers.js";
import { downloadFrom, fill, h, refill } from "../view/dom.js";
import { LineChart } from "../view/lineChart.js";
import { isInSight, watchSight } from "../view/sight.js";
import { fetchMetrics, metricsCsvAddress } from "./client.js";

const LEAST_POINTS = 200;

const charts = [
  { field: "loss", title: "Loss" },
  { field: "accuracy", title: "Accuracy", range: [0, 1], show: percent },
  { field: "maxLength", title: "Longest sequence", isStepped: true, isWhole: true },
  { field: "gradNorm", title: "Gradient norm" },
  { field: "learningRate", title: "Learning rate", isStepped: true },
  { field: "iterationsPerSecond", title: "Iterations a second" },
] as const;
const SHOWN_AT_ONCE = 3;

type Range = readonly [number, number] | undefined;

/** Charts side by side. */
interface Row {
  readonly element: HTMLElement;
  readonly charts: readonly LineChart[];
  /** Whether there is something newer than its charts show. */
  isBehind: boolean;
}

export class TrainingSection {
  readonly element: HTMLElement;
  readonly #tiles = h("dl", { class: "tiles" });
  readonly #rows: readonly Row[];
  readonly #log = h("input", { type: "checkbox", id: "log" });
  readonly #smoothing = h("input", { type: "range", id: "smoothing", min: 0, max: 99, step: 1, value: 0 });
  readonly #smoothingText = h("output", { for: "smoothing" }, "off");
  readonly #overlay = h("select", { id: "overlay" });
  readonly #whole = h("button", { type: "button", hidden: true }, "Whole run");
  #runs: readonly RunSummary[] = [];
  #zoom: Range;
  #asked = 0;

  constructor() {
    this.#rows = [charts.slice(0, SHOWN_AT_ONCE), charts.slice(SHOWN_AT_ONCE)].map((specs) => this.#row(specs));
    const [first, more] = this.#rows.map(({ element }) => element);
    this.element = h(
      "section",
      { class: "panel", "aria-labelledby": "training-title" },
      h("div", { class: "panel-head" }, h("h2", { id: "training-title" }, "Training"), h("span", { class: "muted" }, "over iterations")),
      this.#tiles,
      this.#toolbar(),
      first,
      h("details", { class: "more" }, h("summary", {}, "More figures"), more),
    );
  }

  #row(specs: readonly (typeof charts)[number][]): Row {
    const row: Row = {
      charts: specs.map((spec) => new LineChart({ ...spec, saveCsv, onZoom: (range) => this.#zoomTo(range) })),
      element: h("div", { class: "charts" }),
      isBehind: false,
    };
    fill(row.element, ...row.charts.map(({ element }) => element));
    watchSight(row.element, () => row.isBehind && void this.#refresh());
    return row;
  }

  #toolbar(): HTMLElement {
    for (const control of [this.#log, this.#overlay]) control.addEventListener("change", () => this.#refresh());
    this.#smoothing.addEventListener("input", () => this.#refresh());
    this.#whole.addEventListener("click", () => this.#zoomTo(undefined));
    return h(
      "div",
      { class: "toolbar" },
      h("label", {}, this.#log, "Log scale"),
      h("label", {}, "Smoothing", this.#smoothing, this.#smoothingText),
      h("label", { class: "overlay" }, "Compare with", this.#overlay),
      this.#whole,
      h("span", { class: "muted hint" }, "Drag across a chart to zoom, double-click for the whole run."),
    );
  }

  /**
   * Asks for what is new.
   * @param runs the run, then those to compare it with
   * @param everything also for the charts out of sight
   * @returns draws it
   */
  async load(runs: readonly RunSummary[], everything: boolean): Promise<() => void> {
    this.#runs = runs;
    this.#showOverlays();
    const draw = await this.#loadCharts(everything);
    return () => {
      this.#showTiles();
      draw();
    };
  }

  #showOverlays(): void {
    const others = this.#runs.slice(1);
    if (this.#overlay.options.length === others.length + 1) return;
    const chosen = this.#overlay.value;
    fill(this.#overlay, h("option", { value: "" }, "nothing"), ...others.map(({ index, name }) => h("option", { value: index }, name)));
    this.#overlay.value = chosen === "" && others.length === 1 ? String(others[0]?.index) : chosen;
    this.#overlay.closest("label")?.toggleAttribute("hidden", others.length === 0);
  }

  #showTiles(): void {
    const [run] = this.#runs;
    const last = run?.last ?? {};
    const tile = (name: string, value: string) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
    const of = (field: string, show: (value: number) => string) => (last[field] === undefined ? "–" : show(last[field] as number));
    const extra = [
      ["sequenceAccuracy", "Sequences right", percent],
      ["meanAbsoluteError", "Mean error", figure],
      ["relativeError", "Relative error", percent],
    ] as const;
    refill(
      this.#tiles,
      tile("Iteration", of("iteration", thousands)),
      tile("Loss", of("loss", figure)),
      tile("Accuracy", of("accuracy", percent)),
      ...extra.filter(([field]) => last[field] !== undefined).map(([field, name, show]) => tile(name, of(field, show))),
      tile("Longest sequence", of("maxLength", String)),
      tile("Iterations a second", of("iterationsPerSecond", figure)),
      tile("Time", of("seconds", duration)),
    );
  }

  #zoomTo(range: Range): void {
    this.#zoom = range;
    this.#whole.hidden = range === undefined;
    this.#refresh();
  }

  /** What the reader did is seen at once. */
  async #refresh(): Promise<void> {
    const draw = await this.#loadCharts();
    draw();
  }

  /** Asks for what the charts in sight can show, and no more unless for `everything`. Of two calls the later one wins. */
  async #loadCharts(everything = false): Promise<() => void> {
    const turn = ++this.#asked;
    for (const row of this.#rows) row.isBehind = true;
    const rows = everything ? this.#rows : this.#rows.filter(({ element }) => isInSight(element));
    const shown = rows.flatMap(({ charts }) => charts);
    const overlay = this.#runs.find(({ index }) => String(index) === this.#overlay.value && index !== 0);
    const runs = [this.#runs[0], overlay].filter((run) => run !== undefined);
    const smoothing = Number(this.#smoothing.value) / 100;
    this.#smoothingText.value = smoothing === 0 ? "off" : smoothing.toFixed(2); // also where the browser put back what was set before
    const points = Math.max(LEAST_POINTS, ...shown.map(({ width }) => Math.round(width)));
    const fields = shown.map(({ spec }) => spec.field);
    const [from, to] = this.#zoom ?? [];
    const query = { fields, from, to, points, smoothing };
    const metrics = shown.length === 0 ? undefined : await fetchEach(runs, query).catch(() => undefined);
    return () => {
      if (turn !== this.#asked || metrics === undefined) return;
      const lines = runs.map(({ name }, i) => ({ name, metrics: metrics[i] as SampledMetrics }));
      const loss = this.#log.checked;
      for (const chart of shown) {
        chart.show(lines, { isLog: loss && (chart.spec.field === "loss" || chart.spec.field === "gradNorm"), isSmoothed: smoothing > 0 });
      }
      for (const row of rows) row.isBehind = false;
      this.element.dataset.lines = String(this.#runs[0]?.lines ?? 0);
    };
  }
}

/** All lines of the run, not only the points on show. The browser tells where that fails. */
const saveCsv = () => downloadFrom(metricsCsvAddress(0), "metrics.csv");

function fetchEach(runs: readonly RunSummary[], query: MetricsQuery): Promise<SampledMetrics[]> {
  return Promise.all(runs.map(({ index }) => fetchMetrics(index, query)));
}
