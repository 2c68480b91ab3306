/**
 * Guards cells that a spreadsheet would run as formulas, when exports and reports write them, and removes the guard when files
 * are read. Every guarded text reads back unchanged, also one that itself begins with apostrophes.
 */
import { trimCell } from './normalize.js';

const apostrophe = 39;
const formula = /^[=+\-@\t\r]/;
/** The beginning of a cell that a spreadsheet, or a program that passes the file on, may take for a formula. */
const spaced = /^[\s\p{Cf}]*[=+\-@]|^[\t\r]/u;
/** A formula whose value is a text, and nothing else. */
const keptText = /^="(?:[^"]|"")*"$/;
/** Apostrophes before a formula, or before a number that a spreadsheet keeps as a text. */
const guarded = /^'+[=+\-@\t\r\d]/;

/** Puts an apostrophe before a text that begins like a formula, so that a spreadsheet shows it as a text. */
export function guardFormula(text: string): string {
  return formula.test(text) || isGuarded(text) ? `'${text}` : text;
}

/**
 * A cell of a file, to be written into another file: a spreadsheet runs nothing of it, and an import reads the same value. A
 * harmless cell is returned unchanged, `="00123"` too.
 */
export function guardCell(cell: string): string {
  if (!isRun(cell)) return cell;
  const text = trimCell(cell);
  return isRun(text) ? guardFormula(readCell(text)) : text;
}

/** Removes one guard; a name like `'t Hooft` has none. */
export function unguardFormula(text: string): string {
  return isGuarded(text) ? text.slice(1) : text;
}

/** Numbers that a spreadsheet changes when it saves the file again: it drops zeros in front, and writes long ones as 1.23E+12. */
const changedNumber = /^(?:0\d+|\d{12,}|\d+[eE]\d+)$/;
/** Numbers that it leaves as they are. */
const plainNumber = /^[1-9]\d{0,10}$/;

/**
 * As guardCell; a number that a spreadsheet would change is written as `="00123"`.
 * @param isIdentifier whether that holds for everything like a number or a date.
 */
export function keepCell(cell: string, isIdentifier = false): string {
  const text = trimCell(cell);
  if (!/^\d/.test(text) && !(isIdentifier && /^[^='+\-@].*\d/.test(text))) return guardCell(cell);
  const isChanged = isIdentifier ? !plainNumber.test(text) && !/["\r\n]/.test(text) : changedNumber.test(text);
  return isChanged ? `="${text}"` : guardCell(cell);
}

/** Words that spreadsheets of some languages take for a truth value, and write in capitals. */
const truthWords =
  /^(?:true|false|wahr|falsch|vrai|faux|vero|falso|verdadero|verdadeiro|waar|onwaar|sant|falskt|prawda|fałsz)$/i;
/** A spreadsheet knows no longer text in a formula. */
const longestKept = 250;

/**
 * A value, to be written for a spreadsheet that saves the file again: everything that it may take for a number, a date or a truth
 * value is written as `="00123"`, which shows and saves the text; a formula gets an apostrophe.
 */
export function keepText(text: string): string {
  const isChanged = (/\p{N}/u.test(text) && !plainNumber.test(text) && !text.includes('@')) || truthWords.test(text);
  const fits = text.length <= longestKept && !/["\r\n]/.test(text) && guardFormula(text) === text;
  return isChanged && fits ? `="${text}"` : guardFormula(text);
}

/** The value of a cell: without spaces around it, and without a guard or the `="…"` with which spreadsheets keep a text. */
export function readCell(cell: string): string {
  const text = trimCell(cell);
  if (text.length > 3 && text.startsWith('="') && text.endsWith('"'))
    return trimCell(text.slice(2, -1).replaceAll('""', '"'));
  return unguardFormula(text);
}

/** Whether a spreadsheet may run the cell. */
function isRun(cell: string): boolean {
  return spaced.test(cell) && !keptText.test(trimCell(cell));
}

function isGuarded(text: string): boolean {
  return text.charCodeAt(0) === apostrophe && guarded.test(text);
}
