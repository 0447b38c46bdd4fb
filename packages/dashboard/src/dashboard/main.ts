// The dashboard of a run: put together here, filled by what the server tells.
import type { RunSummary } from "../data/api.js";
import { figure, thousands } from "../data/numbers.js";
import { h, nextFrame, refill } from "../view/dom.js";
import { isInSight, spareUnseen, watchSight } from "../view/sight.js";
import { themeSwitch } from "../view/theme.js";
import { UsePanel } from "../view/usePanel.js";
import { fetchSummary, listenForChanges } from "./client.js";
import { Follower } from "./follower.js";
import { MemorySection } from "./memorySection.js";
import { TrainingSection } from "./trainingSection.js";

const runs: RunSummary[] = [];
/** Nothing can be asked for later on, when it comes into sight. */
let isEnding = false;
let isShown = false;
/** Vain ones to reach the server again. */
let attempts = 0;
const MOST_ATTEMPTS = 4;
const title = h("h1", {}, "…");
const about = h("p", { class: "about muted" });
const status = h("span", { class: "status", role: "status" });
const follower = new Follower(update);
const training = new TrainingSection();
const use = new UsePanel(() => (runs[0] === undefined ? undefined : `engram evaluate ${runs[0].path} --ablate`));
const memory = new MemorySection({ onWeights: (weights) => use.showWeights(weights), onChoosing: () => follower.hurry() });
/** What shows something of the newest sequence. */
const ofMemory = [use.element, memory.element];

document.body.append(
  h(
    "header",
    { class: "page-head" },
    h("div", { class: "page-title" }, h("span", { class: "brand" }, "engram"), title, status),
    about,
    h("nav", {}, h("a", { href: "playground.html" }, "Playground"), themeSwitch()),
  ),
  h("main", {}, training.element, use.element, memory.element),
);
for (const element of ofMemory) watchSight(element, () => memory.isBehind && follower.change(0, true));

listenForChanges({
  onChange: ({ index, live }) => follower.change(index, !live),
  onConnection(isConnected) {
    attempts = isConnected ? 0 : attempts + 1;
    if (!isConnected)
      showStatus("lost", attempts < MOST_ATTEMPTS || runs[0] === undefined ? "connection lost, trying again" : gone(runs[0]));
    else if (runs[0] !== undefined) showLive(runs[0]);
    // The connection was lost, or the page out of sight: what was missed is shown at once.
    if (isConnected) for (const { index } of known()) follower.change(index, true);
  },
  onEnd() {
    isEnding = true;
    for (const index of new Set([0, ...known().map((run) => run.index)])) follower.change(index, true);
  },
});

function known(): RunSummary[] {
  return runs.filter((run) => run !== undefined);
}

/** Everything is asked for first, and drawn in one frame. */
async function update(changed: readonly number[]): Promise<void> {
  const summaries = await Promise.all(changed.map((index) => fetchSummary(index).catch(() => undefined)));
  for (const summary of summaries) if (summary !== undefined) runs[summary.index] = summary;
  const [run] = runs;
  if (run === undefined) return;
  const draws = await Promise.all([training.load(known(), isEnding), memory.load(run, isEnding || ofMemory.some(isInSight))]);
  const isCut = isEnding && summaries.includes(undefined);
  await nextFrame();
  spareUnseen(run.live && isShown); // once all is there
  isShown = true;
  showHead(run);
  if (isCut) showStatus("lost", gone(run)); // it went before it could be asked how the training ended
  use.showAblation(run.ablation);
  for (const draw of draws) draw();
  await new Promise((seen) => setTimeout(seen)); // the browser's part of it has its time, too
}

/** A training takes its server with it; a page out of sight is not told. */
function gone({ path }: RunSummary): string {
  return `its server has ended: engram dashboard ${path}`;
}

function showHead(run: RunSummary): void {
  if (document.title !== `${run.name} · engram`) document.title = `${run.name} · engram`;
  refill(title, run.name);
  refill(about, describe(run));
  showLive(run);
}

function showLive({ live }: RunSummary): void {
  showStatus(live ? "live" : "still", live ? "training" : "not training now");
}

function showStatus(kind: "live" | "still" | "lost", text: string): void {
  status.className = `status ${kind}`;
  refill(status, text);
}

/** "copy · DNC, 16 cells of 20, 4 heads · LSTM of 64 · adam, 0.001" */
function describe({ config, problem }: RunSummary): string {
  if (problem !== null) return problem;
  const { task, model, training } = config;
  const of = (name: string) => model?.options?.[name];
  const layers = Number(of("numLayers") ?? 1);
  return [
    task?.name,
    `${model?.type?.toUpperCase()} of ${thousands(Number(of("nrCells")))} cells × ${of("cellSize")}, ${of("readHeads")} ${of("readHeads") === 1 ? "head" : "heads"}`,
    `${layers > 1 ? `${layers} layers, ` : ""}${String(of("rnnType") ?? "").toUpperCase()} ${of("hiddenSize")}`,
    training?.optim === undefined ? undefined : `${training.optim}, ${figure(Number(training.lr))}`,
    training?.batch_size === undefined ? undefined : `batches of ${training.batch_size}`,
  ]
    .filter((part) => part !== undefined)
    .join(" · ");
}
