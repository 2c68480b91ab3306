/** The error for a word that is none of a list: it names the nearest one, or all. */
import { findNearest } from '../config/nearest.js';
import { OperationError } from './error.js';

/** @param subject the wrong word in its place: `unknown command "dropslot orgs ad"` */
export function unknownWord(subject: string, word: string, known: readonly string[]): OperationError {
  const near = findNearest(word, known);
  const advice = near === null ? `use one of ${known.join(', ')}` : `did you mean "${near}"?`;
  return new OperationError('usage', `${subject}; ${advice}`);
}
