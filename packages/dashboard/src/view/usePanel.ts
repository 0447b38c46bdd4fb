// "Is the memory used?": what evaluate --ablate found, and what the weights of the sequence on show tell.
import type { Ablation, AblationScore } from "../data/api.js";
import { type MemoryUse, type MemoryWeights, memoryUse } from "../data/memoryUse.js";
import { figure, percent, thousands } from "../data/numbers.js";
import { h, refill } from "./dom.js";

/** Reading that differs less from looking everywhere alike is none. */
const CONCENTRATED = 0.2;

export class UsePanel {
  readonly element: HTMLElement;
  readonly #verdict = h("p", { class: "verdict" });
  readonly #measures = h("dl", { class: "measures" });
  readonly #scores = h("div", { class: "scores" });
  #use: MemoryUse | undefined;
  #ablation: Ablation | null = null;

  /** @param command what finds out more, where something can */
  constructor(readonly command: () => string | undefined) {
    this.element = h(
      "section",
      { class: "panel use", "aria-labelledby": "use-title" },
      h("h2", { id: "use-title" }, "Is the memory used?"),
      this.#verdict,
      h("div", { class: "use-columns" }, this.#scores, this.#measures),
    );
    this.#draw();
  }

  showWeights(weights: MemoryWeights): void {
    this.#use = memoryUse(weights);
    this.#draw();
  }

  showAblation(ablation: Ablation | null): void {
    this.#ablation = ablation;
    this.#draw();
  }

  #draw(): void {
    const use = this.#use;
    const { scores = [], needed } = this.#ablation ?? {};
    refill(this.#verdict, ...verdict(use, findNeed(scores, needed)));
    refill(this.#measures, ...(use === undefined ? [] : describeUse(use)));
    const command = this.command();
    const hint = command !== undefined && h("p", { class: "muted hint-line" }, this.#hint(), h("code", {}, command));
    refill(this.#scores, scores.length > 0 && scoreTable(scores), hint);
    this.#scores.hidden = scores.length === 0 && command === undefined;
  }

  /** What the command is good for. */
  #hint(): string {
    if (this.#ablation === null) return "Whether the answers need it, this tells: ";
    const { iteration } = this.#ablation;
    return iteration === undefined ? "Measured by " : `Measured after iteration ${thousands(iteration)} by `;
  }
}

interface Need {
  readonly whole: number;
  readonly without: number;
  readonly needed: boolean | undefined;
}

/** At the lengths that stand first: those it was trained on. */
function findNeed(scores: readonly AblationScore[], needed: boolean | undefined): Need | undefined {
  const asIs = scores.find(({ name }) => name === "as is");
  const without = scores.find(({ name, length }) => name === "reads zeroed" && length === asIs?.length);
  return asIs === undefined || without === undefined ? undefined : { whole: asIs.accuracy, without: without.accuracy, needed };
}

type Words = readonly (HTMLElement | string)[];

function verdict(use: MemoryUse | undefined, need: Need | undefined): Words {
  const answer = (word: string, rest: string) => [h("strong", {}, word), rest];
  if (need !== undefined) {
    const change = `accuracy is ${percent(need.whole)} as is and ${percent(need.without)} with its reads zeroed.`;
    if (need.needed === undefined) return [`${change[0]?.toUpperCase()}${change.slice(1)}`];
    return need.needed ? answer("Yes", `: ${change}`) : answer("No", `, the answers do without it: ${change}`);
  }
  if (use === undefined) return ["No sequence has been recorded yet."];
  if (use.written === 0) return answer("Hardly", ": no step of this sequence writes to any cell with a weight above 0.1.");
  if (use.spread === 0) return ["It is written to, but nothing is read from it."];
  if (use.concentration < CONCENTRATED) return answer("Not yet", ": reads are spread over all cells nearly alike.");
  const cells = `${thousands(use.written)} of ${thousands(use.cells)} cells are written`;
  return answer("It looks used", `: ${cells}, and a head reads ${use.spread.toFixed(1)} cells at a time.`);
}

function describeUse(use: MemoryUse): HTMLElement[] {
  const measure = (name: string, value: string, meaning: string) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, h("strong", {}, value), h("span", { class: "muted measure-note" }, meaning)));
  return [
    measure("Cells written", `${thousands(use.written)} of ${thousands(use.cells)}`, "with a weight above 0.1 in some step"),
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

/** A row each length, a column each way. */
function scoreTable(scores: readonly AblationScore[]): HTMLElement {
  const ways = [...new Set(scores.map(({ name }) => name))];
  const lengths = [...new Map(scores.map((score) => [score.length, lengthOf(score)]))];
  const cell = (length: number, way: string) => {
    const accuracy = scores.find((score) => score.length === length && score.name === way)?.accuracy;
    if (accuracy === undefined) return h("td", {}, "–");
    const bar = h("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", String(accuracy));
    return h("td", {}, h("span", {}, percent(accuracy)), bar);
  };
  return h(
    "table",
    {},
    h("caption", { class: "unseen" }, "Accuracy by length of the sequences, with the memory whole and in part"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "length"), ...ways.map((way) => h("th", { scope: "col" }, way)))),
    h(
      "tbody",
      {},
      ...lengths.map(([length, name]) => h("tr", {}, h("th", { scope: "row" }, name), ...ways.map((way) => cell(length, way)))),
    ),
  );
}

/** "1 to 8" */
function lengthOf({ shortest, length }: AblationScore): string {
  return shortest === undefined || shortest === length ? thousands(length) : `${thousands(shortest)} to ${thousands(length)}`;
}
