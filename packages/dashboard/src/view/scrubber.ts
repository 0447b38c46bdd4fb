// The slider that moves through the steps of a sequence, as wide as the maps below it, one thumb a column.
import { clamp, fill, h } from "./dom.js";
import { niceStride } from "./heatmap.js";

const PLAY_MS = 120;
const LEAST_THUMB = 12;
const NUMBER_DISTANCE = 26;

export class Scrubber {
  readonly element: HTMLElement;
  /** Where the words about the step go. */
  readonly words = h("div", { class: "scrub-words" });
  #steps = 1;
  #width = 0;
  #column = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #slider = h("input", { type: "range", min: 0, max: 0, value: 0, step: 1, "aria-label": "Step of the sequence" });
  readonly #asked = h("canvas", { class: "scrub-asked", height: 1, "aria-hidden": "true" });
  readonly #play = h("button", { type: "button", class: "icon", "aria-label": "Play" });
  readonly #numbers = h("div", { class: "scrub-numbers", "aria-hidden": "true" });
  readonly #track = h("div", { class: "scrub-track" }, this.#slider, this.#asked, this.#numbers);

  /** @param onStep called for every step that somebody goes to */
  constructor(readonly onStep: (step: number) => void) {
    this.#slider.addEventListener("input", () => this.onStep(this.step));
    this.#play.addEventListener("click", () => this.#toggle());
    this.#drawPlay();
    this.element = h("div", { class: "scrubber" }, h("div", { class: "scrub-play" }, this.#play), this.#track, this.words);
  }

  get step(): number {
    return Number(this.#slider.value);
  }

  /** @param asked for every step whether its answer counts */
  setSteps(asked: readonly boolean[]): void {
    this.#steps = Math.max(1, asked.length);
    this.#slider.max = String(this.#steps - 1);
    const state = asked.map(Number).join("");
    if (this.#asked.dataset.state === state) return;
    this.#asked.dataset.state = state;
    this.#asked.width = this.#steps;
    const context = this.#asked.getContext("2d") as CanvasRenderingContext2D;
    context.clearRect(0, 0, this.#steps, 1);
    context.fillStyle = "#888";
    for (const [step, isAsked] of asked.entries()) if (isAsked) context.fillRect(step, 0, 1, 1);
  }

  moveTo(step: number): void {
    this.#slider.value = String(clamp(step, 0, this.#steps - 1));
    this.#slider.setAttribute("aria-valuetext", `step ${this.step} of ${this.#steps - 1}`);
  }

  /** As wide as the maps' plots, with the middle of the thumb above the middle of the column. */
  resize(width: number): void {
    const column = width / this.#steps;
    if (width === this.#width && column === this.#column) return;
    [this.#width, this.#column] = [width, column];
    const thumb = Math.max(LEAST_THUMB, column);
    this.#track.style.width = `${width}px`;
    this.#track.style.setProperty("--thumb", `${thumb}px`);
    this.#slider.style.width = `${width + thumb - column}px`;
    this.#slider.style.left = `${(column - thumb) / 2}px`;
    this.#drawNumbers(column);
  }

  #drawNumbers(column: number): void {
    const stride = niceStride(NUMBER_DISTANCE / column);
    const numbers = Array.from({ length: Math.ceil(this.#steps / stride) }, (_, i) => {
      const number = h("span", {}, String(i * stride));
      number.style.left = `${(i * stride + 0.5) * column}px`;
      return number;
    });
    fill(this.#numbers, ...numbers);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#toggle();
  }

  #toggle(): void {
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => {
        this.moveTo((this.step + 1) % this.#steps);
        this.onStep(this.step);
      }, PLAY_MS);
    } else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    this.#drawPlay();
  }

  #drawPlay(): void {
    const isPlaying = this.#timer !== undefined;
    fill(this.#play, isPlaying ? "❚❚" : "▶");
    this.#play.setAttribute("aria-label", isPlaying ? "Pause" : "Play the sequence");
    this.#play.title = isPlaying ? "Pause" : "Play the sequence";
  }
}
