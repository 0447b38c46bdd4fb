// A sparse memory's state from tensors, dense or sparse: whatever is not zero anywhere touches its cell, and the touched cells get
// rows in order. What a list has no room for is a StateError (models.md §3: at most K read weights a head, and so on).
//
// In two goes: `LoadedState` finds the touched cells and checks everything, `fill` writes a state with a row for each. Millions of cells may be
// touched, so what is kept of them in between is one array.
import { StateError } from "../errors.js";
import { sizeOf } from "../tensor.js";
import type { FieldValues, SparseTensor } from "./memory.js";
import { ENTRY_WORDS, type SparseLayout } from "./sparseLayout.js";
import type { ElementState, Words } from "./sparseState.js";

/** With 2^24 cells, a last access and a cell still fit one float64 exactly (see `fillOrder`), and the clock has room to go on. */
const LARGEST_ACCESS = 2 ** 29;

/** @throws {StateError} for a clock that no state has, given the largest last access of a batch */
export function checkClock(clock: number, latest: number): void {
  if (Number.isInteger(clock) && clock >= latest && clock <= LARGEST_ACCESS) return;
  throw new StateError(
    `a clock counts accesses, a whole number from the largest last_access (${latest}) to ${LARGEST_ACCESS}, got ${clock}: leave it out to have it at the largest last_access`,
  );
}

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

/** Cells as they come, then in order and each once. */
class CellSet {
  private cells = new Int32Array(64);
  private count = 0;

  add(cell: number): void {
    if (this.count > 0 && this.cells[this.count - 1] === cell) return;
    if (this.count === this.cells.length) {
      const larger = new Int32Array(2 * this.count);
      larger.set(this.cells);
      this.cells = larger;
    }
    this.cells[this.count++] = cell;
  }

  sorted(): Int32Array {
    const cells = this.cells.subarray(0, this.count).sort();
    return cells.filter((cell, i) => i === 0 || cell !== cells[i - 1]);
  }
}

export class LoadedState {
  /** Touched cells in order. */
  readonly cells: Int32Array;
  latestAccess = 0;
  private readonly reads: Listed[][];
  private readonly writes: Listed[] = [];
  private readonly precedence: Listed[] = [];

  constructor(
    private readonly layout: SparseLayout,
    private readonly tensors: ReadonlyMap<string, FieldValues>,
    private readonly element: number,
  ) {
    this.reads = Array.from({ length: layout.heads }, () => []);
    const touched = new CellSet();
    const { nrCells, cellSize } = layout;
    this.visit("memory", (position) => touched.add(Math.floor(position / cellSize)));
    this.visit("last_access", (cell, value) => {
      this.checkAccess(cell, value);
      this.latestAccess = Math.max(this.latestAccess, value);
      touched.add(cell);
    });
    this.visit("read_weights", (position, weight) => {
      const head = Math.floor(position / nrCells);
      const cell = position - head * nrCells;
      this.reads[head]?.push({ cell, weight });
      touched.add(cell);
    });
    this.takeList("write_weights", this.writes, touched);
    for (const list of this.reads) this.checkCount("read_weights", list.length, layout.entries, "a head");
    this.checkCount("write_weights", this.writes.length, layout.writes, "an element");
    if (layout.linked) this.takeLinked(touched);
    this.cells = touched.sorted();
    if (layout.linked) this.checkLinkCounts();
  }

  private visit(field: string, take: (position: number, value: number) => void): void {
    forEachNonZero(this.tensors.get(field), this.element, take);
  }

  private takeList(field: string, list: Listed[], touched: CellSet): void {
    this.visit(field, (cell, weight) => {
      list.push({ cell, weight });
      touched.add(cell);
    });
  }

  private takeLinked(touched: CellSet): void {
    this.takeList("precedence", this.precedence, touched);
    this.checkCount("precedence", this.precedence.length, this.layout.options.temporalLinks, "an element");
    this.visitLinks((row, column, weight) => {
      if (!(weight > 0) || row === column) {
        throw new StateError(
          `link_matrix is positive, and 0 on its diagonal; element ${this.element} has ${weight} at [${row}, ${column}]: leave that link out`,
        );
      }
      touched.add(row);
      touched.add(column);
    });
  }

  private visitLinks(take: (row: number, column: number, weight: number) => void): void {
    const { nrCells } = this.layout;
    this.visit("link_matrix", (position, weight) => {
      const row = Math.floor(position / nrCells);
      take(row, position - row * nrCells, weight);
    });
  }

  private checkAccess(cell: number, value: number): void {
    if (Number.isInteger(value) && value > 0 && value <= LARGEST_ACCESS) return;
    throw new StateError(
      `last_access holds steps, whole numbers from 0 to ${LARGEST_ACCESS}; element ${this.element} has ${value} at cell ${cell}: give it as a state had it`,
    );
  }

  private checkLinkCounts(): void {
    const { temporalLinks } = this.layout.options;
    const [inRow, inColumn] = [new Int32Array(this.cells.length), new Int32Array(this.cells.length)];
    const raise = (counts: Int32Array, cell: number, where: string) => {
      const i = indexOf(this.cells, cell);
      counts[i] = (counts[i] as number) + 1;
      this.checkCount("link_matrix", counts[i] as number, temporalLinks, where);
    };
    this.visitLinks((row, column) => {
      raise(inRow, row, "a row");
      raise(inColumn, column, "a column");
    });
  }

  private checkCount(field: string, count: number, most: number, where: string): void {
    if (count <= most) return;
    throw new StateError(
      `${field} has at most ${most} values that are not zero ${where} with these options, element ${this.element} has ${count} or more: ` +
        "give a state of a model with the same options",
    );
  }

  fill(state: ElementState): void {
    const { cells, layout } = this;
    const { head, memory } = state.parts;
    let passed = 0;
    while (passed < cells.length && cells[passed] === passed) passed++;
    head.ints.set([cells.length, passed, cells.length, passed, -1]);
    this.fillEntries(state.parts.entries.ints);
    const rowOf = rowFinder(cells);
    this.visit("memory", (position, value) => {
      const cell = Math.floor(position / layout.cellSize);
      memory.floats[rowOf(cell) * layout.wordWidth + position - cell * layout.cellSize] = value;
    });
    this.fillLists(state);
    if (layout.linked) this.fillLinks(state);
  }

  /** Cells, last accesses and the list in order of (last access, cell); the sentinel is entry 0, standing for row -1. */
  private fillEntries(entries: Int32Array): void {
    const { cells } = this;
    for (const [row, cell] of cells.entries()) entries[ENTRY_WORDS * (row + 1)] = cell;
    const rowOf = rowFinder(cells);
    const keys = Float64Array.from(cells.keys());
    this.visit("last_access", (cell, value) => {
      const row = rowOf(cell);
      entries[ENTRY_WORDS * (row + 1) + 1] = value;
      keys[row] = value * cells.length + row;
    });
    let previous = -1;
    for (const key of keys.sort()) {
      const row = key % cells.length;
      entries[ENTRY_WORDS * (row + 1) + 2] = previous;
      entries[ENTRY_WORDS * (previous + 1) + 3] = row;
      previous = row;
    }
    entries[ENTRY_WORDS * (previous + 1) + 3] = -1;
    entries[2] = previous;
  }

  private fillLists(state: ElementState): void {
    const { counts, readRows, readWeights, writeRows, writeWeights, entryStride, heads } = this.layout.fields;
    const { lists } = state.parts;
    for (const [h, list] of this.reads.entries()) {
      lists.ints[counts / 4 + h] = list.length;
      this.fillList(lists, list, readRows / 4 + h * entryStride, readWeights / 4 + h * entryStride);
    }
    lists.ints[counts / 4 + heads] = this.writes.length;
    this.fillList(lists, this.writes, writeRows / 4, writeWeights / 4);
  }

  /** By falling weight, ties toward the lower cell, as an access leaves them. */
  private fillList(words: Words, list: Listed[], rowsAt: number, weightsAt: number): void {
    list.sort((a, b) => b.weight - a.weight || a.cell - b.cell);
    for (const [i, { cell, weight }] of list.entries()) {
      words.ints[rowsAt + i] = indexOf(this.cells, cell);
      words.floats[weightsAt + i] = weight;
    }
  }

  /** Places beyond K_L hold an infinite weight (kernels/sparseLinks.ts). */
  private fillLinks(state: ElementState): void {
    const { cells, layout } = this;
    const stride = layout.linkStride;
    const { linkColumns, linkWeights, linkPlaces, precedence } = state.parts;
    precedence.ints[0] = this.precedence.length;
    this.fillList(precedence, this.precedence, 4, 4 + stride);
    linkColumns.ints.fill(-1);
    linkPlaces.ints.fill(-1);
    const [inRow, inColumn] = [new Int32Array(cells.length), new Int32Array(cells.length)];
    const next = (counts: Int32Array, row: number) => {
      counts[row] = (counts[row] as number) + 1;
      return row * stride + (counts[row] as number) - 1;
    };
    const rowOf = rowFinder(cells);
    this.visitLinks((row, column, weight) => {
      const to = indexOf(cells, column);
      const place = next(inRow, rowOf(row));
      linkColumns.ints[place] = to;
      linkWeights.floats[place] = weight;
      linkPlaces.ints[next(inColumn, to)] = place;
    });
    for (let row = 0; row < cells.length; row++) {
      linkWeights.floats.fill(Number.POSITIVE_INFINITY, row * stride + layout.options.temporalLinks, (row + 1) * stride);
    }
  }
}

/** Where a cell stands among sorted ones. */
function indexOf(cells: Int32Array, cell: number): number {
  let low = 0;
  let high = cells.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((cells[middle] as number) < cell) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** indexOf for cells that come in order, or nearly: it looks at the last one and the next first. */
function rowFinder(cells: Int32Array): (cell: number) => number {
  let row = 0;
  return (cell) => {
    if (cells[row] !== cell) row = cells[row + 1] === cell ? row + 1 : indexOf(cells, cell);
    return row;
  };
}
