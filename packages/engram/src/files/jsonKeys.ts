// JSON.parse silently takes the last of equal keys; a file whose header says two things about a tensor must be refused.

/**
 * The first key that stands twice in one object of a JSON text, or undefined.
 * @param text JSON that JSON.parse accepts
 */
export function repeatedKey(text: string): string | undefined {
  const open: (Set<string> | null)[] = []; // the keys of each object we are in; null for a list
  let string: string | undefined; // the latest string, which is a key if a colon follows
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') {
      const end = endOfString(text, at);
      string = text.slice(at, end);
      at = end - 1;
    } else if (char === ":" && string !== undefined) {
      const key = JSON.parse(string) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    } else if (char === "{") open.push(new Set());
    else if (char === "[") open.push(null);
    else if (char === "}" || char === "]") open.pop();
  }
  return undefined;
}

/** The position after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}
