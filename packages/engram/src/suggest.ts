// Finds the name somebody meant, for error messages.

/** Number of single-character edits (insert, delete, replace, swap of neighbours) from a to b. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** Letters that a part of a name must have to stand for it: "drop" for dropout, but "in" for nothing. */
const LEAST_PART = 4;

/**
 * The candidate nearest to `word`, spelling aside (case, `_` and `-` do not count): by few edits, else one of which it is a part;
 * undefined when none is near.
 */
export function nearestName(word: string, candidates: Iterable<string>): string | undefined {
  const plain = (name: string) => name.toLowerCase().replace(/[_-]/g, "");
  const wanted = plain(word);
  const ranked = Array.from(candidates, (name) => ({ name, distance: editDistance(wanted, plain(name)) }));
  ranked.sort((a, b) => a.distance - b.distance); // stable: the first of equals
  const [best] = ranked;
  if (best !== undefined && best.distance <= Math.max(2, Math.floor(word.length / 2))) return best.name;
  return wanted.length < LEAST_PART ? undefined : ranked.find(({ name }) => plain(name).includes(wanted))?.name;
}

/** `; did you mean 'x'?` for the end of an error message, or nothing when no candidate is near. */
export function didYouMean(word: unknown, candidates: Iterable<string>): string {
  const nearest = typeof word === "string" ? nearestName(word, candidates) : undefined;
  return nearest === undefined ? "" : `; did you mean '${nearest}'?`;
}
