// The playground: put together here; the training itself is in the worker.

import { csvLine } from "../data/csv.js";
import { MetricsTable } from "../data/metricsTable.js";
import { duration, figure, percent, thousands } from "../data/numbers.js";
import { sampleMetrics } from "../data/sampleMetrics.js";
import { LocalTrace } from "../data/trace.js";
import { chooseCells, traceSizes } from "../data/traceLayout.js";
import { csvBlob, download, fill, h, refill } from "../view/dom.js";
import { LineChart } from "../view/lineChart.js";
import { MemoryView } from "../view/memoryView.js";
import { themeSwitch } from "../view/theme.js";
import { UsePanel } from "../view/usePanel.js";
import { Controls } from "./controls.js";
import type { FromWorker, ToWorker } from "./messages.js";
import { PatternEditor } from "./patternEditor.js";
import { type Settings, standardSettings } from "./settings.js";

const mostThreads = globalThis.crossOriginIsolated ? Math.max(1, Math.min(8, navigator.hardwareConcurrency)) : 1;
const MOST_POINTS = 600;

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const send = (message: ToWorker, transfer: Transferable[] = []) => worker.postMessage(message, transfer);

let table = new MetricsTable();
/** What the model was made with, or is being made with. */
let running: Settings = { ...standardSettings("dnc", "copy"), threads: mostThreads };
let isTraining = false;
/** Or is being trained: then what is set otherwise waits for a reset. */
let isTrained = false;
/** Nothing can be done here before the worker's file has come. */
let hasWorker = false;
let zoom: readonly [number, number] | undefined;

const status = h("span", { class: "status", role: "status" });
const tiles = h("dl", { class: "tiles" });
const message = h("p", { class: "message", role: "status", hidden: true });
const controls = new Controls(running, () => settingsChanged());
const use = new UsePanel(() => undefined);
const memory = new MemoryView((weights) => use.showWeights(weights));
const pattern = new PatternEditor((steps) => send({ type: "pattern", pattern: steps }));
const charts = [
  new LineChart({ field: "loss", title: "Loss", saveCsv, onZoom: zoomTo }),
  new LineChart({ field: "accuracy", title: "Accuracy", range: [0, 1], show: percent, saveCsv, onZoom: zoomTo }),
];
const trainButton = h(
  "button",
  { type: "button", class: "primary", onclick: () => (isTraining ? send({ type: "pause" }) : startTraining("train")) },
  "Train",
);
const stepButton = h("button", { type: "button", title: "Train on one batch", onclick: () => startTraining("step") }, "Step");
const resetButton = h("button", { type: "button", title: "A new model with these settings", onclick: () => reset() }, "Reset");
const logScale = h("input", { type: "checkbox" });
const file = h("input", { type: "file", accept: ".safetensors", class: "unseen", tabindex: -1, "aria-label": "Checkpoint file" });
const note = h("p", { class: "muted note" });
const side = h("aside", { class: "panel side" });

function layOut(): void {
  logScale.addEventListener("change", drawCharts);
  file.addEventListener("change", () => void load());
  const saving = h(
    "div",
    { class: "buttons" },
    h("button", { type: "button", onclick: () => send({ type: "save" }) }, "Save checkpoint"),
    h("button", { type: "button", onclick: () => file.click() }, "Load …"),
    file,
  );
  side.append(h("div", { class: "buttons" }, trainButton, stepButton, resetButton), controls.element, saving, note);
  document.body.append(
    h(
      "header",
      { class: "page-head" },
      h("div", { class: "page-title" }, h("span", { class: "brand" }, "engram"), h("h1", {}, "Playground"), status),
      h("p", { class: "about muted" }, "A network learns to use its memory, in this page"),
      h("nav", {}, themeSwitch()),
    ),
    h(
      "main",
      { class: "playground" },
      side,
      h(
        "div",
        { class: "stage" },
        h(
          "section",
          { class: "panel", "aria-labelledby": "training-title" },
          h(
            "div",
            { class: "panel-head" },
            h("h2", { id: "training-title" }, "Training"),
            h("span", { class: "muted" }, "over iterations"),
            h("label", {}, logScale, "Log scale"),
          ),
          tiles,
          message,
          h("div", { class: "charts two" }, ...charts.map(({ element }) => element)),
        ),
        pattern.element,
        h(
          "section",
          { class: "panel", "aria-labelledby": "memory-title" },
          h("h2", { id: "memory-title" }, "What the memory does with it"),
          memory.element,
        ),
        use.element,
      ),
    ),
  );
}

worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
  (replies[data.type] as (data: FromWorker) => void)(data);
});
worker.addEventListener("error", (event) => {
  if (!hasWorker) lock(true);
  say(`The worker failed: ${event.message || "its file could not be loaded"}.`);
});

const replies: { readonly [Type in FromWorker["type"]]: (data: Extract<FromWorker, { type: Type }>) => void } = {
  ready: opened,
  training: () => setTraining(true),
  progress({ iteration, loss, iterationsPerSecond }) {
    drawTiles({ ...table.line(-1), iteration, loss, iterationsPerSecond });
  },
  summary({ line, withoutReads, needsMemory }) {
    table.append(`${JSON.stringify(line)}\n`);
    drawTiles(line);
    drawCharts();
    showNeed(line, withoutReads, needsMemory);
  },
  trace: showTrace,
  stopped,
  saved({ bytes, iteration }) {
    download(`step-${iteration}.safetensors`, new Blob([bytes as Uint8Array<ArrayBuffer>]));
  },
  problem({ message: text }) {
    lock(false);
    say(text);
  },
};

function opened({ isLoaded, settings, parameters, iteration }: Extract<FromWorker, { type: "ready" }>): void {
  hasWorker = true;
  table = new MetricsTable();
  zoom = undefined;
  say(""); // what was said meanwhile was said of the model before
  // Of a new model settings and sequence came from the page, and may have been changed since.
  if (isLoaded) {
    lock(false);
    isTrained = iteration > 0;
    running = settings;
    controls.show(settings);
    pattern.setTask(settings.task, settings.inputSize, settings.maxLength);
    send({ type: "pattern", pattern: pattern.pattern });
  }
  const threads = mostThreads > 1 ? "" : " One thread: this page was opened without the headers that let it use more.";
  fill(note, `${thousands(parameters)} weights.${threads}`);
  use.showAblation(null);
  drawTiles({ iteration });
  drawCharts();
  setTraining(false);
  if (iteration === 0) fill(status, "ready");
  markReset();
}

function startTraining(type: "train" | "step"): void {
  say("");
  isTrained = true;
  setTraining(true);
  send({ type });
}

function stopped({ solved, iteration, seconds }: Extract<FromWorker, { type: "stopped" }>): void {
  setTraining(false);
  if (!solved) return;
  fill(status, "solved");
  status.className = "status live";
  const what =
    running.task === "copy"
      ? "Every bit of 1,000 fresh sequences of each length is right"
      : "Every answer of 1,000 fresh sequences is right";
  say(`Solved after ${thousands(iteration)} iterations and ${duration(seconds)}. ${what}. Train goes on.`);
}

function setTraining(isOn: boolean): void {
  isTraining = isOn;
  fill(trainButton, isOn ? "Pause" : "Train");
  stepButton.disabled = isOn;
  status.className = `status ${isOn ? "live" : "still"}`;
  fill(status, isOn ? "training" : "paused");
}

/** Settings take effect with a reset; where nothing was trained yet, at once. */
function settingsChanged(): void {
  if (markReset() && !isTrained) reset();
}

/** @returns whether other settings are chosen than the model's */
function markReset(): boolean {
  const isOther = JSON.stringify(controls.settings) !== JSON.stringify(running);
  resetButton.classList.toggle("wanted", isOther && isTrained);
  resetButton.title = isOther ? "A new model with the settings below" : "A new model with these settings";
  return isOther;
}

function reset(): void {
  running = controls.settings;
  isTrained = false;
  say("");
  pattern.setTask(running.task, running.inputSize, running.maxLength);
  send({ type: "start", settings: running, pattern: pattern.pattern });
}

async function load(): Promise<void> {
  const [chosen] = file.files ?? [];
  file.value = "";
  if (chosen === undefined) return;
  say("");
  lock(true); // until it is open or refused: what is set, typed or started meanwhile would be the file's
  const bytes = await chosen.arrayBuffer().then(
    (buffer) => new Uint8Array(buffer),
    () => undefined,
  );
  if (bytes === undefined) {
    lock(false);
    return say(`${chosen.name} could not be read: was it moved or changed?`);
  }
  send({ type: "load", bytes, name: chosen.name, settings: controls.settings }, [bytes.buffer]);
}

function lock(isLocked: boolean): void {
  for (const element of [side, pattern.element]) element.inert = isLocked;
}

function showTrace({ header, tensors, score }: Extract<FromWorker, { type: "trace" }>): void {
  const byName = new Map(tensors.map(({ name, ...tensor }) => [name, tensor]));
  const weights = ["debug.write_weights", "debug.read_weights"].flatMap((name) => byName.get(name)?.data ?? []);
  const cells = chooseCells(weights, traceSizes(header).cells);
  void memory.load(new LocalTrace({ ...header, cells }, byName)).then((draw) => draw?.());
  fill(pattern.result, describeScore(header.task, byName.get("mask")?.data ?? [], score));
}

/** "All 40 bits come back right." */
function describeScore(
  task: string,
  mask: ArrayLike<number>,
  { accuracy = 0, meanAbsoluteError }: Readonly<Record<string, number>>,
): string {
  if (task !== "copy") return `The answer is ${accuracy === 1 ? "right" : "wrong"}, off by ${figure(meanAbsoluteError ?? Number.NaN)}.`;
  const bits = Array.from(mask).filter((counts) => counts !== 0).length;
  const right = Math.round(accuracy * bits);
  return right === bits ? `All ${bits} bits come back right.` : `${right} of ${bits} bits come back right.`;
}

function showNeed({ accuracy = 0, maxLength = 0 }: Readonly<Record<string, number>>, withoutReads: number, needed: boolean): void {
  use.showAblation({
    needed,
    scores: [
      { name: "as is", length: maxLength, accuracy },
      { name: "reads zeroed", length: maxLength, accuracy: withoutReads },
    ],
  });
}

function drawTiles(line: Readonly<Record<string, number>>): void {
  const of = (name: string, show: (value: number) => string) => (line[name] === undefined ? "–" : show(line[name]));
  const tile = (name: string, value: string) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  refill(
    tiles,
    tile("Iteration", of("iteration", thousands)),
    tile("Loss", of("loss", figure)),
    tile(running.task === "copy" ? "Bits right" : "Answers right", of("accuracy", percent)),
    line.sequenceAccuracy !== undefined && tile("Sequences right", of("sequenceAccuracy", percent)),
    tile("Iterations a second", of("iterationsPerSecond", figure)),
    tile("Time", of("seconds", duration)),
  );
  document.documentElement.dataset.iteration = String(line.iteration ?? 0);
}

function drawCharts(): void {
  const [from, to] = zoom ?? [];
  const metrics = sampleMetrics(table, { fields: ["loss", "accuracy"], points: MOST_POINTS, smoothing: 0, from, to });
  for (const chart of charts)
    chart.show([{ name: running.model, metrics }], { isLog: logScale.checked && chart.spec.field === "loss", isSmoothed: false });
}

function zoomTo(range: readonly [number, number] | undefined): void {
  zoom = range;
  drawCharts();
}

function saveCsv(): void {
  const lines = Array.from({ length: table.length }, (_, i) => table.names.map((name) => table.line(i)?.[name] ?? null));
  download("metrics.csv", csvBlob(csvLine(table.names) + lines.map(csvLine).join("")));
}

function say(text: string): void {
  fill(message, text);
  message.hidden = text === "";
}

layOut();
reset();
