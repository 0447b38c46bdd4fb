// Tables as comma-separated text, to go on with elsewhere.
import { float32Text } from "./numbers.js";

export type CsvCell = string | number | null;

export function csvLine(cells: readonly CsvCell[]): string {
  return `${cells.map(csvCell).join(",")}\n`;
}

/** A matrix with names for its columns and rows; numbers are float32, written as short as they stay themselves. */
export function csvOfMatrix(
  corner: string,
  columns: readonly string[],
  rows: readonly string[],
  value: (row: number, column: number) => number,
): string {
  const lines = rows.map((name, row) => csvLine([name, ...columns.map((_, column) => float32Text(value(row, column)))]));
  return csvLine([corner, ...columns]) + lines.join("");
}

/** Text that a spreadsheet would take for a formula is made plain by an apostrophe. */
function csvCell(cell: CsvCell): string {
  if (cell === null) return "";
  if (typeof cell === "number") return String(cell);
  const plain = /^[=+@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
