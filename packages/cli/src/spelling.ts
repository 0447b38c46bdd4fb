// The many ways to write a flag: -batch_size 32 (the Python package's), --batch_size 32, --batch-size 32, --batch-size=32.
// All become --batch_size before the parser sees them.

/** Words after a single dash that are no flag: numbers, such as the −1 of `-cuda -1`, and one-letter flags. */
const NOT_A_FLAG = /^-(\d|\.|.?$)/;

/**
 * The arguments with every flag in one spelling, and switches given a value (`--quiet=false`) turned into on or off.
 * @param switches names of flags that stand alone
 */
export function normalizeSpelling(args: readonly string[], switches: readonly string[]): string[] {
  const end = args.indexOf("--");
  const flags = end < 0 ? args : args.slice(0, end);
  return [...flags.map((word) => normalizeWord(word, switches)), ...args.slice(flags.length)];
}

function normalizeWord(word: string, switches: readonly string[]): string {
  if (!word.startsWith("-") || NOT_A_FLAG.test(word)) return word;
  const [, written = "", value] = /^--?([^=]*)(=.*)?$/s.exec(word) ?? [];
  const name = written.replaceAll("-", "_").toLowerCase();
  const off = /^no_(.+)$/.exec(name)?.[1];
  if (off !== undefined && switches.includes(off)) return `--no-${off}`;
  if (switches.includes(name) && value !== undefined) return /^=(false|off|no|0)$/i.test(value) ? `--no-${name}` : `--${name}`;
  return `--${name}${value ?? ""}`;
}
