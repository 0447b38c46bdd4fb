// The weights of a model and their gradients: two flat arenas in state-dict layout, seen as named views, and the packed copies that
// the products work on.
import type { Engine } from "../engine/engine.js";
import { CheckpointError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { describeShape } from "./inputs.js";
import type { Network } from "./network.js";
import { initialise, type Parameter } from "./parameters.js";

export class Weights {
  /** Addresses of the two arenas, `count` floats each. */
  readonly values: number;
  readonly gradients: number;
  readonly count: number;
  /** Address of the packed copies. */
  readonly packed: number;
  /** Whether values may have changed since they were packed, as far as the library knows. */
  private stale = true;
  private backwardIsStale = true;
  /** Once a view of the values was given out they may change at any time: then they are compared with this copy of what was packed. */
  private exposed = false;
  private packedFrom = 0;

  constructor(
    private readonly engine: Engine,
    private readonly network: Network,
    seed: number,
  ) {
    this.count = network.weightCount;
    this.values = engine.allocate(4 * this.count);
    this.gradients = engine.allocate(4 * this.count);
    this.packed = engine.allocate(network.packedBytes);
    network.place(this.packed);
    initialise(engine.f32(this.values, this.count), network.parameters, seed);
  }

  get bytes(): { weights: number; gradients: number; packed: number } {
    const bytes = 4 * this.count;
    return { weights: bytes * (this.packedFrom === 0 ? 1 : 2), gradients: bytes, packed: this.network.packedBytes };
  }

  /** The values or gradients of one parameter, as they lie in the engine: a view that holds until the memory grows. */
  array(of: "values" | "gradients", { offset, count }: Parameter): Float32Array {
    if (of === "values") this.exposed = true;
    return this.engine.f32(this[of] + 4 * offset, count);
  }

  copies(): Map<string, Tensor> {
    const { engine, values } = this;
    return new Map(
      this.network.parameters.map(({ name, shape, offset, count }) => [
        name,
        { data: engine.f32(values + 4 * offset, count).slice(), shape },
      ]),
    );
  }

  /** @throws {CheckpointError} naming what is missing, extra, misshapen or not finite; nothing is loaded then */
  load(tensors: ReadonlyMap<string, Tensor>): void {
    checkStateDict(this.network.parameters, tensors);
    for (const { name, offset, count } of this.network.parameters) {
      this.engine.f32(this.values + 4 * offset, count).set((tensors.get(name) as Tensor).data);
    }
    this.changed();
  }

  zeroGradients(): void {
    this.engine.kernels.fillZero(this.gradients, 4 * this.count);
  }

  /** To be called when the library changed the values. */
  changed(): void {
    this.stale = true;
  }

  /**
   * Packs what changed since the last time; `backward` also for going back.
   * @param packAll packs every part of the network, for threads that share it
   */
  pack(backward: boolean, packAll = () => this.packAlone(backward)): void {
    if (this.exposed && !this.stale) this.stale = !this.isAsPacked();
    if (!this.stale && !(backward && this.backwardIsStale)) return;
    packAll();
    this.stale = false;
    this.backwardIsStale = !backward;
    if (!this.exposed) return;
    if (this.packedFrom === 0) this.packedFrom = this.engine.allocate(4 * this.count);
    this.engine.kernels.copyBytes(this.packedFrom, this.values, 4 * this.count);
  }

  private packAlone(backward: boolean): void {
    for (let part = 0; part < this.network.packParts; part++) this.network.pack(part, this.values, backward);
  }

  private isAsPacked(): boolean {
    return this.packedFrom !== 0 && this.engine.kernels.equalBytes(this.packedFrom, this.values, 4 * this.count) === 1;
  }
}

function checkStateDict(parameters: readonly Parameter[], tensors: ReadonlyMap<string, Tensor>): void {
  if (!(tensors instanceof Map)) throw new CheckpointError("loadStateDict: expected a Map of names to tensors, as stateDict() gives");
  const names = new Set(parameters.map(({ name }) => name));
  const missing = parameters.filter(({ name }) => !tensors.has(name)).map(({ name }) => name);
  const extra = [...tensors.keys()].filter((name) => !names.has(name));
  const misshapen = parameters.flatMap((parameter) => {
    const tensor = tensors.get(parameter.name);
    const misfit = tensor === undefined && !tensors.has(parameter.name) ? undefined : describeMisfit(tensor, parameter);
    return misfit === undefined ? [] : [`${parameter.name} ${misfit}`];
  });
  const problems = [
    ...(missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
    ...(extra.length > 0 ? [`not of this model: ${extra.join(", ")}`] : []),
    ...(misshapen.length > 0 ? [`wrong shape: ${misshapen.join("; ")}`] : []),
  ];
  if (problems.length > 0) throw new CheckpointError(`these are the weights of another model or configuration. ${problems.join(". ")}`);
  for (const { name } of parameters) {
    const bad = tensors.get(name)?.data.findIndex((value: number) => !Number.isFinite(value)) ?? -1;
    if (bad >= 0) throw new CheckpointError(`${name} is not finite at value ${bad}; load a checkpoint from before training diverged`);
  }
}

/** Why a tensor cannot be a parameter's values; undefined when it can. */
function describeMisfit(tensor: Tensor | undefined, { shape, count }: Parameter): string | undefined {
  if (!(tensor?.data instanceof Float32Array) || !Array.isArray(tensor.shape)) {
    return `must be a tensor ${describeShape(shape)} with its data in a Float32Array`;
  }
  if (describeShape(tensor.shape) !== describeShape(shape)) return `must be ${describeShape(shape)}, got ${describeShape(tensor.shape)}`;
  return tensor.data.length === count ? undefined : `of shape ${describeShape(shape)} must hold ${count} values, got ${tensor.data.length}`;
}
