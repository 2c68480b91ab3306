/** Reads files that are not UTF-8, where the organization's `encoding` allows it (rule F2). */
import type { Encoding } from '../../db/control/orgoptions.js';
import { RefusalError, refuse } from '../codes.js';
import { findForeign } from './foreignformats.js';
import type { Source } from './source.js';
import { decodeText } from './utf8text.js';

type Wide = 'utf-16le' | 'utf-16be';

/** The source as UTF-8. `auto` reads it once to its end, if it is not UTF-16. */
export async function readAs(source: Source, encoding: Encoding = 'utf-8'): Promise<Source> {
  if (encoding === 'utf-8') return source;
  const start = await readStart(source);
  if (start === null) return source;
  const mark = start.toString('hex', 0, 3);
  const wide = mark.startsWith('fffe') ? 'utf-16le' : mark.startsWith('feff') ? 'utf-16be' : null;
  if (wide !== null) return encoding === 'windows-1252' ? source : decodeWide(source, wide);
  if (encoding === 'utf-16' || mark === 'efbbbf') return source;
  // Another format is refused by its name, and not decoded as text.
  if (encoding === 'windows-1252') return findForeign(start) === undefined ? decodeBytes(source, false) : source;
  return (await isLegacy(source)) ? decodeBytes(source, true) : source;
}

/** Whether the reports of a file get a byte order mark: the file has one, or is not UTF-8. */
export async function hasMark(source: Source): Promise<boolean> {
  return source.isGuessed !== undefined || (await readStart(source))?.toString('hex', 0, 3) === 'efbbbf';
}

/** The bytes by which findForeign knows a format. */
const startBytes = 64;

/** The first bytes; null: the source is refused, and reading it on reports why. */
async function readStart(source: Source): Promise<Buffer | null> {
  let start: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of source.open()) {
      start = Buffer.concat([start, chunk]);
      if (start.length >= startBytes) break;
    }
    return start.subarray(0, startBytes);
  } catch (error) {
    if (error instanceof RefusalError) return null;
    throw error;
  }
}

/** Whether the text is not UTF-8. A letter of several bytes is UTF-8: then the other bytes are errors in it. */
async function isLegacy(source: Source): Promise<boolean> {
  try {
    for await (const _ of decodeText(source.open()));
    return false;
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    return error.refusal.code === 'not_utf8' && !(await hasWideLetter(source.open()));
  }
}

/** Whether a valid UTF-8 character of two to four bytes is anywhere in the bytes. */
async function hasWideLetter(chunks: AsyncIterable<Buffer>): Promise<boolean> {
  let missing = 0;
  // The second byte has a narrower range after some first bytes (RFC 3629, section 4).
  let [least, most] = [0x80, 0xbf];
  for await (const chunk of chunks)
    for (const byte of chunk) {
      if (missing > 0 && byte >= least && byte <= most) {
        missing--;
        if (missing === 0) return true;
        [least, most] = [0x80, 0xbf];
      } else {
        missing = byte < 0xc2 || byte > 0xf4 ? 0 : byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
        least = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
        most = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
      }
    }
  return false;
}

/** Windows-1252: every byte is a character. */
function decodeBytes(source: Source, isGuessed: boolean): Source {
  return {
    ...source,
    isGuessed,
    open: async function* () {
      const decoder = new TextDecoder('windows-1252');
      // As a stream: at once, Node.js 20 and later read it as Latin-1, without the euro sign.
      for await (const chunk of source.open()) yield Buffer.from(decoder.decode(chunk, { stream: true }));
    },
  };
}

/** UTF-16 that ends in the middle of a character, or has half of one, is refused as broken UTF-8 is: it was cut off. */
function decodeWide(source: Source, encoding: Wide): Source {
  const read = (bytes: Buffer) => (encoding === 'utf-16le' ? bytes : Buffer.from(bytes).swap16()).toString('utf16le');
  return {
    ...source,
    isGuessed: false,
    open: async function* () {
      let carried: Buffer = Buffer.alloc(0);
      let offset = 0;
      let line = 1;
      for await (const chunk of source.open()) {
        const bytes = Buffer.concat([carried, chunk]);
        // The first half of a pair waits for the second, as the first byte of a unit does.
        const text = read(bytes.subarray(0, bytes.length - (bytes.length % 2))).replace(/[\ud800-\udbff]$/, '');
        const broken = text.search(/\p{Cs}/u);
        line += (broken < 0 ? text : text.slice(0, broken)).split('\n').length - 1;
        if (broken >= 0) throw new RefusalError(refuse('not_utf16', { offset: offset + 2 * broken }, line));
        yield Buffer.from(offset === 0 ? text.replace(/^\ufeff/, '') : text);
        offset += 2 * text.length;
        carried = bytes.subarray(2 * text.length);
      }
      if (carried.length > 0) throw new RefusalError(refuse('not_utf16', { offset }, line));
    },
  };
}
