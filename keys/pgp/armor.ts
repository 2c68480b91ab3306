/**
 * Undoes the ASCII armor of a message as a stream (RFC 9580, 6). Mail programs change armor: line ends, the length of lines, blanks
 * around them, marks of a quotation before them, and text around the whole.
 */
import { PgpError } from './error.js';

const begin = /^(?:\u00ef\u00bb\u00bf)?[>\s]*-----BEGIN PGP MESSAGE-----[ \t]*\r?\n?/m;
const header = /^[A-Za-z][\w-]*: .*$/;
/** A line of base64 without an end is read in pieces. */
const longestLine = 8192;

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
  const decode = (isEnd: boolean): Buffer => {
    const whole = isEnd ? digits.length : digits.length - (digits.length % 4);
    const bytes = Buffer.from(digits.slice(0, whole), 'base64');
    digits = digits.slice(whole);
    return bytes;
  };
  const take = (line: string): void => {
    const bare = line.replace(/^[>\s]+/, '').trimEnd();
    if (state === 'headers' && (bare === '' || header.test(bare))) return;
    if (state === 'headers') state = 'body';
    if (bare.startsWith('-----')) state = 'ended';
    // A checksum follows the data; the message has a better one.
    else if (/^=[A-Za-z0-9+/]{4}$/.test(bare)) return;
    else if (!/^[A-Za-z0-9+/\s]*={0,2}$/.test(bare))
      throw new PgpError('damaged', 'a line of its ASCII armor has other characters than base64');
    else digits += bare.replace(/[=\s]/g, '');
  };
  for await (const chunk of chunks) {
    if ((state as State) === 'ended') continue;
    text += chunk.toString('latin1');
    if (state === 'before') {
      const found = begin.exec(text);
      if (found === null || !/\n$/.test(found[0])) {
        if (text.length > 65_536) throw new PgpError('damaged', 'its ASCII armor has no beginning');
        continue;
      }
      text = text.slice(found.index + found[0].length);
      state = 'headers';
    }
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    text = lines.pop()!;
    for (const line of lines) if ((state as State) !== 'ended') take(line);
    if (state === 'body' && text.length > longestLine) {
      take(text.slice(0, -longestLine));
      text = text.slice(-longestLine);
    }
    const bytes = decode((state as State) === 'ended');
    if (bytes.length > 0) yield bytes;
  }
  if (state !== 'before' && state !== 'ended') take(text);
  if ((state as State) !== 'ended') throw new PgpError('damaged', 'the end of its ASCII armor is missing');
  const bytes = decode(true);
  if (bytes.length > 0) yield bytes;
}
