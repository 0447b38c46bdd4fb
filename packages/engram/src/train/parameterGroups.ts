// Which weights share which optimizer settings: parameter groups by name, resolved to ranges of the flat weight arena.
import { ConfigError } from "../errors.js";
import { didYouMean } from "../suggest.js";
import { type OptimizerName, type OptimizerSettings, resolveSettings, show } from "./optimizerOptions.js";

/** Where a parameter lies in the flat arenas of weights and gradients, in floats. */
export interface ParameterRange {
  readonly name: string;
  readonly offset: number;
  readonly count: number;
}

/**
 * Settings for some of the parameters, in place of the optimizer's own. No weight decay on biases:
 * `parameterGroups: [{ parameters: /\.bias/, weightDecay: 0 }]`.
 *
 * A group's `learningRate` keeps its ratio to the optimizer's, whatever a schedule or `trainer.learningRate` makes of that.
 */
export interface ParameterGroup extends Partial<Omit<OptimizerSettings, "initialAccumulatorValue">> {
  /** Full names, a pattern to be found in the name, or a test of the name. Each parameter belongs to one group at most. */
  readonly parameters: readonly string[] | RegExp | ((name: string) => boolean);
}

/** A stretch of the arenas without holes, in floats. */
export interface Range {
  readonly offset: number;
  readonly count: number;
}

export interface ResolvedGroup {
  readonly settings: OptimizerSettings;
  readonly ranges: readonly Range[];
}

function matcher(group: ParameterGroup, where: string): (name: string) => boolean {
  const { parameters } = group;
  if (typeof parameters === "function") return (name) => parameters(name) === true;
  if (parameters instanceof RegExp) return (name) => name.search(parameters) !== -1;
  if (Array.isArray(parameters) && parameters.every((name) => typeof name === "string")) return (name) => parameters.includes(name);
  throw new ConfigError(`${where}.parameters must be an array of names, a RegExp or a function of the name, got ${show(parameters)}`);
}

/** The names a group stands for. */
function members(group: ParameterGroup, names: readonly string[], where: string): readonly string[] {
  const matches = matcher(group, where);
  if (Array.isArray(group.parameters)) {
    const unknown = (group.parameters as readonly string[]).find((name) => !names.includes(name));
    if (unknown !== undefined)
      throw new ConfigError(`${where}.parameters: the model has no parameter '${unknown}'${didYouMean(unknown, names)}`);
  }
  const found = names.filter(matches);
  if (found.length === 0) throw new ConfigError(`${where}.parameters matches none of the model's parameters: ${names.join(", ")}`);
  return found;
}

/** Merges neighbours, so that an update is one pass over as few ranges as can be. */
function mergeRanges(parameters: readonly ParameterRange[]): Range[] {
  const ranges: { offset: number; count: number }[] = [];
  for (const { offset, count } of [...parameters].sort((a, b) => a.offset - b.offset)) {
    const last = ranges[ranges.length - 1];
    if (last !== undefined && last.offset + last.count === offset) last.count += count;
    else ranges.push({ offset, count });
  }
  return ranges;
}

/**
 * One entry for each group given, and one with the optimizer's own settings for what no group names (left out where nothing
 * is left).
 * @throws {ConfigError} for unknown options and names, groups that match nothing, and parameters in two groups
 */
export function resolveGroups(
  name: OptimizerName,
  settings: OptimizerSettings,
  groups: readonly ParameterGroup[],
  parameters: readonly ParameterRange[],
): ResolvedGroup[] {
  if (!Array.isArray(groups)) throw new ConfigError(`parameterGroups must be an array, got ${show(groups)}`);
  const names = parameters.map((parameter) => parameter.name);
  const groupOf = new Map<string, number>();
  const groupSettings = groups.map((group: ParameterGroup, index) => {
    const where = `parameterGroups[${index}]`;
    if (typeof group !== "object" || group === null) throw new ConfigError(`${where} must be an object, got ${show(group)}`);
    for (const member of members(group, names, where)) {
      const other = groupOf.get(member);
      if (other !== undefined) throw new ConfigError(`${where}: parameter '${member}' is in parameterGroups[${other}] already`);
      groupOf.set(member, index);
    }
    const { parameters: _, ...overrides } = group;
    return resolveGroupSettings(name, settings, overrides, where);
  });
  return [...groupSettings, settings]
    .map((own, index) => ({
      settings: own,
      ranges: mergeRanges(parameters.filter((parameter) => (groupOf.get(parameter.name) ?? groups.length) === index)),
    }))
    .filter((group) => group.ranges.length > 0);
}

function resolveGroupSettings(
  name: OptimizerName,
  settings: OptimizerSettings,
  overrides: Readonly<Record<string, unknown>>,
  where: string,
): OptimizerSettings {
  const own = resolveSettings(name, overrides, settings as unknown as Record<string, unknown>, `${where}.`);
  if (overrides.initialAccumulatorValue !== undefined) {
    throw new ConfigError(`${where}.initialAccumulatorValue: give it once for all parameters, beside parameterGroups`);
  }
  if (own.learningRate !== settings.learningRate && settings.learningRate === 0) {
    throw new ConfigError(`${where}.learningRate needs an optimizer's learningRate above 0, as it keeps its ratio to that`);
  }
  return own;
}
