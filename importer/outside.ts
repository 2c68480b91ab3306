/**
 * Texts from outside inside texts of Dropslot's own: names of files and columns can't add a line, reverse the order of the
 * letters, or pass for a sentence of Dropslot's.
 */

/** Control and format characters, among them those that change the direction of writing, and line breaks. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** Letters, digits and marks that occur in usual names of files; no blanks, without which there is no sentence. */
const plainName = /^[\p{Script=Latin}\p{N}._/@+~-]+$/u;

/** On one line: line breaks and tabs become blanks, and other characters that are not seen are written as `\u202e`. */
export function oneLine(text: string): string {
  return escapeUnseen(text.replace(/[\t\n\r\u2028\u2029]+/g, ' '));
}

/** In quotes, on one line; `wrapLine` does not break it. */
export function quote(text: string): string {
  return `"${escapeUnseen(text).replace(/["\\](?!u[0-9a-f]{4})/g, '\\$&')}"`;
}

/** The name or path of a file: in quotes unless it is one plain word. */
export function quoteName(name: string): string {
  return plainName.test(name) ? name : quote(name);
}

/** JSON whose value stays the same, and that a terminal shows as it is: JSON itself escapes the characters below U+0020 only. */
export function escapeJson(json: string): string {
  return json.replace(/[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, escapeCharacter);
}

export function escapeCharacter(character: string): string {
  return `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`;
}

function escapeUnseen(text: string): string {
  return text.replace(unseen, escapeCharacter);
}
