/** The forms in which names are compared, and what a valid email address is. */

/** Nobody sees them, and spreadsheets, web pages and address books leave them in texts; also those that turn text around. */
const zeroWidth = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;
const around = /^[\s\u00ad\u180e\u200b-\u200f\u2060\ufeff]+|[\s\u00ad\u180e\u200b-\u200f\u2060\ufeff]+$/g;
/** A direction that is set for the whole text. One for a part of it belongs to the text. */
const turned = /^[\u202a\u202b\u202d\u202e\u2066-\u2068]([^\u202a-\u202e\u2066-\u2069]*)[\u202c\u2069]?$/;
/** Most cells are like this: nothing to be done. */
const plain = /^[!-~](?:[ -~]*[!-~])?$/;

/** Without the spaces of every kind around it, and in Unicode's composed form. */
export function trimCell(cell: string): string {
  return cell === '' || plain.test(cell)
    ? cell
    : cell.replace(around, '').replace(turned, '$1').replace(around, '').normalize('NFC');
}

/** Without what nobody sees, wherever it stands. */
export function dropInvisible(text: string): string {
  return plain.test(text) ? text : text.replace(zeroWidth, '');
}

/** What of a text looks like something else, or like nothing at all. */
const unseen: readonly [RegExp, string][] = [
  [/[\u00a0\u2007\u202f]/, 'a non-breaking space'],
  [/[\r\n]/, 'a line break'],
  [/\t/, 'a tab'],
  [/[^\S \u00a0\u2007\u202f\r\n\t\ufeff]/, 'a space of another width'],
  [/ {2}/, 'two spaces'],
  [zeroWidth, 'a character that nobody sees'],
];

/** Why a text differs that looks the same: ` (with a non-breaking space)`; empty where there is no such reason. */
export function describeUnseen(text: string): string {
  const found = unseen.filter(([what]) => text.search(what) >= 0).map(([, name]) => name);
  return found.length === 0 ? '' : ` (with ${found.join(' and ')})`;
}

/** Email addresses compare without regard to case (rule U1). */
export function emailKey(email: string): string {
  return email.normalize('NFC').toLowerCase();
}

/** Team names compare trimmed, inner spaces collapsed, without regard to case (rule U7). */
export function nameKey(name: string): string {
  return collapse(dropInvisible(name)).normalize('NFC').toLowerCase();
}

/** Labels compare without regard to case and spacing (rules F7, C2). */
export function labelKey(label: string): string {
  return dropInvisible(label).replace(/\s+/g, '').normalize('NFC').toLowerCase();
}

/** Characters of a team's name or of a field's label: an index of PostgreSQL takes no more than 2,700 bytes. */
export const longestName = 255;

export function isName(text: string): boolean {
  return text.length <= longestName;
}

export function collapse(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}

const email =
  /^[^\s\p{Cc}\p{Cf}@"(),:;<>[\\\]]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)*[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?$/u;

/** The addresses that people have (RFC 5321 lengths, a dot-atom or internationalized local part); no quoted local parts. */
export function isEmail(text: string): boolean {
  return text.length <= 254 && email.test(text) && !/^\.|\.\.|\.@/.test(text);
}
