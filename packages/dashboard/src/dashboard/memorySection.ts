// The lower half: what the memory did in one sequence, at an iteration of the reader's choice or always the newest.
import type { RunSummary } from "../data/api.js";
import type { MemoryWeights } from "../data/memoryUse.js";
import { thousands } from "../data/numbers.js";
import { h, refill } from "../view/dom.js";
import { MemoryView } from "../view/memoryView.js";
import { fetchTrace } from "./client.js";

const NEWEST = "newest";
const NONE_YET = "No sequence has been recorded yet. One is recorded with every summary of the training.";

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
  readonly #words = h("p", { class: "muted empty" }, NONE_YET);
  #memories: readonly number[] = [];
  /** Tells a run from one that was begun anew in its folder. */
  #startedAt: string | undefined;
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
      this.#words,
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
  async load({ memories, config }: RunSummary, isInSight: boolean): Promise<() => void> {
    this.#memories = memories;
    if (config.startedAt !== this.#startedAt) this.#shown = undefined;
    this.#startedAt = config.startedAt;
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
    let problem = "";
    const fail = ({ message }: Error): undefined => {
      problem = message;
    };
    const trace = wanted === undefined || wanted === this.#shown ? undefined : await fetchTrace(0, wanted).catch(fail);
    // The view draws what it was asked for last: that must not be what nobody wants any more.
    const draw = turn === this.#asked ? trace && (await this.#view.load(trace)) : undefined;
    return () => {
      if (turn !== this.#asked) return;
      if (draw !== undefined) this.#shown = wanted;
      this.#view.element.hidden = this.#shown === undefined;
      this.#words.hidden = this.#shown !== undefined && problem === "";
      refill(this.#words, problem === "" ? NONE_YET : problem);
      if (draw === undefined) return;
      draw();
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
}
