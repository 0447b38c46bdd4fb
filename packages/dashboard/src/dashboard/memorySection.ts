// The lower half: what the memory did in one sequence, at an iteration of the reader's choice or always the newest.
import type { RunSummary } from "../data/api.js";
import type { MemoryWeights } from "../data/memoryUse.js";
import { thousands } from "../data/numbers.js";
import { fill, h, refill } from "../view/dom.js";
import { MemoryView } from "../view/memoryView.js";
import { fetchTrace } from "./client.js";

const NEWEST = "newest";

interface Listeners {
  onWeights(weights: MemoryWeights): void;
  /** The reader is about to choose an iteration; only the newest are kept. */
  onChoosing(): void;
}

export class MemorySection {
  readonly element: HTMLElement;
  readonly #view: MemoryView;
  readonly #newest = h("option", { value: NEWEST }, "newest");
  readonly #choice = h("select", { "aria-label": "Iteration" }, this.#newest);
  readonly #label = h("label", { hidden: true }, "after iteration", this.#choice);
  readonly #empty = h(
    "p",
    { class: "muted empty" },
    "No sequence has been recorded yet. One is recorded with every summary of the training.",
  );
  #memories: readonly number[] = [];
  #shown: number | undefined;
  #asked = 0;

  constructor({ onWeights, onChoosing }: Listeners) {
    this.#view = new MemoryView(onWeights);
    this.#choice.addEventListener("change", () => void this.#loadChosen().then((draw) => draw()));
    for (const event of ["pointerenter", "focus"]) this.#choice.addEventListener(event, onChoosing);
    this.element = h(
      "section",
      { class: "panel", "aria-labelledby": "memory-title" },
      h("div", { class: "panel-head" }, h("h2", { id: "memory-title" }, "One sequence, step by step"), this.#label),
      this.#empty,
      this.#view.element,
    );
    this.#view.element.hidden = true;
  }

  /** Whether another sequence than the one wanted is on show. */
  get isBehind(): boolean {
    return this.#wanted !== this.#shown;
  }

  /**
   * Asks for what is new, of a sequence only where there is none yet or somebody sees it.
   * @returns draws it
   */
  async load({ memories }: RunSummary, isInSight: boolean): Promise<() => void> {
    this.#memories = memories;
    const draw = isInSight || this.#shown === undefined ? await this.#loadChosen() : () => undefined;
    return () => {
      this.#showChoices(memories);
      draw();
    };
  }

  get #wanted(): number | undefined {
    const chosen = Number(this.#choice.value);
    return this.#memories.includes(chosen) ? chosen : this.#memories.at(-1);
  }

  /** Of two calls the later one wins. */
  async #loadChosen(): Promise<() => void> {
    const turn = ++this.#asked;
    const wanted = this.#wanted;
    const trace = wanted === undefined || wanted === this.#shown ? undefined : await fetchTrace(0, wanted).catch(this.#fail);
    const draw = trace && (await this.#view.load(trace));
    return () => {
      if (turn !== this.#asked || draw === undefined) return;
      this.#empty.hidden = true;
      this.#view.element.hidden = false;
      draw();
      this.#shown = wanted;
      this.element.dataset.iteration = String(wanted);
    };
  }

  /** The newest first. */
  #showChoices(memories: readonly number[]): void {
    this.#label.hidden = memories.length === 0;
    refill(this.#newest, memories.length === 0 ? "newest" : `newest (${thousands(memories.at(-1) as number)})`);
    const kept = new Map([...this.#choice.options].slice(1).map((option) => [Number(option.value), option]));
    const options = memories.map((iteration) => kept.get(iteration) ?? h("option", { value: iteration }, thousands(iteration))).reverse();
    for (const [iteration, option] of kept) if (!memories.includes(iteration)) option.remove();
    for (const [i, option] of options.entries()) if (!option.isConnected) (options[i - 1] ?? this.#newest).after(option);
  }

  readonly #fail = ({ message }: Error): undefined => {
    fill(this.#empty, message);
    this.#empty.hidden = false;
  };
}
