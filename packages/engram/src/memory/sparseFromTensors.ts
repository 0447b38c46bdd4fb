// A sparse memory's state from tensors, dense or sparse: whatever is not zero anywhere touches its cell, and the touched cells get
// rows in order. What a list has no room for is a StateError (models.md §3: at most K read weights a head, and so on).
import { StateError } from "../errors.js";
import { sizeOf } from "../tensor.js";
import type { FieldValues, SparseTensor } from "./memory.js";
import { ENTRY_WORDS, type SparseLayout } from "./sparseLayout.js";
import type { ElementState } from "./sparseState.js";

/** Last access is an int32; the clock must have room to go on. */
const LARGEST_ACCESS = 2 ** 30;

interface Listed {
  readonly cell: number;
  readonly weight: number;
}

/** Calls visit for every value of one element that is not zero. */
export function forEachNonZero(values: FieldValues | undefined, element: number, visit: (position: number, value: number) => void): void {
  if (values === undefined) return;
  if ("data" in values) {
    const size = sizeOf(values.shape.slice(1));
    const from = element * size;
    for (let i = 0; i < size; i++) {
      const value = values.data[from + i] as number;
      if (value !== 0) visit(i, value);
    }
    return;
  }
  const { positions, values: numbers } = values[element] as SparseTensor;
  for (let i = 0; i < positions.length; i++) {
    const value = numbers[i] as number;
    if (value !== 0) visit(positions[i] as number, value);
  }
}

/** What of one element is not zero, and `fill`, which writes it into a state with as many rows as `cells`. */
export class LoadedState {
  /** Touched cells in order. */
  cells: Int32Array = new Int32Array(0);
  latestAccess = 0;
  private readonly accesses = new Map<number, number>();
  private readonly words = new Map<number, Float32Array>();
  private readonly reads: Listed[][];
  private writes: Listed[] = [];
  private precedence: Listed[] = [];
  /** L by row. */
  private readonly links = new Map<number, Listed[]>();

  constructor(
    private readonly layout: SparseLayout,
    private readonly element: number,
  ) {
    this.reads = Array.from({ length: layout.heads }, () => []);
  }

  read(tensors: ReadonlyMap<string, FieldValues>): void {
    const { nrCells, cellSize } = this.layout;
    const touched = new Set<number>();
    const visit = (field: string, take: (position: number, value: number) => void) => {
      forEachNonZero(tensors.get(field), this.element, take);
    };
    visit("memory", (position, value) => {
      const cell = Math.floor(position / cellSize);
      const word = this.words.get(cell) ?? new Float32Array(cellSize);
      word[position - cell * cellSize] = value;
      this.words.set(cell, word);
      touched.add(cell);
    });
    visit("last_access", (cell, value) => {
      if (!(Number.isInteger(value) && value > 0 && value <= LARGEST_ACCESS)) {
        throw new StateError(`last_access holds steps, whole numbers from 0 to 2^30; element ${this.element} has ${value} at cell ${cell}`);
      }
      this.accesses.set(cell, value);
      this.latestAccess = Math.max(this.latestAccess, value);
      touched.add(cell);
    });
    visit("read_weights", (position, weight) => {
      const head = Math.floor(position / nrCells);
      const cell = position - head * nrCells;
      this.reads[head]?.push({ cell, weight });
      touched.add(cell);
    });
    visit("write_weights", (cell, weight) => {
      this.writes.push({ cell, weight });
      touched.add(cell);
    });
    if (this.layout.linked) this.readLinks(visit, touched);
    this.checkCounts();
    this.cells = Int32Array.from(touched).sort();
  }

  private readLinks(visit: (field: string, take: (position: number, value: number) => void) => void, touched: Set<number>): void {
    const { nrCells } = this.layout;
    visit("precedence", (cell, weight) => {
      this.precedence.push({ cell, weight });
      touched.add(cell);
    });
    visit("link_matrix", (position, weight) => {
      const row = Math.floor(position / nrCells);
      const cell = position - row * nrCells;
      if (!(weight > 0) || row === cell) {
        throw new StateError(`link_matrix is positive, and 0 on its diagonal; element ${this.element} has ${weight} at [${row}, ${cell}]`);
      }
      const links = this.links.get(row);
      if (links === undefined) this.links.set(row, [{ cell, weight }]);
      else links.push({ cell, weight });
      touched.add(row).add(cell);
    });
  }

  private checkCounts(): void {
    const { entries, writes, options } = this.layout;
    const { temporalLinks } = options;
    for (const list of this.reads) this.checkCount("read_weights", list.length, entries, "a head");
    this.checkCount("write_weights", this.writes.length, writes, "an element");
    this.checkCount("precedence", this.precedence.length, temporalLinks, "an element");
    const columns = new Map<number, number>();
    for (const links of this.links.values()) {
      this.checkCount("link_matrix", links.length, temporalLinks, "a row");
      for (const { cell } of links) columns.set(cell, (columns.get(cell) ?? 0) + 1);
    }
    for (const count of columns.values()) this.checkCount("link_matrix", count, temporalLinks, "a column");
  }

  private checkCount(field: string, count: number, most: number, where: string): void {
    if (count <= most) return;
    throw new StateError(
      `${field} has at most ${most} values that are not zero ${where} with these options, element ${this.element} has ${count}: ` +
        "give a state of a model with the same options",
    );
  }

  fill(state: ElementState): void {
    const { cells, layout } = this;
    const { head, memory } = state.parts;
    let passed = 0;
    while (passed < cells.length && cells[passed] === passed) passed++;
    head.ints.set([cells.length, passed, cells.length, passed, -1]);
    for (const [row, cell] of cells.entries()) memory.floats.set(this.words.get(cell) ?? [], row * layout.wordWidth);
    this.fillEntries(state);
    this.fillLists(state);
    if (layout.linked) this.fillLinks(state);
  }

  /** Cells and last accesses, and the list in order of (last access, cell); the sentinel is entry 0, standing for row -1. */
  private fillEntries(state: ElementState): void {
    const { cells } = this;
    const { ints } = state.parts.entries;
    const lastAccess = Array.from(cells, (cell) => this.accesses.get(cell) ?? 0);
    const order = Int32Array.from(cells, (_, row) => row).sort((a, b) => (lastAccess[a] as number) - (lastAccess[b] as number) || a - b);
    let previous = -1;
    for (const row of order) {
      ints.set([cells[row] as number, lastAccess[row] as number, previous], ENTRY_WORDS * (row + 1));
      ints[ENTRY_WORDS * (previous + 1) + 3] = row;
      previous = row;
    }
    ints[ENTRY_WORDS * (previous + 1) + 3] = -1;
    ints[2] = previous;
  }

  private fillLists(state: ElementState): void {
    const { counts, readRows, readWeights, writeRows, writeWeights, entryStride, heads } = this.layout.fields;
    const { ints } = state.parts.lists;
    for (const [h, list] of this.reads.entries()) {
      ints[counts / 4 + h] = list.length;
      this.fillList(state, state.parts.lists, list, readRows / 4 + h * entryStride, readWeights / 4 + h * entryStride);
    }
    ints[counts / 4 + heads] = this.writes.length;
    this.fillList(state, state.parts.lists, this.writes, writeRows / 4, writeWeights / 4);
  }

  /** By falling weight, ties toward the lower cell, as an access leaves them. */
  private fillList(state: ElementState, words: ElementState["parts"]["lists"], list: Listed[], rowsAt: number, weightsAt: number): void {
    list.sort((a, b) => b.weight - a.weight || a.cell - b.cell);
    for (const [i, { cell, weight }] of list.entries()) {
      words.ints[rowsAt + i] = state.rowOf(cell);
      words.floats[weightsAt + i] = weight;
    }
  }

  private fillLinks(state: ElementState): void {
    const { layout } = this;
    const stride = layout.linkStride;
    const { linkColumns, linkWeights, linkPlaces, precedence } = state.parts;
    precedence.ints[0] = this.precedence.length;
    this.fillList(state, precedence, this.precedence, 4, 4 + stride);
    linkColumns.ints.fill(-1);
    linkPlaces.ints.fill(-1);
    const { temporalLinks } = layout.options;
    for (const row of this.cells.keys())
      linkWeights.floats.fill(Number.POSITIVE_INFINITY, row * stride + temporalLinks, (row + 1) * stride);
    const counts = new Int32Array(this.cells.length);
    for (const [cell, links] of this.links) {
      const row = state.rowOf(cell);
      for (const [k, link] of links.entries()) {
        const column = state.rowOf(link.cell);
        const place = row * stride + k;
        linkColumns.ints[place] = column;
        linkWeights.floats[place] = link.weight;
        linkPlaces.ints[column * stride + (counts[column] as number)] = place;
        counts[column] = (counts[column] as number) + 1;
      }
    }
  }
}

export function stateFromValues(layout: SparseLayout, tensors: ReadonlyMap<string, FieldValues>, element: number): LoadedState {
  const state = new LoadedState(layout, element);
  state.read(tensors);
  return state;
}
