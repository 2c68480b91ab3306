/**
 * Undoes the ASCII armor of a message as a stream (RFC 9580, 6). Mail programs change armor: line ends, the length of lines, blanks
 * around them, marks of a quotation before them, and text around the whole.
 */
import { PgpError } from './error.js';

const begin = /^(?:\u00ef\u00bb\u00bf)?[> \t]*-----BEGIN PGP MESSAGE-----[ \t]*/m;
const lineEnd = /^(?:\r\n|\n|\r(?=[^\n]))/;
const header = /^[A-Za-z][\w-]*: .*$/;
const base64Lines = /^[A-Za-z0-9+/\r\n]*$/;
/** A longer line, for example all of the base64 without line ends, is read in pieces of this length. */
const longestLine = 8192;
/** Text of a mail before the armor. */
const longestBefore = 65_536;

type State = 'before' | 'headers' | 'body' | 'ended';

/** Whether a message in armor begins in this text, after nothing but other lines of text. */
export function hasArmor(text: string): boolean {
  return begin.test(text);
}

/** The bytes of the first message. @throws PgpError `damaged` */
export async function* unarmor(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let state = 'before' as State;
  let text = '';
  let digits = '';
  let endsWithReturn = false;
  const decode = (isEnd: boolean): Buffer => {
    const whole = isEnd ? digits.length : digits.length - (digits.length % 4);
    const bytes = Buffer.from(digits.slice(0, whole), 'base64');
    digits = digits.slice(whole);
    return bytes;
  };
  const take = (line: string): void => {
    const bare = line.replace(/^[>\s]+/, '').trimEnd();
    if (state === 'headers' && header.test(bare)) {
      if (line.length < longestLine) return;
      throw new PgpError('damaged', 'a header of its ASCII armor is too long');
    }
    if (state === 'headers' && bare === '') return;
    if (state === 'headers') state = 'body';
    if (bare.startsWith('-----')) state = 'ended';
    // A checksum follows the data; the message has a better one.
    else if (/^=[A-Za-z0-9+/]{4}$/.test(bare)) return;
    else if (!/^[A-Za-z0-9+/\s]*={0,2}$/.test(bare))
      throw new PgpError('damaged', 'a line of its ASCII armor has other characters than base64');
    else digits += bare.replace(/[=\s]/g, '');
  };
  // Looks for line ends in new text only: a line of many chunks would be searched again with each of them.
  let mayEnd = false;
  const takeLines = (): void => {
    // Lines of base64 alone need not be looked at one by one, nor be held until they end.
    if (state === 'body' && base64Lines.test(text)) {
      digits += text.replace(/[\r\n]+/g, '');
      text = '';
      return;
    }
    if (mayEnd) {
      const lines = text.split(/\r\n|\n|\r(?!$)/);
      text = lines.pop()!;
      for (const line of lines) if ((state as State) !== 'ended') take(line);
    }
    for (; (state as State) !== 'ended' && text.length >= 2 * longestLine; text = text.slice(longestLine))
      take(text.slice(0, longestLine));
  };
  for await (const chunk of chunks) {
    if ((state as State) === 'ended') continue;
    const added = chunk.toString('latin1');
    mayEnd = /[\r\n]/.test(added) || endsWithReturn;
    endsWithReturn = added === '' ? endsWithReturn : added.endsWith('\r');
    text += added;
    if (state === 'before') {
      const rest = mayEnd ? findBody(text) : null;
      if (rest === null) {
        if (text.length > longestBefore) throw new PgpError('damaged', 'its ASCII armor has no beginning');
        continue;
      }
      text = rest;
      state = 'headers';
    }
    takeLines();
    const bytes = decode((state as State) === 'ended');
    if (bytes.length > 0) yield bytes;
  }
  if (state !== 'before' && state !== 'ended') take(text);
  if ((state as State) !== 'ended') throw new PgpError('damaged', 'the end of its ASCII armor is missing');
  const bytes = decode(true);
  if (bytes.length > 0) yield bytes;
}

/** The text after the line with which the armor begins; null: that line has not ended yet. */
function findBody(text: string): string | null {
  const found = begin.exec(text);
  if (found === null) return null;
  const rest = text.slice(found.index + found[0].length);
  const end = lineEnd.exec(rest);
  return end === null ? null : rest.slice(end[0].length);
}
