/** Words that an organization's files have for "no value", and for the status of a user (rules U6a, U12b). */
import type { OrgOptions } from '../../db/control/orgoptions.js';
import { longestWord } from '../../importer/read/nullwords.js';
import { type Status, wordKey } from '../../importer/read/statuswords.js';

type StatusWords = NonNullable<OrgOptions['statusWords']>;

const mostWords = 100;
const off = 'off';

/** `NULL, N/A`; `off` is no word. null: there are too many words, or a word is too long. */
export function readNullWords(text: string): string[] | null {
  return text.toLowerCase() === off ? [] : readWords(text);
}

/** As readNullWords reads them. */
export function writeNullWords(words: readonly string[]): string {
  return words.length === 0 ? off : words.join(', ');
}

/** `active: Active, On Leave; deactivated: Terminated`. null: a part is wrong, or a word occurs twice. */
export function readStatusWords(text: string): StatusWords | null {
  const words: StatusWords = { active: [], deactivated: [] };
  for (const part of text.split(';')) {
    const [, name, list] = /^\s*(active|deactivated)\s*:(.*)$/is.exec(part) ?? [];
    const status = name?.toLowerCase() as Status | undefined;
    const found = readWords(list ?? '');
    if (status === undefined || found === null || words[status].length > 0) return null;
    words[status] = found;
  }
  const all = [...words.active, ...words.deactivated].map(wordKey);
  // Exports write these two words, and mean what they say.
  const isReversed = words.active.some((word) => wordKey(word) === 'deactivated');
  const isTwice = new Set(all).size < all.length;
  return isTwice || isReversed || words.deactivated.some((word) => wordKey(word) === 'active') ? null : words;
}

/** As readStatusWords reads them. */
export function writeStatusWords(words: StatusWords): string {
  return (['active', 'deactivated'] as const)
    .filter((status) => words[status].length > 0)
    .map((status) => `${status}: ${words[status].join(', ')}`)
    .join('; ');
}

/** null: there is no word, or a blank one. */
function readWords(text: string): string[] | null {
  const words = text.split(',').map((word) => word.trim().replace(/\s+/g, ' '));
  const areSound = words.length <= mostWords && words.every((word) => word !== '' && word.length <= longestWord);
  return areSound ? words : null;
}
