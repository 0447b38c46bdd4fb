// The upper half: where the run stands, and how it got there.
import type { RunSummary, SampledMetrics } from "../data/api.js";
import { duration, figure, percent, thousands } from "../data/numbers.js";
import { download, fill, h } from "../view/dom.js";
import { LineChart } from "../view/lineChart.js";
import { fetchMetrics, metricsCsvAddress } from "./client.js";

/** Between two looks at the metrics of a run that goes on. */
const LOOK_EVERY_MS = 1000;
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

export class TrainingSection {
  readonly element: HTMLElement;
  readonly #tiles = h("dl", { class: "tiles" });
  readonly #charts: readonly LineChart[];
  readonly #log = h("input", { type: "checkbox", id: "log" });
  readonly #smoothing = h("input", { type: "range", id: "smoothing", min: 0, max: 99, step: 1, value: 0 });
  readonly #smoothingText = h("output", { for: "smoothing" }, "0");
  readonly #overlay = h("select", { id: "overlay" });
  readonly #whole = h("button", { type: "button", hidden: true }, "Whole run");
  readonly #more: HTMLDetailsElement;
  #runs: readonly RunSummary[] = [];
  #zoom: Range;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  constructor() {
    this.#charts = charts.map(
      (spec) => new LineChart({ ...spec, saveCsv: () => void this.#saveCsv(), onZoom: (range) => this.#zoomTo(range) }),
    );
    const elements = this.#charts.map(({ element }) => element);
    this.#more = h(
      "details",
      { class: "more" },
      h("summary", {}, "More figures"),
      h("div", { class: "charts" }, ...elements.slice(SHOWN_AT_ONCE)),
    );
    this.element = h(
      "section",
      { class: "panel", "aria-labelledby": "training-title" },
      h("div", { class: "panel-head" }, h("h2", { id: "training-title" }, "Training"), h("span", { class: "muted" }, "over iterations")),
      this.#tiles,
      this.#toolbar(),
      h("div", { class: "charts" }, ...elements.slice(0, SHOWN_AT_ONCE)),
      this.#more,
    );
    this.#more.addEventListener("toggle", () => this.#refresh());
  }

  #toolbar(): HTMLElement {
    for (const control of [this.#log, this.#overlay]) control.addEventListener("change", () => this.#refresh());
    this.#smoothing.addEventListener("input", () => {
      this.#smoothingText.value = this.#smoothing.value === "0" ? "off" : (Number(this.#smoothing.value) / 100).toFixed(2);
      this.#refresh();
    });
    this.#smoothingText.value = "off";
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

  /** @param runs the run, then those to compare it with */
  show(runs: readonly RunSummary[]): void {
    this.#runs = runs;
    this.#showOverlays();
    this.#showTiles();
    if (this.#timer === undefined) {
      this.#refresh();
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#refresh();
      }, LOOK_EVERY_MS);
    }
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
    fill(
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

  /** Asks for what the charts on show can show, and no more. */
  async #refresh(): Promise<void> {
    const turn = ++this.#asked;
    const shown = this.#charts.filter((_, i) => i < SHOWN_AT_ONCE || this.#more.open);
    const overlay = this.#runs.find(({ index }) => String(index) === this.#overlay.value && index !== 0);
    const runs = [this.#runs[0], overlay].filter((run) => run !== undefined);
    const smoothing = Number(this.#smoothing.value) / 100;
    const points = Math.max(LEAST_POINTS, ...shown.map(({ width }) => Math.round(width)));
    const fields = shown.map(({ spec }) => spec.field);
    const [from, to] = this.#zoom ?? [];
    const query = { fields, from, to, points, smoothing };
    const metrics = await Promise.all(runs.map(({ index }) => fetchMetrics(index, query))).catch(() => undefined);
    if (turn !== this.#asked || metrics === undefined) return;
    const lines = runs.map(({ name }, i) => ({ name, metrics: metrics[i] as SampledMetrics }));
    const loss = this.#log.checked;
    for (const chart of shown) {
      chart.show(lines, { isLog: loss && (chart.spec.field === "loss" || chart.spec.field === "gradNorm"), isSmoothed: smoothing > 0 });
    }
    this.element.dataset.lines = String(this.#runs[0]?.lines ?? 0);
  }

  /** All lines of the run, not only the points on show. */
  async #saveCsv(): Promise<void> {
    const response = await fetch(metricsCsvAddress(0));
    download("metrics.csv", await response.blob());
  }
}
