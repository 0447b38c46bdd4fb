// The lower half: what the memory did in one sequence, at an iteration of the reader's choice or always the newest.
import type { RunSummary } from "../data/api.js";
import type { MemoryWeights } from "../data/memoryUse.js";
import { thousands } from "../data/numbers.js";
import { fill, h } from "../view/dom.js";
import { MemoryView } from "../view/memoryView.js";
import { fetchTrace } from "./client.js";

const NEWEST = "newest";

export class MemorySection {
  readonly element: HTMLElement;
  readonly #view: MemoryView;
  readonly #choice = h("select", { "aria-label": "Iteration" });
  readonly #label = h("label", { hidden: true }, "after iteration", this.#choice);
  readonly #empty = h(
    "p",
    { class: "muted empty" },
    "No sequence has been recorded yet. One is recorded with every summary of the training.",
  );
  #memories: readonly number[] = [];
  #shown: number | undefined;
  #isBusy = false;

  constructor(onWeights: (weights: MemoryWeights) => void) {
    this.#view = new MemoryView(onWeights);
    this.#choice.addEventListener("change", () => void this.#refresh());
    this.element = h(
      "section",
      { class: "panel", "aria-labelledby": "memory-title" },
      h("div", { class: "panel-head" }, h("h2", { id: "memory-title" }, "One sequence, step by step"), this.#label),
      this.#empty,
      this.#view.element,
    );
    this.#view.element.hidden = true;
  }

  show({ memories }: RunSummary): void {
    const [chosen, before] = [this.#choice.value, this.#memories];
    this.#memories = memories;
    this.#label.hidden = memories.length === 0;
    if (memories.join() !== before.join()) {
      const newest = memories.at(-1);
      const options = [...memories].reverse().map((iteration) => h("option", { value: iteration }, thousands(iteration)));
      fill(this.#choice, h("option", { value: NEWEST }, newest === undefined ? "newest" : `newest (${thousands(newest)})`), ...options);
      this.#choice.value = memories.some((iteration) => String(iteration) === chosen) ? chosen : NEWEST;
    }
    void this.#refresh();
  }

  /** One at a time: while a trace comes, a newer one may be written. */
  async #refresh(): Promise<void> {
    const wanted = this.#choice.value === NEWEST || this.#choice.value === "" ? this.#memories.at(-1) : Number(this.#choice.value);
    if (this.#isBusy || wanted === undefined || wanted === this.#shown) return;
    this.#isBusy = true;
    const trace = await fetchTrace(0, wanted).catch((error: Error) => this.#fail(error));
    if (trace !== undefined && (await this.#view.show(trace))) {
      this.#shown = wanted;
      this.#empty.hidden = true;
      this.#view.element.hidden = false;
      this.element.dataset.iteration = String(wanted);
    }
    this.#isBusy = false;
    if (trace !== undefined) void this.#refresh(); // perhaps another was chosen meanwhile
  }

  #fail({ message }: Error): undefined {
    fill(this.#empty, message);
    this.#empty.hidden = false;
  }
}
