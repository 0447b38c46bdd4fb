// The index by codes in float64, as kernels/rowCodes.ts and quantizedSearch.ts describe it: a row's code, its score, and which rows are compared.

const LEVELS = [-1.51, -0.4528, 0.4528, 1.51];
const THRESHOLDS = [-0.9816, 0, 0.9816];
const EPSILON = 1e-6;
const LARGEST_ENTRY = 63;
const LARGEST_SCORE = 16383;

const at = (values: ArrayLike<number>, i: number): number => values[i] as number;
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** x over its norm in turned dimensions of variance 1; `rotation` as the library lays it out, [D/4, Wp, 4] · √D. */
export function turnedReference(x: ArrayLike<number>, rotation: ArrayLike<number>): number[] {
  const width = Math.ceil(x.length / 4) * 4;
  const norm = Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, EPSILON));
  return range(rotation.length / width).map((d) => {
    const column = (i: number) => at(rotation, (Math.floor(d / 4) * width + i) * 4 + (d % 4));
    return range(x.length).reduce((sum, i) => sum + column(i) * at(x, i), 0) / norm;
  });
}

/** The number of each turned dimension's level. */
export function levelsReference(turned: readonly number[]): number[] {
  return turned.map((value) => THRESHOLDS.filter((threshold) => value >= threshold).length);
}

/** Scores of codes against a query: two dimensions a table of whole numbers. */
export function scoresReference(query: readonly number[], codes: readonly (readonly number[])[]): number[] {
  const pairs = range(query.length / 2).map((pair) => [at(query, 2 * pair), at(query, 2 * pair + 1)] as const);
  const span = ([x, y]: readonly [number, number]) => 1.51 * (Math.abs(x) + Math.abs(y));
  const entry = Math.min(LARGEST_ENTRY, Math.floor(LARGEST_SCORE / pairs.length));
  const step = entry / (2 * Math.max(...pairs.map(span)));
  const tables = pairs.map((pair) =>
    range(16).map((bits) => Math.floor((pair[0] * at(LEVELS, bits & 3) + pair[1] * at(LEVELS, bits >> 2) + span(pair)) * step + 0.5)),
  );
  return codes.map((levels) => tables.reduce((sum, table, i) => sum + at(table, at(levels, 2 * i) + 4 * at(levels, 2 * i + 1)), 0));
}

/** The score of the `count`-th best. */
export function cutReference(scores: readonly number[], count: number): number {
  return [...scores].sort((a, b) => b - a)[count - 1] as number;
}
