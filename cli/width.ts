/**
 * The width of texts on a terminal, and texts in lines of a width. Plain text, as almost every command prints alone, does without
 * the libraries: their tables of Unicode take a tenth of the time of a short command, and are loaded when a text needs them.
 */
import { createRequire } from 'node:module';
import type StringWidth from 'string-width';
import type WrapAnsi from 'wrap-ansi';

const require = createRequire(import.meta.url);

/** Node.js 22 loads no ES module by require() before 22.12, which warns of it: there both libraries are loaded at once. */
const canRequire = process.features.require_module && !process.version.startsWith('v22.12.');
const early: Readonly<Record<string, unknown>> = canRequire
  ? {}
  : { 'string-width': await import('string-width'), 'wrap-ansi': await import('wrap-ansi') };

/** Printable Latin letters, and dashes and quotation marks: each takes one cell. */
const plainText = /^[ -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027]*$/;

/** Number of terminal cells: two for CJK and emoji, none for combining marks. */
export function displayWidth(text: string): number {
  return plainText.test(text) ? text.length : load<typeof StringWidth>('string-width')(text);
}

/** The text, or its beginning and `…`, in at most `cells`. */
export function cutText(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  let kept = '';
  let width = 1;
  for (const letter of text) {
    width += displayWidth(letter);
    if (width > cells) break;
    kept += letter;
  }
  return `${kept}…`;
}

/** The text in lines of at most `width` cells, broken between words. @param isHard also within a word that is longer */
export function wrapText(text: string, width: number, isHard = false): string[] {
  return load<typeof WrapAnsi>('wrap-ansi')(text, width, { hard: isHard }).split('\n');
}

function load<Library>(name: string): Library {
  return ((early[name] ?? require(name)) as { default: Library }).default;
}
