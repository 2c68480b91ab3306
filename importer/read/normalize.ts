/** The forms in which texts are compared: trimmed cells, emails, names, labels; and which emails and names are valid. */

/** Invisible characters that spreadsheets, web pages and address books leave in texts, and those that set its direction. */
const invisible = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;
/** One character that trimCell removes at both ends. */
const trimmed = /[\s\u00ad\u180e\u200b-\u200f\u2060\ufeff]/;
/** A direction that is set for the whole text; one for a part of it belongs to the text. */
const directed = /^[\u202a\u202b\u202d\u202e\u2066-\u2068]([^\u202a-\u202e\u2066-\u2069]*)[\u202c\u2069]?$/;
/** ASCII without spaces around it, as most cells are: nothing to change. */
const plain = /^[!-~](?:[ -~]*[!-~])?$/;

/** The text without spaces of any kind around it, in Unicode's composed form. */
export function trimCell(cell: string): string {
  return cell === '' || plain.test(cell) ? cell : compose(trimEnds(trimEnds(cell).replace(directed, '$1')));
}

/** By index: a pattern for the end of a text starts again at each run of spaces inside it, and takes quadratic time. */
function trimEnds(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && trimmed.test(text[start]!)) start++;
  while (end > start && trimmed.test(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/** ASCII: composed already. */
const ascii = /^\p{ASCII}*$/u;
/** More combining marks in a row than any language writes (the limit of Unicode's Stream-Safe Text Format). */
const longMarks = /\p{M}{31}/u;

/** Unicode's composed form (NFC). It sorts the marks of a letter in quadratic time: a text with a longer row is left unchanged. */
function compose(text: string): string {
  return ascii.test(text) || longMarks.test(text) ? text : text.normalize('NFC');
}

/** The text without invisible characters, wherever they are. */
export function dropInvisible(text: string): string {
  return plain.test(text) ? text : text.replace(invisible, '');
}

/** Characters that look like another one or like nothing, with their names. */
const lookalikes: readonly [RegExp, string][] = [
  [/[\u00a0\u2007\u202f]/, 'a non-breaking space'],
  [/[\r\n]/, 'a line break'],
  [/\t/, 'a tab'],
  [/[^\S \u00a0\u2007\u202f\r\n\t\ufeff]/, 'a space of another width'],
  [/ {2}/, 'two spaces'],
  [invisible, 'an invisible character'],
];

/** Names the characters that make a text differ from one that looks the same: ` (with a non-breaking space)`; empty where it has none. */
export function describeInvisible(text: string): string {
  const found = lookalikes.filter(([pattern]) => text.search(pattern) >= 0).map(([, name]) => name);
  return found.length === 0 ? '' : ` (with ${found.join(' and ')})`;
}

/** The compared form of an email: without regard to case (rule U1). */
export function emailKey(email: string): string {
  return compose(email).toLowerCase();
}

/** The compared form of a team's name: trimmed, with one space between words, without regard to case (rule U7). */
export function nameKey(name: string): string {
  return compose(collapse(dropInvisible(name))).toLowerCase();
}

/** The compared form of a label: without regard to case and spacing (rules F7, C2). */
export function labelKey(label: string): string {
  return compose(dropInvisible(label).replace(/\s+/g, '')).toLowerCase();
}

/** The most characters of a team's name or a field's label: an index of PostgreSQL takes no more than 2,700 bytes. */
export const longestName = 255;

/** Whether a team or a field can have this name. */
export function isName(text: string): boolean {
  return text.length <= longestName;
}

/** Spaces between words that are not one space each. */
const spaced = /\s\s|[^\S ]/;

/** The text with one space between words and none around it. */
export function collapse(text: string): string {
  const trimmedText = text.trim();
  return spaced.test(trimmedText) ? trimmedText.replace(/\s+/g, ' ') : trimmedText;
}

const email =
  /^[^\s\p{Cc}\p{Cf}@"(),:;<>[\\\]]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)*[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?$/u;

/** Some of these, as most addresses are, in a form that is quick to find; a part of at most 64 characters has no label that is too long. */
const plainEmail = /^[\w+'-]+(?:\.[\w+'-]+)*@[A-Za-z\d]+(?:-+[A-Za-z\d]+)*(?:\.[A-Za-z\d]+(?:-+[A-Za-z\d]+)*)*$/;

/** Whether this is an address as people have them (RFC 5321 lengths, a dot-atom or internationalized local part); no quoted local parts. */
export function isEmail(text: string): boolean {
  const at = text.indexOf('@');
  if (at <= 64 && text.length - at <= 64 && plainEmail.test(text)) return true;
  return text.length <= 254 && email.test(text) && !/^\.|\.\.|\.@/.test(text);
}
