// The dashboard of a run: put together here, filled by what the server tells.
import type { RunSummary } from "../data/api.js";
import { figure, thousands } from "../data/numbers.js";
import { fill, h } from "../view/dom.js";
import { themeSwitch } from "../view/theme.js";
import { UsePanel } from "../view/usePanel.js";
import { followRuns } from "./client.js";
import { MemorySection } from "./memorySection.js";
import { TrainingSection } from "./trainingSection.js";

const runs: RunSummary[] = [];
const title = h("h1", {}, "…");
const about = h("p", { class: "about muted" });
const status = h("span", { class: "status", role: "status" });
const training = new TrainingSection();
const use = new UsePanel(() => (runs[0] === undefined ? undefined : `engram evaluate ${runs[0].path} --ablate`));
const memory = new MemorySection((weights) => use.showWeights(weights));

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

followRuns({
  onRun(summary) {
    runs[summary.index] = summary;
    const known = runs.filter((run) => run !== undefined);
    if (runs[0] === undefined) return;
    training.show(known);
    if (summary.index !== 0) return;
    document.title = `${summary.name} · engram`;
    fill(title, summary.name);
    fill(about, describe(summary));
    showStatus(summary.live ? "live" : "still", summary.live ? "training" : "not training now");
    use.showAblation(summary.ablation);
    memory.show(summary);
  },
  onConnection(isConnected) {
    if (!isConnected) showStatus("lost", "connection lost, trying again");
    else if (runs[0] !== undefined) showStatus(runs[0].live ? "live" : "still", runs[0].live ? "training" : "not training now");
  },
});

function showStatus(kind: "live" | "still" | "lost", text: string): void {
  status.className = `status ${kind}`;
  fill(status, text);
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
