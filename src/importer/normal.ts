/** The forms in which names are compared, and what a valid email address is. */

/** Nobody sees them, and spreadsheets and web pages leave them in texts. */
const zeroWidth = /[\u00ad\u180e\u200b\u2060\ufeff]/g;
const around = /^[\s\u00ad\u180e\u200b-\u200f\u2060\ufeff]+|[\s\u00ad\u180e\u200b-\u200f\u2060\ufeff]+$/g;
/** Most cells are like this: nothing to be done. */
const plain = /^[!-~](?:[ -~]*[!-~])?$/;

/** Without the spaces of every kind around it, and in Unicode's composed form. */
export function trimCell(cell: string): string {
  return cell === '' || plain.test(cell) ? cell : cell.replace(around, '').normalize('NFC');
}

/** Without what nobody sees, wherever it stands. */
export function dropInvisible(text: string): string {
  return plain.test(text) ? text : text.replace(zeroWidth, '');
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
  /^[^\s@"(),:;<>[\\\]]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)*[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?$/u;

/** The addresses that people have (RFC 5321 lengths, a dot-atom or internationalized local part); no quoted local parts. */
export function isEmail(text: string): boolean {
  return text.length <= 254 && email.test(text) && !/^\.|\.\.|\.@/.test(text);
}

/** Insertions, deletions and replacements from one text to the other, counted up to `most` + 1 (Levenshtein). */
export function editDistance(from: string, to: string, most: number): number {
  if (Math.abs(from.length - to.length) > most) return most + 1;
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return Math.min(previous[to.length]!, most + 1);
}
