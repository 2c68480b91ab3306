/** Refuses files that are not UTF-8 text: known formats by their first bytes, all others by checking every byte (rule F2). */
import { isUtf8 } from 'node:buffer';
import { RefusalError, refuse } from '../codes.js';
import { findForeign } from './foreignformats.js';

/**
 * Passes the bytes on without a UTF-8 byte order mark; no chunk ends inside a character.
 * @throws RefusalError for anything that is not UTF-8 text, with the line and the byte offset.
 */
export async function* decodeText(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let carried: Buffer = Buffer.alloc(0);
  let offset = 0;
  const lines: Lines = { feeds: 0, returns: 0 };
  let isFirst = true;
  for await (const chunk of chunks) {
    let text = carried.length === 0 ? chunk : Buffer.concat([carried, chunk]);
    if (isFirst) {
      if (text.length < 64) {
        carried = text;
        continue;
      }
      text = stripMark(refuseForeign(text));
      offset = chunk.length + carried.length - text.length;
      isFirst = false;
    }
    const end = text.length - incompleteTail(text);
    const whole = text.subarray(0, end);
    checkPiece(whole, offset, lines);
    offset += end;
    carried = text.subarray(end);
    if (end > 0) yield whole;
  }
  if (isFirst) {
    const text = stripMark(refuseForeign(carried));
    offset = carried.length - text.length;
    carried = text;
  }
  checkPiece(carried, offset, lines);
  if (carried.length > 0) yield carried;
}

function refuseForeign(start: Buffer): Buffer {
  const found = findForeign(start);
  if (found !== undefined) throw new RefusalError(refuse('not_csv', { what: found.name, advice: found.advice }));
  return start;
}

function stripMark(text: Buffer): Buffer {
  return text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf ? text.subarray(3) : text;
}

/** Bytes at the end that begin a character without ending it (0 to 3). */
function incompleteTail(text: Buffer): number {
  for (let back = 1; back <= Math.min(3, text.length); back++) {
    const byte = text[text.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

/** Line ends so far. Carriage returns count while there is no newline: "CSV (Macintosh)" has no other line ends. */
interface Lines {
  feeds: number;
  returns: number;
}

/** Refuses a piece that is not text, and adds its lines to `lines`. */
function checkPiece(piece: Buffer, offset: number, lines: Lines): void {
  const zero = piece.indexOf(0);
  // The first fault is reported, so that the report does not depend on where the pieces end.
  const text = zero < 0 ? piece : piece.subarray(0, zero);
  if (!isUtf8(text)) {
    const bad = firstInvalid(text);
    throw new RefusalError(refuse('not_utf8', { offset: offset + bad }, lineAt(piece.subarray(0, bad), lines)));
  }
  if (zero >= 0) {
    const advice = 'Export the data as CSV (UTF-8).';
    throw new RefusalError(refuse('binary', { offset: offset + zero, advice }, lineAt(text, lines)));
  }
  countLines(piece, lines);
}

function lineAt(before: Buffer, lines: Lines): number {
  const { feeds, returns } = countLines(before, lines);
  return 1 + (feeds > 0 ? feeds : returns);
}

function countLines(piece: Buffer, lines: Lines): Lines {
  lines.feeds += countByte(piece, 10);
  if (lines.feeds === 0) lines.returns += countByte(piece, 13);
  return lines;
}

function countByte(piece: Buffer, byte: number): number {
  let count = 0;
  for (let at = piece.indexOf(byte); at >= 0; at = piece.indexOf(byte, at + 1)) count++;
  return count;
}

/** The offset of the first invalid character, by halving the piece; called once, for a piece that is invalid. */
function firstInvalid(piece: Buffer): number {
  let valid = 0;
  for (let step = piece.length; step >= 1; step = Math.floor(step / 2)) {
    while (valid + step <= piece.length) {
      const slice = piece.subarray(0, valid + step);
      if (!isUtf8(slice.subarray(0, slice.length - incompleteTail(slice)))) break;
      valid += step;
    }
  }
  // `valid` may be inside a character that is cut short: then the fault begins where that character does.
  return valid - incompleteTail(piece.subarray(0, valid));
}
