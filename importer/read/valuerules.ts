/** The values that an organization's cells may have beside the standard ones: words for "no value", and words of a status (rules U6a, U12b). */
import type { OrgOptions } from '../../db/control/orgoptions.js';
import { isZeroDate } from './dates.js';

/** Words that HR systems, databases and spreadsheets write where there is no value. */
export const defaultNullWords: readonly string[] = [
  ...['NULL', '(null)', '<null>', '[null]', 'nil', 'none', '(none)', '<none>', '(blank)', '(empty)', 'undefined'],
  ...['N/A', 'n.a.', '-', '--', '---', '\u2013', '\u2014'],
  ...['#N/A', '#REF!', '#VALUE!', '#NAME?', '#DIV/0!', '#NULL!', '#NUM!'],
];

export type Status = 'active' | 'deactivated';

export interface ValueRules {
  /** The words that are blank cells, in small letters. */
  nullWords: ReadonlySet<string>;
  /** The codes of their first letters, small and capital: most cells have another one. */
  nullStarts: ReadonlySet<number>;
  /** By compared forms, the status that a word means; null: a status is not read. */
  statuses: ReadonlyMap<string, Status> | null;
}

export function valueRulesOf({ nullWords = [...defaultNullWords], statusWords }: OrgOptions): ValueRules {
  return {
    nullWords: new Set(nullWords.map((word) => word.toLowerCase())),
    nullStarts: new Set(
      nullWords.flatMap((word) => [word.toLowerCase().charCodeAt(0), word.toUpperCase().charCodeAt(0)]),
    ),
    statuses: statusWords === undefined ? null : readStatuses(statusWords),
  };
}

/** Whether the trimmed text of a cell means that there is no value. */
export function isNull(text: string, { nullWords, nullStarts }: ValueRules): boolean {
  const isWord = nullStarts.has(text.charCodeAt(0)) && text.length <= longestWord && nullWords.has(text.toLowerCase());
  return isWord || isZeroDate(text);
}

/** The most characters of a null word or a status word. */
export const longestWord = 60;

/** The compared form of a word: without regard to case and the number of blanks. */
export function wordKey(word: string): string {
  return word.trim().replace(/\s+/g, ' ').toLowerCase();
}

/** Exports write `active` and `deactivated`: these two are always read. */
function readStatuses(words: Record<Status, readonly string[]>): Map<string, Status> {
  const named = (['active', 'deactivated'] as const).flatMap((status) =>
    words[status].map((word): [string, Status] => [wordKey(word), status]),
  );
  return new Map([['active', 'active'], ['deactivated', 'deactivated'], ...named]);
}
