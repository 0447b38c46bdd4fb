// The box with values beside the pointer. One for the whole page.
import { clamp, fill, h } from "./dom.js";

const box = h("div", { class: "tooltip", role: "tooltip", hidden: true });
const GAP = 14;

/** @param lines the first is the title, the second the value */
export function showTooltip(x: number, y: number, lines: readonly string[]): void {
  if (!box.isConnected) document.body.append(box);
  const [title = "", value = "", ...rest] = lines;
  fill(
    box,
    h("span", { class: "tooltip-title" }, title),
    h("strong", { class: "tooltip-value" }, value),
    ...rest.map((line) => h("span", {}, line)),
  );
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const isRoomRight = x + GAP + width < innerWidth;
  box.style.left = `${clamp(isRoomRight ? x + GAP : x - GAP - width, 4, innerWidth - width - 4)}px`;
  box.style.top = `${clamp(y - height - GAP, 4, innerHeight - height - 4)}px`;
}

export function hideTooltip(): void {
  box.hidden = true;
}
