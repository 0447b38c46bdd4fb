// What is done to the arguments before the parser sees them: one spelling for every flag, presets written out.
import { didYouMean } from "engram";
import { type TaskName, taskNames } from "engram/tasks";
import { flagNames, isSwitch } from "./flags.js";
import { presetArguments, presets } from "./presets.js";
import { normalizeSpelling } from "./spelling.js";
import { UsageError } from "./usage.js";

const PRESET = "--preset";

export function prepareArguments(args: readonly string[]): string[] {
  const words = normalizeSpelling(args, flagNames.filter(isSwitch));
  return words[0] === "train" ? writeOutPreset(words) : words;
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
