/** Tells a misspelt standard label from the label of another column (rules F7, F7a). */
import { editDistance } from '../../config/nearest.js';
import { labelKey } from './normalize.js';

/** Words that differ from a word of a standard label by two letters or fewer, and have a meaning of their own. */
const otherWords = [
  'activation reactivation activated managed beams dreams seams steam streams tears temas term terms trams',
  'base case cast cost host lead list item other past peer post task test tier',
].flatMap((line) => line.split(' '));

/** In a label with fewer letters, two errors make another word (`Streams`, `Teams`). */
const longLabel = 8;

/** The standard label that `label` probably misspells. undefined: it is the label of another column. */
export function findNearMiss(label: string, standards: readonly string[]): string | undefined {
  const key = labelKey(label);
  return standards.find((standard) => isNear(label, key, standard));
}

const mostErrors = 2;

function isNear(label: string, key: string, standard: string): boolean {
  const known = labelKey(standard);
  // Each error adds or takes one letter at most, and a long label is looked at once.
  if (Math.abs(key.length - known.length) > mostErrors) return false;
  if (isExtended(label, standard) || isOther(key, known)) return false;
  const most = Math.min(key.length, known.length) < longLabel ? 1 : mostErrors;
  return editDistance(key, known, most) <= most || isSwapped(key, known);
}

/** Whether the label is the standard one with one word or number more: `Manager ID`, `User Email 2`, `Team Name2`. */
function isExtended(label: string, standard: string): boolean {
  if (labelKey(label).replace(/\p{N}+/gu, '') === labelKey(standard)) return true;
  const [words, known] = [wordsOf(label), wordsOf(standard)];
  if (words.length <= known.length) return false;
  let found = 0;
  for (const word of words) if (word === known[found]) found++;
  return found === known.length;
}

/** The words of a label in small letters; `managerId` has two. */
function wordsOf(label: string): string[] {
  const spaced = label.replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2');
  return spaced.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
}

/** Whether another word replaces a word of the standard label, and the rest is equal: `Activation Date`, `Hostname`. */
function isOther(key: string, known: string): boolean {
  return otherWords.some((word) => {
    if (!key.includes(word)) return false;
    const at = key.indexOf(word);
    return known.startsWith(key.slice(0, at)) && known.endsWith(key.slice(at + word.length));
  });
}

/** Whether two letters side by side are exchanged: one error of typing, though two replacements (`Mangaer`). */
function isSwapped(key: string, known: string): boolean {
  if (key.length !== known.length) return false;
  let at = 0;
  while (at < key.length && key[at] === known[at]) at++;
  return key[at] === known[at + 1] && key[at + 1] === known[at] && key.slice(at + 2) === known.slice(at + 2);
}
