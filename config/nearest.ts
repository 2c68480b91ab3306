/** How far apart two words are, and which known name was probably meant by a misspelt one. */

/** The name that differs least from `word`, without regard to case and dashes. null: none is similar. */
export function findNearest(word: string, names: readonly string[]): string | null {
  const key = toKey(word);
  const most = Math.max(2, Math.floor(key.length / 4));
  const near = names
    .map((name) => ({ name, distance: editDistance(key, toKey(name), most) }))
    .filter(({ distance }) => distance <= most)
    .sort((one, other) => one.distance - other.distance);
  return near[0]?.name ?? null;
}

function toKey(word: string): string {
  return word.slice(0, 64).replace(/[-_]/g, '').toLowerCase();
}

/** Insertions, deletions and replacements from one text to the other, counted up to `most` + 1 (Levenshtein). */
export function editDistance(from: string, to: string, most: number): number {
  if (Math.abs(from.length - to.length) > most) return most + 1;
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return Math.min(previous[to.length]!, most + 1);
}
