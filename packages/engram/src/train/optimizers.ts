// Optimizers over the flat arenas of weights and gradients: PyTorch's update rules, one pass a parameter group. What an optimizer
// keeps for every weight (moments) lies in buffers of the caller's, laid out as the weights are.
import type { Engine } from "../engine/engine.js";
import { CheckpointError } from "../errors.js";
import { checkOptimizerName, type OptimizerName, type OptimizerSettings, optimizerDefaults, resolveSettings } from "./optimizerOptions.js";
import { type ParameterGroup, type ParameterRange, resolveGroups } from "./parameterGroups.js";
import { createUpdateRule, type MomentName, type UpdateCall, type UpdateRule } from "./updateRules.js";

export { type OptimizerName, type OptimizerSettings, optimizerNames, optimizerOptionNames } from "./optimizerOptions.js";
export type { ParameterGroup, ParameterRange } from "./parameterGroups.js";
export type { MomentName } from "./updateRules.js";

/** An optimizer's options, each with PyTorch's default; an option the named optimizer does not have is a ConfigError. */
export interface OptimizerOptions extends Partial<OptimizerSettings> {
  readonly parameterGroups?: readonly ParameterGroup[];
}

/** A value kept for every weight: PyTorch's name of it, and what it is before the first update. */
export interface Moment {
  readonly name: MomentName;
  readonly initial: number;
}

/** Addresses of flat f32 buffers, all laid out as the weights: `moments` in the order of `Optimizer.moments`. */
export interface OptimizerBuffers {
  readonly weights: number;
  readonly gradients: number;
  readonly moments: readonly number[];
}

/** What besides the moments a resumed optimizer needs, as plain JSON. */
export interface OptimizerState {
  readonly name: OptimizerName;
  /** Updates made. */
  readonly step: number;
  /** Running products βᵗ of each parameter group. */
  readonly products: readonly (readonly number[])[];
}

interface Group {
  readonly settings: OptimizerSettings;
  readonly rule: UpdateRule;
  readonly ranges: readonly { readonly offset: number; readonly count: number }[];
}

export class Optimizer {
  /** Resolved, without the groups' own. */
  readonly settings: OptimizerSettings;
  /** The buffers to be kept beside the weights. */
  readonly moments: readonly Moment[];
  private readonly groups: readonly Group[];
  private updates = 0;

  constructor(
    readonly name: OptimizerName,
    options: OptimizerOptions,
    parameters: readonly ParameterRange[],
  ) {
    const { parameterGroups = [], ...given } = options;
    this.settings = Object.freeze(resolveSettings(name, given, optimizerDefaults[name], ""));
    const resolved = resolveGroups(name, this.settings, parameterGroups, parameters);
    const rules = resolved.map((group) => createUpdateRule(name, group.settings));
    const names = [...new Set(rules.flatMap((rule) => rule.moments.filter((moment) => moment !== undefined)))];
    this.moments = names.map((moment) => ({ name: moment, initial: moment === "sum" ? this.settings.initialAccumulatorValue : 0 }));
    this.groups = resolved.map((group, i) => ({ ...group, rule: rules[i] as UpdateRule }));
  }

  /** Updates made so far. */
  get step(): number {
    return this.updates;
  }

  /** Sets the moments, `count` floats each, to what they are before the first update. */
  initialize(engine: Engine, moments: readonly number[], count: number): void {
    for (const [i, { initial }] of this.moments.entries()) engine.f32(moments[i] as number, count).fill(initial);
  }

  /**
   * Begins one update of all parameters, which `calls` then makes, at a learning rate that takes the place of the one the optimizer
   * was made with; a group's own changes with it in proportion.
   */
  begin(learningRate: number): void {
    this.updates++;
    const ratio = learningRate / this.settings.learningRate;
    for (const { rule, settings } of this.groups) {
      const isOwn = settings.learningRate !== this.settings.learningRate;
      rule.begin(this.updates, isOwn ? ratio * settings.learningRate : learningRate);
    }
  }

  /**
   * What makes an update, each parameter in just one of them. Their scalars are those of the update that began last, at any time. The
   * bits do not depend on how parameters lie in the arenas, or where an update is cut.
   */
  calls(buffers: OptimizerBuffers): UpdateCall[] {
    return this.groups.flatMap(({ rule, ranges }) => {
      const { kernel, scalars } = rule;
      const moments = rule.moments.map((name) => (name === undefined ? 0 : this.momentAt(buffers, name)));
      const arenas = [buffers.weights, buffers.gradients, ...moments];
      return ranges.map(({ offset, count }) => ({ kernel, arenas, first: offset, count, scalars }));
    });
  }

  private momentAt(buffers: OptimizerBuffers, name: MomentName): number {
    return buffers.moments[this.moments.findIndex((moment) => moment.name === name)] as number;
  }

  /** A copy of what changes with updates, the moments apart. */
  state(): OptimizerState {
    return { name: this.name, step: this.updates, products: this.groups.map((group) => [...group.rule.products]) };
  }

  /** Goes on from a state; the caller restores the moments. @throws {CheckpointError} when it is another optimizer's, nothing changed */
  restore(state: OptimizerState): void {
    this.checkState(state);
    this.updates = state.step;
    for (const [i, { rule }] of this.groups.entries()) {
      for (let j = 0; j < rule.products.length; j++) rule.products[j] = state.products[i]?.[j] as number;
    }
  }

  private checkState(state: OptimizerState): void {
    if (state?.name !== this.name) {
      throw new CheckpointError(`the optimizer's state is that of '${state?.name}', this trainer uses '${this.name}'`);
    }
    if (!Number.isSafeInteger(state.step) || state.step < 0) {
      throw new CheckpointError(`the optimizer's state: step must be a whole number of 0 or more, got ${state.step}`);
    }
    const sizes = this.groups.map((group) => group.rule.products.length);
    const fits =
      Array.isArray(state.products) &&
      state.products.length === sizes.length &&
      state.products.every((own, i) => Array.isArray(own) && own.length === sizes[i] && own.every((x) => x >= 0 && x <= 1));
    if (!fits) {
      throw new CheckpointError(
        `the optimizer's state: products must be ${sizes.length} lists (one a parameter group) of ${sizes.join(", ")} numbers from 0 to 1; ` +
          "resume with the parameter groups it was saved with",
      );
    }
  }
}

/**
 * An optimizer by name, checked against the parameters it is to update.
 * @param parameters where each lies in the arenas, which hold them without padding
 * @throws {ConfigError} for an unknown name or option, a value out of range, or groups that do not fit the parameters
 */
export function createOptimizer(name: OptimizerName, options: OptimizerOptions, parameters: readonly ParameterRange[]): Optimizer {
  checkOptimizerName(name);
  return new Optimizer(name, options, parameters);
}
