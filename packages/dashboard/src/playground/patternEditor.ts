// Where one writes the sequence that the model is shown: bits to click on, or text to type.
import { Random, type TaskName } from "engram/tasks";
import { fill, h } from "../view/dom.js";
import { MOST_STEPS, type Pattern, parsePattern, patternText, randomPattern } from "./pattern.js";

const NUDGE: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export class PatternEditor {
  readonly element: HTMLElement;
  /** What became of it goes here. */
  readonly result = h("p", { class: "pattern-result", role: "status" });
  #pattern: Pattern = [];
  #task: TaskName = "copy";
  #inputSize = 2;
  #random = new Random(1, 9);
  readonly #text = h("input", {
    type: "text",
    id: "pattern",
    spellcheck: "false",
    autocomplete: "off",
    "aria-describedby": "pattern-problem",
  });
  readonly #problem = h("span", { id: "pattern-problem", class: "problem", role: "alert" });
  readonly #grid = h("div", { class: "pattern-grid", role: "group", "aria-label": "Bits: a column each step" });
  readonly #label = h("label", { for: "pattern" });

  constructor(readonly onChange: (pattern: Pattern) => void) {
    const button = (text: string, label: string, action: () => void) =>
      h("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
    this.element = h(
      "section",
      { class: "panel pattern", "aria-labelledby": "pattern-title" },
      h("h2", { id: "pattern-title" }, "Your own sequence"),
      h(
        "div",
        { class: "toolbar" },
        this.#label,
        this.#text,
        button("Random", "Another random sequence", () => this.#set(this.#draw(this.#pattern.length))),
        button("−", "One step less", () => this.#set(this.#pattern.slice(0, Math.max(this.#least, this.#pattern.length - 1)))),
        button("+", "One step more", () => this.#set([...this.#pattern, ...this.#draw(1)].slice(0, MOST_STEPS))),
        this.#problem,
      ),
      this.#grid,
      this.result,
    );
    this.#text.addEventListener("input", () => this.#read());
    this.#grid.addEventListener("keydown", (event) => this.#press(event));
  }

  get pattern(): Pattern {
    return this.#pattern;
  }

  /** Another task, or other channels: a pattern of that kind. */
  setTask(task: TaskName, inputSize: number, length: number): void {
    if (task === this.#task && inputSize === this.#inputSize && this.#pattern.length > 0) return;
    this.#task = task;
    this.#inputSize = inputSize;
    fill(this.#label, task === "copy" ? `Bits, ${inputSize - 1} a step` : `Numbers from 0 to ${inputSize - 2}`);
    this.#pattern = this.#draw(Math.min(MOST_STEPS, Math.max(this.#least, length)));
    this.#show();
    this.#text.value = patternText(this.#pattern, task);
    fill(this.#problem);
  }

  get #least(): number {
    return this.#task === "copy" ? 1 : 2;
  }

  #draw(length: number): Pattern {
    return randomPattern(this.#task, this.#inputSize, length, this.#random);
  }

  #set(pattern: Pattern): void {
    this.#pattern = pattern;
    this.#text.value = patternText(pattern, this.#task);
    fill(this.#problem);
    this.#show();
    this.onChange(pattern);
  }

  #read(): void {
    try {
      this.#pattern = parsePattern(this.#text.value, this.#task, this.#inputSize);
    } catch (error) {
      fill(this.#problem, (error as Error).message);
      return;
    }
    fill(this.#problem);
    this.#show();
    this.onChange(this.#pattern);
  }

  #show(): void {
    this.#grid.hidden = this.#task !== "copy";
    if (this.#grid.hidden) {
      fill(this.#grid);
      return;
    }
    const focused = this.#grid.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.at : undefined;
    const columns = this.#pattern.map((bits, t) => h("div", {}, ...bits.map((bit, i) => this.#bit(t, i, bit))));
    fill(this.#grid, ...columns);
    if (focused !== undefined) this.#focus(focused);
  }

  #bit(t: number, i: number, bit: number): HTMLElement {
    const flip = () =>
      this.#set(this.#pattern.map((bits, step) => (step === t ? bits.map((value, k) => (k === i ? 1 - value : value)) : bits)));
    return h("button", {
      type: "button",
      class: "bit",
      "aria-pressed": bit === 1 ? "true" : "false",
      "aria-label": `step ${t}, bit ${i}`,
      "data-at": `${t} ${i}`,
      tabindex: t === 0 && i === 0 ? 0 : -1,
      onclick: flip,
    });
  }

  #press(event: KeyboardEvent): void {
    const nudge = NUDGE[event.key];
    const at = (event.target as HTMLElement).dataset.at?.split(" ").map(Number);
    if (nudge === undefined || at === undefined) return;
    event.preventDefault();
    this.#focus(`${(at[0] ?? 0) + nudge[0]} ${(at[1] ?? 0) + nudge[1]}`);
  }

  #focus(at: string): void {
    this.#grid.querySelector<HTMLElement>(`[data-at="${at}"]`)?.focus();
  }
}
