/** Recognizes the words that mean "no value", like N/A: the usual ones, or those of the organization (rule U6a). */
import { isZeroDate } from './dates.js';

/** Words that HR systems, databases and spreadsheets write where there is no value. */
export const defaultNullWords: readonly string[] = [
  ...['NULL', '(null)', '<null>', '[null]', 'nil', 'none', '(none)', '<none>', '(blank)', '(empty)', 'undefined'],
  ...['N/A', 'n.a.', '-', '--', '---', '\u2013', '\u2014'],
  ...['#N/A', '#REF!', '#VALUE!', '#NAME?', '#DIV/0!', '#NULL!', '#NUM!'],
];

export interface NullWords {
  /** The words that are blank cells, in small letters. */
  nullWords: ReadonlySet<string>;
  /** The codes of their first letters, small and capital: most cells have another one. */
  nullStarts: ReadonlySet<number>;
}

export function readNullWords(words: readonly string[] = defaultNullWords): NullWords {
  return {
    nullWords: new Set(words.map((word) => word.toLowerCase())),
    nullStarts: new Set(words.flatMap((word) => [word.toLowerCase().charCodeAt(0), word.toUpperCase().charCodeAt(0)])),
  };
}

/** Whether the trimmed text of a cell means that there is no value. */
export function isNull(text: string, { nullWords, nullStarts }: NullWords): boolean {
  const isWord = nullStarts.has(text.charCodeAt(0)) && text.length <= longestWord && nullWords.has(text.toLowerCase());
  return isWord || isZeroDate(text);
}

/** The most characters of a null word or a status word. */
export const longestWord = 60;
