// Light, dark, or as the system has it. The choice is kept in the browser.
import type { Theme } from "../data/colors.js";
import { h } from "./dom.js";

type Choice = "auto" | Theme;
const KEY = "engram.theme";
const choices: readonly Choice[] = ["auto", "light", "dark"];
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function stored(): Choice {
  try {
    return choices.find((choice) => choice === localStorage.getItem(KEY)) ?? "auto";
  } catch {
    return "auto"; // storage can be forbidden
  }
}

let choice = stored();

export function theme(): Theme {
  return choice === "auto" ? (systemIsDark.matches ? "dark" : "light") : choice;
}

/** @returns stops listening */
export function onThemeChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** A colour of the style sheet, as it is now. */
export function cssColor(name: string): string {
  let color = colors.get(name);
  if (color === undefined) {
    color = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    colors.set(name, color);
  }
  return color;
}

/** Asking for one makes the browser compute styles anew, which is too slow for every frame. */
const colors = new Map<string, string>();

function apply(): void {
  colors.clear();
  document.documentElement.dataset.theme = theme();
  for (const listener of listeners) listener();
}

systemIsDark.addEventListener("change", apply);
apply();

export function themeSwitch(): HTMLElement {
  const select = h("select", { "aria-label": "Colours" }, ...choices.map((name) => h("option", { value: name }, labels[name])));
  select.value = choice;
  select.addEventListener("change", () => {
    choice = select.value as Choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // Then it lasts as long as the page.
    }
    apply();
  });
  return select;
}

const labels: Readonly<Record<Choice, string>> = { auto: "System colours", light: "Light", dark: "Dark" };
