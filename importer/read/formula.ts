/**
 * Cells that a spreadsheet would run as formulas, or reads as texts because of an apostrophe: how exports and reports write
 * them, and how files are read. Whatever is guarded reads back as it was, also a text that itself begins with apostrophes.
 */
import { trimCell } from './normalize.js';

const apostrophe = 39;
const formula = /^[=+\-@\t\r]/;
/** What a spreadsheet, or whatever hands the file on to one, may make a formula of. */
const spaced = /^[\s\p{Cf}]*[=+\-@]|^[\t\r]/u;
/** A formula that says a text and no more. */
const keptText = /^="(?:[^"]|"")*"$/;
/** Behind its apostrophes: what a guard stands before, or a number that a spreadsheet was told to keep as a text. */
const guarded = /^'+[=+\-@\t\r\d]/;

/** An apostrophe before a cell that begins like a formula makes it a text. */
export function guardFormula(text: string): string {
  return formula.test(text) || isGuarded(text) ? `'${text}` : text;
}

/**
 * A cell of a file as it may be written into another one: a spreadsheet runs nothing of it, and an import reads what it read
 * in the cell as it was. What is harmless stays letter by letter, `="00123"` too.
 */
export function guardCell(cell: string): string {
  if (!isRun(cell)) return cell;
  const text = trimCell(cell);
  return isRun(text) ? guardFormula(readCell(text)) : text;
}

/** Takes one guard away; a name like `'t Hooft` has none. */
export function unguardFormula(text: string): string {
  return isGuarded(text) ? text.slice(1) : text;
}

/** What a cell says: without spaces around it, without the `="…"` by which spreadsheets are told to keep a text, or a guard. */
export function readCell(cell: string): string {
  const text = trimCell(cell);
  if (text.length > 3 && text.startsWith('="') && text.endsWith('"'))
    return trimCell(text.slice(2, -1).replaceAll('""', '"'));
  return unguardFormula(text);
}

/** Whether a spreadsheet could make more of a cell than a text. */
function isRun(cell: string): boolean {
  return spaced.test(cell) && !keptText.test(trimCell(cell));
}

function isGuarded(text: string): boolean {
  return text.charCodeAt(0) === apostrophe && guarded.test(text);
}
