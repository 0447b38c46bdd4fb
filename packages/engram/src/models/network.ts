// The network around the memory (models.md §1): which products each layer computes, bound to the flat weight arena. What runs
// them over a sequence is shardSequence.ts.
import { type CellKind, cellKind } from "../controllers/cells.js";
import type { Engine } from "../engine/engine.js";
import { Bias, type BiasBlock, Linear, pad8, type WeightBlock } from "../engine/linear.js";
import { EngramError } from "../errors.js";
import type { Block, Memory } from "../memory/memory.js";
import type { ModelConfig, ModelType } from "./options.js";
import { cellInputSize, cellName, memoryName, type Parameter, parameterTable } from "./parameters.js";
import { StateLayout } from "./stateLayout.js";

/** The products that give one cell's gates: inputs that are there only where the cell has them, and its own hidden state. */
export interface CellProducts {
  /** From x_t: the lowest cell. */
  readonly x?: Linear;
  /** From the hidden state below: all others. */
  readonly below?: Linear;
  /** From read vectors: the lowest cell of each layer. */
  readonly reads?: Linear;
  readonly hidden: Linear;
  readonly bias: Bias;
}

export interface LayerProducts {
  readonly cells: readonly CellProducts[];
  /** h → ξ */
  readonly interface: Linear;
  readonly interfaceBias: Bias;
  /** Index of the memory the layer accesses. */
  readonly memory: number;
}

/** Padded row widths, in floats. */
export interface Widths {
  readonly x: number;
  readonly hidden: number;
  readonly gates: number;
  readonly interface: number;
  readonly reads: number;
  readonly output: number;
}

export class Network {
  readonly kind: CellKind;
  readonly parameters: readonly Parameter[];
  readonly weightCount: number;
  readonly widths: Widths;
  readonly layers: readonly LayerProducts[];
  readonly outputHidden: Linear;
  readonly outputReads: Linear;
  readonly outputBias: Bias;
  /** How states are laid out: all that those that are kept hold on to. */
  readonly layout: StateLayout;
  /** Bytes `place` needs for packed weights. */
  readonly packedBytes: number;
  private readonly linears: Linear[] = [];
  private readonly biases: Bias[] = [];
  private readonly byName = new Map<string, Parameter>();

  constructor(
    readonly engine: Engine,
    readonly type: ModelType,
    readonly config: ModelConfig,
    readonly memory: Memory,
  ) {
    this.layout = new StateLayout(type, config, memory);
    this.kind = cellKind(engine, config.rnnType, config.nonlinearity);
    this.parameters = parameterTable(config, this.kind, memory);
    for (const parameter of this.parameters) this.byName.set(parameter.name, parameter);
    this.weightCount = this.parameters.reduce((sum, parameter) => sum + parameter.count, 0);
    const hidden = this.layout.hiddenWidth;
    this.widths = {
      x: pad8(config.inputSize),
      hidden,
      gates: this.kind.blocks * hidden,
      interface: memory.interfaceWidth,
      reads: memory.readWidth,
      output: pad8(config.outputSize),
    };
    this.layers = Array.from({ length: config.numLayers }, (_, l) => this.layerProducts(l));
    const output = this.find("output.weight");
    this.outputHidden = this.linear(hidden, this.widths.output, [
      this.block(output, { rows: config.outputSize, columns: config.hiddenSize }),
    ]);
    this.outputReads = this.linear(
      this.widths.reads,
      this.widths.output,
      memory.readBlocks.map((read) => this.block(output, { rows: config.outputSize, column: config.hiddenSize, read })),
    );
    this.outputBias = this.biasRow(this.widths.output, [{ offset: this.find("output.bias").offset, count: config.outputSize, output: 0 }]);
    this.packedBytes = [...this.linears.map((l) => l.forwardBytes + l.backwardBytes), ...this.biases.map((b) => b.bytes)].reduce(
      (a, b) => a + b,
    );
  }

  /** Gives the packed weights their place, `packedBytes` of zeroed memory. */
  place(at: number): void {
    let next = at;
    for (const linear of this.linears) {
      linear.place(next, next + linear.forwardBytes);
      next += linear.forwardBytes + linear.backwardBytes;
    }
    for (const bias of this.biases) {
      bias.row = next;
      next += bias.bytes;
    }
  }

  /** Parts that packing can be shared out in: each product's weights, and the biases. */
  get packParts(): number {
    return this.linears.length + 1;
  }

  /** Packs one part of the weights at `weights` for the products of a step; `backward` also for the products going back. */
  pack(part: number, weights: number, backward: boolean): void {
    const linear = this.linears[part];
    if (linear === undefined) {
      for (const bias of this.biases) bias.pack(weights);
      return;
    }
    linear.packForward(weights);
    if (backward) linear.packBackward(weights);
  }

  private find(name: string): Parameter {
    const parameter = this.byName.get(name);
    if (parameter === undefined) throw new EngramError(`internal: no parameter ${name}`);
    return parameter;
  }

  private linear(inputs: number, outputs: number, blocks: readonly WeightBlock[]): Linear {
    const linear = new Linear(this.engine, inputs, outputs, blocks);
    this.linears.push(linear);
    return linear;
  }

  private biasRow(outputs: number, blocks: readonly BiasBlock[]): Bias {
    const bias = new Bias(this.engine, outputs, blocks);
    this.biases.push(bias);
    return bias;
  }

  /** A block of a weight matrix; `read` places the columns of one head's read values. */
  private block(
    weight: Parameter,
    at: { row?: number; rows: number; column?: number; columns?: number; output?: number; read?: Block },
  ): WeightBlock {
    const stride = weight.shape[1] as number;
    const { row = 0, rows, column = 0, output = 0, read } = at;
    const from = column + (read?.from ?? 0);
    return {
      offset: weight.offset + row * stride + from,
      stride,
      rows,
      columns: read?.count ?? at.columns ?? stride,
      output,
      input: read?.to ?? 0,
    };
  }

  private layerProducts(l: number): LayerProducts {
    const { config, memory, widths } = this;
    return {
      cells: Array.from({ length: config.numHiddenLayers }, (_, k) => this.cellProducts(l, k)),
      interface: this.linear(widths.hidden, memory.interfaceWidth, this.interfaceBlocks(l)),
      interfaceBias: this.biasRow(memory.interfaceWidth, this.interfaceBiasBlocks(l)),
      memory: config.shareMemory ? 0 : l,
    };
  }

  private cellProducts(l: number, k: number): CellProducts {
    const { config, kind, memory, widths } = this;
    const { hiddenSize, inputSize } = config;
    const weight = this.find(`${cellName(kind, l)}.weight_ih_l${k}`);
    const hiddenWeight = this.find(`${cellName(kind, l)}.weight_hh_l${k}`);
    const outputs = kind.gates * widths.hidden;
    const gates = (blocks: readonly number[]) =>
      blocks.map((block, g) => ({ row: g * hiddenSize, rows: hiddenSize, output: (block - Math.min(...blocks)) * widths.hidden }));
    const inputs = gates(kind.inputBlocks);
    const readColumn = cellInputSize(config, l, k) - config.readHeads * config.cellSize;
    const lowest = l === 0 && k === 0;
    return {
      ...(lowest && {
        x: this.linear(
          widths.x,
          outputs,
          inputs.map((g) => this.block(weight, { ...g, columns: inputSize })),
        ),
      }),
      ...(!lowest && {
        below: this.linear(
          widths.hidden,
          outputs,
          inputs.map((g) => this.block(weight, { ...g, columns: hiddenSize })),
        ),
      }),
      ...(k === 0 && {
        reads: this.linear(
          widths.reads,
          outputs,
          inputs.flatMap((g) => memory.readBlocks.map((read) => this.block(weight, { ...g, column: readColumn, read }))),
        ),
      }),
      hidden: this.linear(
        widths.hidden,
        outputs,
        gates(kind.hiddenBlocks).map((g) => this.block(hiddenWeight, g)),
      ),
      bias: this.biasRow(widths.gates, config.bias ? this.cellBiasBlocks(l, k) : []),
    };
  }

  private cellBiasBlocks(l: number, k: number): BiasBlock[] {
    const { kind, widths } = this;
    const { hiddenSize } = this.config;
    const blocks = (side: "ih" | "hh", to: readonly number[]) => {
      const { offset } = this.find(`${cellName(kind, l)}.bias_${side}_l${k}`);
      return to.map((block, g) => ({ offset: offset + g * hiddenSize, count: hiddenSize, output: block * widths.hidden }));
    };
    return [...blocks("ih", kind.inputBlocks), ...blocks("hh", kind.hiddenBlocks)];
  }

  /** Each section's rows of the interface weights, with the parameter that holds them and the row they start at. */
  private interfaceRows(l: number, part: "weight" | "bias"): { parameter: Parameter; row: number; block: Block }[] {
    const name = memoryName(this.config, l);
    let start = 0;
    return this.memory.sections.flatMap((section) => {
      const own = this.config.independentLinears;
      const parameter = this.find(own ? `${name}.${section.name}_transform.${part}` : `${name}.interface_weights.${part}`);
      const row = own ? 0 : start;
      start += section.size;
      return section.blocks.map((block) => ({ parameter, row: row + block.from, block }));
    });
  }

  private interfaceBlocks(l: number): WeightBlock[] {
    return this.interfaceRows(l, "weight").map(({ parameter, row, block }) =>
      this.block(parameter, { row, rows: block.count, output: block.to }),
    );
  }

  private interfaceBiasBlocks(l: number): BiasBlock[] {
    return this.interfaceRows(l, "bias").map(({ parameter, row, block }) => ({
      offset: parameter.offset + row,
      count: block.count,
      output: block.to,
    }));
  }
}
