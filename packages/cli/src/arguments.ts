// What is done to the arguments before the parser sees them: one spelling for every flag, presets written out.
import { didYouMean } from "engram";
import { type TaskName, taskNames } from "engram/tasks";
import { type FlagName, flagNames, isSwitch } from "./flags.js";
import { nearestFlag } from "./nearestFlag.js";
import { presetArguments, presets } from "./presets.js";
import { normalizeSpelling } from "./spelling.js";
import { UsageError } from "./usage.js";

const PRESET = "--preset";

export function prepareArguments(args: readonly string[]): string[] {
  const words = normalizeSpelling(args, flagNames.filter(isSwitch));
  if (words[0] !== "train") return words;
  checkFlags(words);
  return writeOutPreset(words);
}

/** Whether a word is a flag's name is said here, as the parser knows nothing of the library's names for the same things. */
function checkFlags(words: readonly string[]): void {
  const known: readonly string[] = [...flagNames, "preset", "help"];
  for (let i = 0; i < words.length && words[i] !== "--"; i++) {
    const [, name, value] = /^--(?:no-)?([^=]*)(=.*)?$/s.exec(words[i] as string) ?? [];
    if (name === undefined) continue;
    if (!known.includes(name)) {
      const nearest = nearestFlag(name);
      const hint = nearest === undefined ? "engram train --help lists all flags" : `Did you mean --${nearest}?`;
      throw new UsageError(`unknown option '--${name}'\n(${hint})`);
    }
    if (value === undefined && name !== "help" && !(flagNames.includes(name as FlagName) && isSwitch(name as FlagName))) i++; // its value
  }
}

/** Puts a preset's flags in its place, so that what follows wins. The preset stays, for the record. */
function writeOutPreset(words: readonly string[]): string[] {
  const at = words.findIndex((word) => word === PRESET || word.startsWith(`${PRESET}=`));
  if (at < 0) return [...words];
  const joined = (words[at] as string).length > PRESET.length;
  const name = joined ? (words[at] as string).slice(PRESET.length + 1) : words[at + 1];
  const task = words.find((word): word is TaskName => (taskNames as readonly string[]).includes(word));
  if (task === undefined || name === undefined) return [...words]; // the parser says what is missing
  const rest = at + (joined ? 1 : 2);
  return [...words.slice(0, rest), ...presetArguments(findPreset(task, name)), ...words.slice(rest)];
}

function findPreset(task: TaskName, name: string) {
  const known = presets[task];
  const preset = Object.hasOwn(known, name) ? known[name] : undefined;
  if (preset !== undefined) return preset;
  const names = Object.keys(known);
  throw new UsageError(`no preset '${name}' for ${task}; there is ${names.join(", ")}${didYouMean(name, names)}`);
}
