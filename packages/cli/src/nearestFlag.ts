// Which flag somebody meant who typed another: a misspelling, the first letters, or the library's and PyTorch's name for it.
import { didYouMean } from "engram";
import { type FlagName, flagNames } from "./flags.js";
import { modelOptionOf } from "./settings.js";

/** Names in other places, spelled without _ and in lower case, of what a flag sets. */
const otherNames = new Map<string, FlagName>([
  ...(Object.entries(modelOptionOf) as [FlagName, string][])
    .filter(([flag]) => flag !== "controller_clip")
    .map(([flag, option]): [string, FlagName] => [plain(option), flag]),
  ["learningrate", "lr"],
  ["clipgradnorm", "clip"],
  ["gpuid", "cuda"],
  ["gpu", "cuda"],
  ["model", "memory_type"],
  ["epochs", "iterations"],
  ["steps", "iterations"],
  ["maxlength", "sequence_max_length"],
  ["output", "out"],
]);

export function nearestFlag(name: string): string | undefined {
  const word = plain(name);
  const other = otherNames.get(word);
  if (other !== undefined) return other;
  const begun = flagNames.filter((flag) => word.length > 1 && (plain(flag).startsWith(word) || word.startsWith(plain(flag))));
  // The longest that the word begins with, or else the first that begins with the word.
  const [first] = begun.sort((a, b) => Math.min(b.length, word.length) - Math.min(a.length, word.length));
  return first ?? /'(.*)'/.exec(didYouMean(name, [...flagNames, "preset"]))?.[1];
}

function plain(name: string): string {
  return name.replaceAll(/[_-]/g, "").toLowerCase();
}
