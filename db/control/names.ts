/** Names of archived files and reports: safe on every operating system, at most 255 bytes, and compared as Windows compares names. */

export const maxNameBytes = 255;

/** Windows and macOS take two names for one if they differ only by case or by their Unicode form. */
export function foldName(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** Characters that Windows refuses; control characters and line breaks, in names from earlier versions. */
const unsafe = /[\\/:*?"<>|\p{Cc}\u2028\u2029]/gu;

/** Windows cuts them off without a word, so that the file can't be opened under its name. */
const unsafeEnd = /[. ]+$/;

/** Devices of Windows, with any extension. */
const device = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)/i;

/** A client's name as each operating system can store it: `a:b.csv ` becomes `a_b.csv`. A safe name is returned unchanged. */
export function safeName(name: string): string {
  const cleaned = name.normalize('NFC').replace(unsafe, '_').replace(unsafeEnd, '').replace(device, '_$1');
  const { stem, extension } = splitExtension(cleaned === '' ? '_' : cleaned);
  return fitName(stem, extension).replace(unsafeEnd, '') || '_';
}

/** An extension is short: in `a.` with 250 more characters there is none. */
export function splitExtension(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf('.');
  const isExtension = dot > 0 && name.length - dot <= 20;
  return isExtension ? { stem: name.slice(0, dot), extension: name.slice(dot) } : { stem: name, extension: '' };
}

/** The stem is cut, by whole characters, so that stem and suffix have at most `maxBytes` bytes. The suffix must be shorter. */
export function fitName(stem: string, suffix: string, maxBytes = maxNameBytes): string {
  let room = maxBytes - Buffer.byteLength(suffix);
  const kept: string[] = [];
  for (const character of stem) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    kept.push(character);
  }
  return kept.join('') + suffix;
}
