// Which maps over time a trace has, and where their rows come from.
import type { TraceHeader } from "../data/api.js";
import { traceSizes } from "../data/traceLayout.js";
import { clamp } from "./dom.js";
import type { HeatmapSpec } from "./heatmap.js";
import type { Scale } from "./matrix.js";

/** Some values of a row of a tensor: `count` from `from` on. */
export interface Source {
  readonly tensor: string;
  readonly from: number;
  readonly count: number;
}

/** A map over time: its rows are values of tensors, its columns are the steps. */
export interface TimePanel {
  readonly id: string;
  readonly title: string;
  readonly note?: string;
  readonly scale: Scale;
  readonly sources: readonly Source[];
  readonly rowNames: readonly string[];
  readonly rowTicks: readonly string[];
  readonly more?: Partial<HeatmapSpec>;
}

export const isLogit = (header: TraceHeader): boolean => header.task === "copy";
const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));

/** The sequence itself: what went in, what should come out, what came out. */
export function sequencePanels(header: TraceHeader): TimePanel[] {
  const { tensors } = header;
  const width = (name: string) => (tensors[name]?.length === 2 ? (tensors[name]?.[1] ?? 0) : 0);
  const channels = (id: string, title: string, note: string, more: Partial<HeatmapSpec> = {}, scale: Scale = "unit"): TimePanel => {
    const numbers = Array.from({ length: width(id) }, (_, i) => String(i));
    return {
      id,
      title,
      note,
      scale,
      sources: [{ tensor: id, from: 0, count: width(id) }],
      rowNames: numbers.map((number) => `${id} ${number}`),
      rowTicks: numbers,
      more: { rowHeight: 9, mostHeight: 90, ...more },
    };
  };
  const probability: Partial<HeatmapSpec> = { shade: sigmoid, describe: (value) => `probability of a 1: ${sigmoid(value).toFixed(4)}` };
  const output = isLogit(header)
    ? channels("output", "Output", "as probabilities, faint where no answer counts", { ...probability, most: 1 })
    : channels("output", "Output", "", {}, "signed");
  return [channels("input", "Input", ""), channels("target", "Target", ""), output].filter(({ rowNames }) => rowNames.length > 0);
}

/** What the memory did. */
export function memoryPanels(header: TraceHeader): TimePanel[] {
  return [...weightPanels(header), ...gatePanels(header)].filter(({ rowNames }) => rowNames.length > 0);
}

/** The cells that the maps show: all, or the header's choice. */
export function shownCells(header: TraceHeader): readonly number[] {
  return header.cells ?? Array.from({ length: traceSizes(header).cells }, (_, cell) => cell);
}

function weightPanels(header: TraceHeader): TimePanel[] {
  const { heads } = traceSizes(header);
  const cells = shownCells(header);
  const has = (tensor: string) => `debug.${tensor}` in header.tensors;
  const ofCells = (tensor: string, title: string, scale: Scale, more: Partial<TimePanel> = {}): TimePanel[] =>
    has(tensor)
      ? [
          {
            id: tensor,
            title,
            scale,
            sources: [{ tensor: `debug.${tensor}`, from: 0, count: cells.length }],
            rowNames: cells.map((cell) => `cell ${cell}`),
            rowTicks: cells.map(String),
            more: { rowHeight: 7, mostHeight: clamp(2 * cells.length, 140, 260) },
            ...more,
          },
        ]
      : [];
  const reads = Array.from({ length: heads }, (_, head) =>
    ofCells("read_weights", `Read weights, head ${head + 1}`, "unit", {
      id: `read_weights-${head + 1}`,
      sources: [{ tensor: "debug.read_weights", from: head * cells.length, count: cells.length }],
    }),
  ).flat();
  return [
    ...ofCells("write_weights", "Write weights", "unit"),
    ...reads,
    ...positionsPanel(header),
    ...ofCells("usage_vector", "Usage", "unit"),
    ...ofCells("usage", "Steps since last access", "positive"),
    ...ofCells("precedence", "Precedence", "unit", { note: "written last" }),
  ];
}

/** Which cell each place of a sparse memory's view held: the number of the cell as a colour. */
function positionsPanel(header: TraceHeader): TimePanel[] {
  const { slots } = traceSizes(header);
  if (slots === 0) return [];
  const names = slotNames(header);
  return [
    {
      id: "read_positions",
      title: "Read positions",
      note: "number of the cell",
      scale: "positive",
      sources: [{ tensor: "debug.read_positions", from: 0, count: slots }],
      rowNames: names.map(({ name }) => name),
      rowTicks: names.map(({ tick }) => tick),
      more: {
        most: Math.max(1, ...shownCells(header)),
        rowHeight: 7,
        shade: (value) => (value < 0 ? Number.NaN : value),
        describe: (value) => (value < 0 ? "no cell here" : `cell ${value}`),
      },
    },
  ];
}

export interface SlotName {
  readonly name: string;
  /** Short, for the first place of each head. */
  readonly tick: string;
}

/** The places of `read_positions` (models.md §5): each head's content cells, then backward and forward ones, and last the cell written. */
export function slotNames(header: TraceHeader): SlotName[] {
  const { heads, slots } = traceSizes(header);
  const perHead = (slots - 1) / heads;
  const temporal = header.model === "sdnc" ? Math.min(Number(header.options.temporalReads ?? 0), Math.floor(perHead / 2)) : 0;
  const content = perHead - 2 * temporal;
  return Array.from({ length: slots }, (_, slot) => {
    if (slot === slots - 1) return { name: "written", tick: "write" };
    const [head, k] = [Math.floor(slot / perHead), slot % perHead];
    const kind =
      k < content ? `content ${k + 1}` : k < content + temporal ? `backward ${k - content + 1}` : `forward ${k - content - temporal + 1}`;
    return { name: `head ${head + 1}, ${kind}`, tick: k === 0 ? `head ${head + 1}` : "" };
  });
}

function gatePanels(header: TraceHeader): TimePanel[] {
  const { heads } = traceSizes(header);
  const rowsOf = (tensor: string, name: string, tick: string, each = false): GateRows[] => {
    if (!(`debug.${tensor}` in header.tensors)) return [];
    const numbers = Array.from({ length: each ? heads : 1 }, (_, head) => (each ? ` ${head + 1}` : ""));
    const source = { tensor: `debug.${tensor}`, from: 0, count: numbers.length };
    return [{ source, names: numbers.map((number) => name + number), ticks: numbers.map((number) => tick + number) }];
  };
  const gates = [
    ...rowsOf("write_gate", "write gate", "write"),
    ...rowsOf("allocation_gate", "allocation gate", "allocate"),
    ...rowsOf("interpolation_gate", "interpolation gate", "interp."),
    ...rowsOf("free_gates", "free gate, head", "free", true),
  ];
  const strengths = [
    ...rowsOf("write_strength", "write strength", "write"),
    ...rowsOf("read_strengths", "read strength, head", "read", true),
  ];
  return [gatherRows("gates", "Gates", "unit", gates), modesPanel(header), gatherRows("strengths", "Key strengths", "positive", strengths)];
}

interface GateRows {
  readonly source: Source;
  readonly names: readonly string[];
  readonly ticks: readonly string[];
}

function gatherRows(id: string, title: string, scale: Scale, rows: readonly GateRows[]): TimePanel {
  return {
    id,
    title,
    scale,
    sources: rows.map(({ source }) => source),
    rowNames: rows.flatMap(({ names }) => names),
    rowTicks: rows.flatMap(({ ticks }) => ticks),
    more: { rowHeight: 12, mostHeight: 240 },
  };
}

const MODES = ["backward", "forward", "content"] as const;

function modesPanel(header: TraceHeader): TimePanel {
  const heads = "debug.read_modes" in header.tensors ? traceSizes(header).heads : 0;
  const rows = Array.from({ length: heads }, (_, head) => MODES.map((mode) => ({ head: head + 1, mode }))).flat();
  return {
    id: "read_modes",
    title: "Read modes",
    scale: "unit",
    sources: [{ tensor: "debug.read_modes", from: 0, count: rows.length }],
    rowNames: rows.map(({ head, mode }) => `head ${head}, ${mode}`),
    rowTicks: rows.map(({ head, mode }) => `${head} ${mode}`),
    more: { rowHeight: 12, mostHeight: 240 },
  };
}
