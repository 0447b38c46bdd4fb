// Making elements.

type Child = Node | string | number | null | undefined | false;
type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>;

/** An element: attributes by name, listeners as functions under the event's name with "on" before it. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  fill(element, ...children);
  return element;
}

/** Replaces what is in an element. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...nodesOf(children));
}

/**
 * The same for words and figures, most of which are as they were: equal ones stay, so that they need not be laid out again or be read
 * out twice. Not for elements that hold more than their markup tells, such as canvases.
 */
export function refill(element: Element, ...children: Child[]): void {
  const [before, nodes] = [[...element.childNodes], nodesOf(children)];
  for (const [i, node] of nodes.entries()) {
    const old = before[i];
    if (old === undefined) element.append(node);
    else if (!old.isEqualNode(node)) old.replaceWith(node);
  }
  for (const old of before.slice(nodes.length)) old.remove();
}

function nodesOf(children: readonly Child[]): Node[] {
  return children
    .filter((child): child is Node | string | number => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** Hands a file to the reader. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  downloadFrom(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function downloadFrom(url: string, name: string): void {
  h("a", { href: url, download: name }).click();
}

/** Small buttons that save something in one form or another. */
export function saveButtons(what: string, actions: Readonly<Record<string, () => void>>): HTMLElement {
  const buttons = Object.entries(actions).map(([form, action]) =>
    h(
      "button",
      { class: "quiet", type: "button", "aria-label": `Save ${what} as ${form}`, title: `Save as ${form}`, onclick: action },
      form,
    ),
  );
  return h("span", { class: "save" }, ...buttons);
}

export const csvBlob = (text: string): Blob => new Blob([text], { type: "text/csv" });

export const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));

/** Something said aloud by screen readers, once. */
export function announce(text: string): void {
  liveRegion.textContent = text;
  if (!liveRegion.isConnected) document.body.append(liveRegion);
}

const liveRegion = h("div", { class: "unseen", "aria-live": "polite", role: "status" });

export const nextFrame = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(resolve));
