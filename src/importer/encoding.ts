/** Reads files that are not UTF-8, where the organization's `encoding` says so (rule F2). */
import type { Encoding } from '../db/control/options.js';
import { RefusalError } from './codes.js';
import { decodeText } from './decode.js';
import type { Source } from './source.js';

type Legacy = 'windows-1252' | 'utf-16le' | 'utf-16be';

/** The source as UTF-8. `auto` reads it once to its end, if it is not UTF-16. */
export async function readAs(source: Source, encoding: Encoding = 'utf-8'): Promise<Source> {
  if (encoding === 'utf-8') return source;
  const mark = await readMark(source);
  if (mark === null) return source;
  const wide = mark.startsWith('fffe') ? 'utf-16le' : mark.startsWith('feff') ? 'utf-16be' : null;
  if (wide !== null) return encoding === 'windows-1252' ? source : decodeWith(source, wide, false);
  if (encoding === 'utf-16' || mark === 'efbbbf') return source;
  if (encoding === 'windows-1252') return isForeign(mark) ? source : decodeWith(source, encoding, false);
  return (await isLegacy(source)) ? decodeWith(source, 'windows-1252', true) : source;
}

/** Whether what is written beside the file needs a byte order mark: the file has one, or is not UTF-8. */
export async function hasMark(source: Source): Promise<boolean> {
  return source.isGuessed !== undefined || (await readMark(source)) === 'efbbbf';
}

/** The first three bytes in hex; null: the source can't be read, and whoever reads it on is told why. */
async function readMark(source: Source): Promise<string | null> {
  let start: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of source.open()) {
      start = Buffer.concat([start, chunk]);
      if (start.length > 2) break;
    }
    return start.toString('hex', 0, 3);
  } catch (error) {
    if (error instanceof RefusalError) return null;
    throw error;
  }
}

/** A workbook, an archive, a PDF: as a text it would be nonsense, and as itself it is refused by its name. */
function isForeign(mark: string): boolean {
  return ['504b03', 'd0cf11', '255044', '1f8b08'].includes(mark);
}

async function isLegacy(source: Source): Promise<boolean> {
  try {
    for await (const _ of decodeText(source.open()));
    return false;
  } catch (error) {
    if (error instanceof RefusalError) return error.refusal.code === 'not_utf8';
    throw error;
  }
}

function decodeWith(source: Source, encoding: Legacy, isGuessed: boolean): Source {
  return {
    ...source,
    isGuessed,
    open: async function* () {
      const decoder = new TextDecoder(encoding);
      for await (const chunk of source.open()) yield Buffer.from(decoder.decode(chunk, { stream: true }));
      yield Buffer.from(decoder.decode());
    },
  };
}
