/** Reads the words of a column `Status`: those of the organization, and the two that exports write (rule U12b). */

export type Status = 'active' | 'deactivated';

/** By compared forms, the status that a word means. */
export function readStatusWords(words: Record<Status, readonly string[]>): Map<string, Status> {
  const named = (['active', 'deactivated'] as const).flatMap((status) =>
    words[status].map((word): [string, Status] => [wordKey(word), status]),
  );
  return new Map([['active', 'active'], ['deactivated', 'deactivated'], ...named]);
}

/** The compared form of a word: without regard to case and the number of blanks. */
export function wordKey(word: string): string {
  return word.trim().replace(/\s+/g, ' ').toLowerCase();
}
