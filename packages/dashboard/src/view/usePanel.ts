// "Is the memory used?": what evaluate --ablate found, and what the weights of the sequence on show tell.
import type { Ablation, AblationScore } from "../data/api.js";
import { type MemoryUse, type MemoryWeights, memoryUse } from "../data/memoryUse.js";
import { figure, percent } from "../data/numbers.js";
import { fill, h } from "./dom.js";

/** Accuracy that must be lost without reads for the memory to count as needed. */
const NEEDED = 0.05;
/** Reading that differs less from looking everywhere alike is none. */
const CONCENTRATED = 0.2;

export class UsePanel {
  readonly element: HTMLElement;
  readonly #verdict = h("p", { class: "verdict" });
  readonly #measures = h("dl", { class: "measures" });
  readonly #scores = h("div", { class: "scores" });
  #weights: MemoryWeights | undefined;
  #ablation: Ablation | null = null;

  /** @param command what finds out more, where something can */
  constructor(readonly command: () => string | undefined) {
    this.element = h(
      "section",
      { class: "panel use", "aria-labelledby": "use-title" },
      h("h2", { id: "use-title" }, "Is the memory used?"),
      this.#verdict,
      this.#scores,
      this.#measures,
    );
    this.#draw();
  }

  showWeights(weights: MemoryWeights): void {
    this.#weights = weights;
    this.#draw();
  }

  showAblation(ablation: Ablation | null): void {
    this.#ablation = ablation;
    this.#draw();
  }

  #draw(): void {
    const use = this.#weights === undefined ? undefined : memoryUse(this.#weights);
    const needed = this.#ablation === null ? undefined : findNeed(this.#ablation.scores);
    fill(this.#verdict, verdict(use, needed));
    fill(this.#measures, ...(use === undefined ? [] : describeUse(use)));
    this.#drawScores();
  }

  #drawScores(): void {
    const scores = this.#ablation?.scores ?? [];
    const command = this.command();
    if (scores.length > 0) fill(this.#scores, scoreTable(scores));
    else if (command !== undefined)
      fill(this.#scores, h("p", { class: "muted" }, "Whether the answers need it, this tells: ", h("code", {}, command)));
    else fill(this.#scores);
    this.#scores.hidden = scores.length === 0 && command === undefined;
  }
}

interface Need {
  readonly whole: number;
  readonly without: number;
}

function findNeed(scores: readonly AblationScore[]): Need | undefined {
  const asIs = scores.find(({ name }) => name === "as is");
  const without = scores.find(({ name, length }) => name === "reads zeroed" && length === asIs?.length);
  return asIs === undefined || without === undefined ? undefined : { whole: asIs.accuracy, without: without.accuracy };
}

function verdict(use: MemoryUse | undefined, need: Need | undefined): string {
  if (need !== undefined) {
    const change = `accuracy is ${percent(need.whole)} as is and ${percent(need.without)} with its reads zeroed.`;
    return need.whole - need.without > NEEDED ? `Yes: ${change}` : `No, the answers do without it: ${change}`;
  }
  if (use === undefined) return "No sequence has been recorded yet.";
  if (use.written === 0) return "Hardly: no step of this sequence writes to any cell with a weight above 0.1.";
  if (use.spread === 0) return "It is written to, but nothing is read from it.";
  if (use.concentration < CONCENTRATED) return "Not yet: reads are spread over all cells nearly alike.";
  return `It looks used: ${use.written} of ${use.cells} cells are written, and a head reads ${use.spread.toFixed(1)} cells at a time.`;
}

function describeUse(use: MemoryUse): HTMLElement[] {
  const measure = (name: string, value: string, meaning: string) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, h("strong", {}, value), h("span", { class: "muted measure-note" }, meaning)));
  return [
    measure("Cells written", `${use.written} of ${use.cells}`, "with a weight above 0.1 in some step"),
    measure("Written a step", figure(use.writing), "of a weight of 1, on average"),
    measure("Cells read at a time", use.spread === 0 ? "–" : use.spread.toFixed(1), "by one head, judged by entropy"),
    measure("Reading is selective", percent(use.concentration), "0 % is looking everywhere alike"),
    measure(
      "Answers read written cells",
      Number.isNaN(use.fromWritten) ? "–" : percent(use.fromWritten),
      "of what is read while answers count",
    ),
  ];
}

function scoreTable(scores: readonly AblationScore[]): HTMLElement {
  const row = ({ name, length, accuracy }: AblationScore) => {
    const bar = h("span", { class: "bar" });
    bar.style.width = `${100 * accuracy}%`;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", {}, String(length)),
      h("td", { class: "bar-cell" }, bar),
      h("td", {}, percent(accuracy)),
    );
  };
  return h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...["", "length", "", "accuracy"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...scores.map(row)),
  );
}
