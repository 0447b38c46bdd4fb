// Short lists of rows in falling order of a value, ties toward the lower cell, as two arrays of whole vectors. An insertion moves all that falls
// behind it one place on without a branch for where that is: in the scans that fill these lists it could not be foreseen.
import { floats, splat } from "./simd";
import { entryOf } from "./touchedRows";

/**
 * Puts `row` in its place by `value`, if it has one; the last of `count` entries, a multiple of 4, falls out. NaN has none.
 * A row below 0 stands for an untouched cell: -1 - j for the j-th in `untouchedCells`.
 */
// @ts-ignore: decorator
@inline
export function insertFalling(listRows: usize, values: usize, count: i32, entries: usize, untouchedCells: usize, row: i32, value: f32): void {
  const x = splat(value);
  let at = floats(count - 4);
  let equal = f32x4.eq(x, v128.load(values));
  for (let other = at; other > 0; other -= 16) equal = v128.or(equal, f32x4.eq(x, v128.load(values + other)));
  if (v128.any_true(equal)) {
    insertAmongEqual(listRows, values, count, entries, untouchedCells, row, value);
    return;
  }
  const newRow = i32x4.splat(row);
  for (; at > 0; at -= 16) {
    const here = v128.load(values + at), before = v128.load(values + at - 4);
    const isBehind = f32x4.gt(x, here), isNext = f32x4.gt(x, before);
    v128.store(values + at, v128.bitselect(v128.bitselect(before, x, isNext), here, isBehind));
    const rowsBefore = v128.load(listRows + at - 4);
    v128.store(listRows + at, v128.bitselect(v128.bitselect(rowsBefore, newRow, isNext), v128.load(listRows + at), isBehind));
  }
  const here = v128.load(values), rowsHere = v128.load(listRows);
  const isBehind = f32x4.gt(x, here);
  const isNext = v128.shuffle<i32>(isBehind, i32x4.splat(0), 4, 0, 1, 2);
  const before = v128.shuffle<f32>(here, here, 0, 0, 1, 2), rowsBefore = v128.shuffle<i32>(rowsHere, rowsHere, 0, 0, 1, 2);
  v128.store(values, v128.bitselect(v128.bitselect(before, x, isNext), here, isBehind));
  v128.store(listRows, v128.bitselect(v128.bitselect(rowsBefore, newRow, isNext), rowsHere, isBehind));
}

function insertAmongEqual(listRows: usize, values: usize, count: i32, entries: usize, untouchedCells: usize, row: i32, value: f32): void {
  const cell = cellOf(entries, untouchedCells, row);
  let at = floats(count);
  while (at > 0) {
    const before = load<f32>(values + at - 4);
    if (before > value || (before == value && cellOf(entries, untouchedCells, load<i32>(listRows + at - 4)) < cell)) break;
    at -= 4;
  }
  if (at == floats(count)) return;
  for (let move = floats(count - 1); move > at; move -= 4) {
    store<f32>(values + move, load<f32>(values + move - 4));
    store<i32>(listRows + move, load<i32>(listRows + move - 4));
  }
  store<f32>(values + at, value);
  store<i32>(listRows + at, row);
}

// @ts-ignore: decorator
@inline
function cellOf(entries: usize, untouchedCells: usize, row: i32): i32 {
  return row < 0 ? load<i32>(untouchedCells + floats(-1 - row)) : entryOf(entries, row).cell;
}
