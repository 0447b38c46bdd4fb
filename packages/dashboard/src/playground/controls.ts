// The form with model, task and sizes.
import type { ModelType } from "engram";
import type { TaskName } from "engram/tasks";
import { h } from "../view/dom.js";
import { limits, type Settings, standardSettings } from "./settings.js";

type NumberName = keyof typeof limits;

interface Field {
  readonly name: NumberName;
  readonly label: string;
  readonly hint?: string;
  readonly step?: string;
}

const groups: readonly { readonly title: string; readonly fields: readonly Field[] }[] = [
  {
    title: "Memory",
    fields: [
      { name: "nrCells", label: "Cells" },
      { name: "cellSize", label: "Values a cell" },
      { name: "readHeads", label: "Read heads" },
      { name: "sparseReads", label: "Cells a head reads" },
    ],
  },
  {
    title: "Network and sequences",
    fields: [
      { name: "hiddenSize", label: "Hidden units" },
      { name: "inputSize", label: "Channels", hint: "the last one is the end marker" },
      { name: "maxLength", label: "Longest sequence" },
    ],
  },
  {
    title: "Training",
    fields: [
      { name: "batchSize", label: "Batch" },
      { name: "learningRate", label: "Learning rate", step: "any" },
      { name: "seed", label: "Seed" },
      { name: "threads", label: "Threads" },
    ],
  },
];

// The names stand here, not taken from the library: the page itself does without it, only its worker loads it.
const modelNames: Readonly<Record<ModelType, string>> = { dnc: "DNC", sam: "SAM", sdnc: "SDNC" };
const taskTitles: Readonly<Record<TaskName, string>> = { copy: "Copy", adding: "Adding", argmax: "Argmax" };

export class Controls {
  readonly element: HTMLFormElement;
  readonly #model = h("select", { name: "model" }, ...options(modelNames));
  readonly #task = h("select", { name: "task" }, ...options(taskTitles));
  readonly #numbers = new Map<NumberName, HTMLInputElement>();

  /** @param onChange called when anything is set otherwise */
  constructor(
    settings: Settings,
    readonly onChange: () => void,
  ) {
    this.element = h(
      "form",
      // Browsers would put back what was set when the page was left, and tell nobody.
      { class: "controls", "aria-label": "Model and task", autocomplete: "off" },
      labelled("Model", this.#model),
      labelled("Task", this.#task),
      ...groups.map(({ title, fields }) => h("fieldset", {}, h("legend", {}, title), ...fields.map((field) => this.#numberField(field)))),
    );
    this.element.addEventListener("submit", (event) => event.preventDefault());
    for (const choice of [this.#model, this.#task]) {
      choice.addEventListener("change", () => {
        const { threads, seed } = this.settings;
        this.show({ ...standardSettings(this.#model.value as ModelType, this.#task.value as TaskName), threads, seed });
        this.onChange();
      });
    }
    this.show(settings);
  }

  /** What is set; a number out of its range counts as the nearest that is in it. */
  get settings(): Settings {
    const standard = standardSettings(this.#model.value as ModelType, this.#task.value as TaskName);
    const numbers = [...this.#numbers].map(([name, input]): [string, number] => [name, numberIn(input, limits[name], standard[name])]);
    return { ...standard, ...Object.fromEntries(numbers) };
  }

  show(settings: Settings): void {
    this.#model.value = settings.model;
    this.#task.value = settings.task;
    for (const [name, input] of this.#numbers) input.value = String(settings[name]);
    const sparse = this.#numbers.get("sparseReads")?.closest("label");
    sparse?.toggleAttribute("hidden", settings.model === "dnc");
  }

  #numberField({ name, label, hint, step = "1" }: Field): HTMLElement {
    const [min, max] = limits[name];
    const input = h("input", {
      type: "number",
      name,
      min,
      max,
      step,
      inputmode: step === "1" ? "numeric" : "decimal",
      required: true,
      title: hint,
    });
    input.addEventListener("change", () => {
      input.value = String(this.settings[name]);
      this.onChange();
    });
    this.#numbers.set(name, input);
    return labelled(label, input);
  }
}

function options(titles: Readonly<Record<string, string>>): HTMLElement[] {
  return Object.entries(titles).map(([value, title]) => h("option", { value }, title));
}

function labelled(text: string, control: HTMLElement): HTMLElement {
  return h("label", {}, h("span", {}, text), control);
}

function numberIn(input: HTMLInputElement, [least, most]: readonly [number, number], standard: number): number {
  const value = input.step === "any" ? input.valueAsNumber : Math.round(input.valueAsNumber);
  return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : standard;
}
