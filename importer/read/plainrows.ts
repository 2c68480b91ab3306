/**
 * Reads the rows of a CSV text whose quotes are as RFC 4180 writes them, several times faster than csv-parse. At the first record
 * that is anything else it stops, and gives the text from there on back, for csv-parse to read: a quote within a cell or beside
 * blanks, a line that ends with CR alone, a record that is too long or goes on over many pieces of the text. Rows and lines are
 * those that csv-parse would give.
 */
import { isAscii } from 'node:buffer';

/**
 * `clean`: each cell is ASCII, and its own value: without spaces around it, two in a row, or a guard of a formula. `quoted`: there are quotes
 * in the record; in all others no cell has a line break.
 */
export type RecordForm = 'clean' | 'unquoted' | 'quoted';

/**
 * How a row is taken. @param record without its line end: its bytes, in memory that is used again by nobody, or the text of a clean one.
 */
type Take = (cells: string[], emptyLines: number, record: Buffer | string, form: RecordForm) => void;

/** The first row that is not blank: by its cells it is certain whether a later faulty line is a row. */
export interface HeaderShape {
  cells: number;
  /** The cells up to the last one that is not blank. */
  filled: number;
}

/**
 * A record that has not ended is read from its beginning again with the next piece: a longer one would be read dozens of times.
 * Pieces have up to as many bytes.
 */
const mostBegun = 64 * 1024;

const quote = 34;
const space = 32;
const tab = 9;
const lineFeed = 10;
const carriageReturn = 13;

/** A record: its cells, the offset behind it, and its text where it is clean; one that has not ended; one for csv-parse. */
type Found = { cells: string[]; next: number; clean: string | null } | 'begun' | 'other';

export class PlainRows {
  /** Blank lines so far, which are no rows. */
  emptyLines = 0;
  /** null: there is no row yet that is not blank. */
  header: HeaderShape | null = null;

  readonly #delimiter: string;
  readonly #separator: number;
  readonly #unclean: RegExp;
  readonly #mostBytes: number;
  readonly #take: Take;
  #begun: Buffer = Buffer.alloc(0);

  /** @param mostBytes of one record. */
  constructor(delimiter: string, mostBytes: number, take: Take) {
    this.#delimiter = delimiter;
    this.#separator = delimiter.charCodeAt(0);
    const cut = `\\u${this.#separator.toString(16).padStart(4, '0')}`;
    this.#unclean = new RegExp(`[^ -~${cut}]|  |(?:^|${cut})[ '=]| (?:${cut}|$)`);
    this.#mostBytes = mostBytes;
    this.#take = take;
  }

  /**
   * Takes the next piece of the text, and the rows that end in it.
   * @returns null; or the text that csv-parse has to read instead, from the beginning of a record.
   * @throws what `take` throws
   */
  push(chunk: Buffer): Buffer | null {
    return this.#read(this.#begun.length === 0 ? chunk : Buffer.concat([this.#begun, chunk]), false);
  }

  /** Ends the text. @returns as push */
  end(): Buffer | null {
    const rest = this.#begun;
    if (rest.length === 0) return null;
    if (rest[rest.length - 1] === carriageReturn) return rest;
    return this.#read(Buffer.concat([rest, Buffer.of(lineFeed)]), true) === null ? null : rest;
  }

  #read(text: Buffer, isLast: boolean): Buffer | null {
    // One character for each byte, so that offsets are those of the bytes. Cells with others are decoded by themselves.
    const chars = text.toString('latin1');
    const decode = isAscii(text) ? null : decodeCell;
    const hasReturns = text.includes(carriageReturn);
    let nextQuote = chars.indexOf('"');
    let at = 0;
    while (at < text.length) {
      const end = chars.indexOf('\n', at);
      if (nextQuote >= 0 && nextQuote < at) nextQuote = chars.indexOf('"', at);
      const isQuoted = nextQuote >= 0 && (end < 0 || nextQuote < end);
      const found = isQuoted ? this.#readQuoted(chars, at) : this.#readLine(chars, at, end, hasReturns);
      if (found === 'begun') break;
      if (found === 'other' || found.next - at > this.#mostBytes) return text.subarray(at);
      const { cells, next, clean } = found;
      if (cells.length === 0) this.emptyLines++;
      else if (clean !== null) {
        this.header ??= shapeOf(cells);
        this.#take(cells, this.emptyLines, clean, 'clean');
      } else {
        if (decode !== null) for (let n = 0; n < cells.length; n++) cells[n] = decode(cells[n]!);
        this.header ??= shapeOf(cells);
        const form = isQuoted ? 'quoted' : 'unquoted';
        this.#take(cells, this.emptyLines, text.subarray(at, endOf(text, next)), form);
      }
      at = next;
    }
    const rest = text.subarray(at);
    if (rest.length > Math.min(mostBegun, this.#mostBytes) || (isLast && rest.length > 0)) return rest;
    this.#begun = rest;
    return null;
  }

  /** A record without quotes; its cells are none if it is a blank line. */
  #readLine(chars: string, at: number, end: number, hasReturns: boolean): Found {
    if (end < 0) return 'begun';
    let line = chars.slice(at, end);
    if (hasReturns) {
      const first = line.indexOf('\r');
      if (first >= 0 && first < line.length - 1) return 'other';
      if (first >= 0) line = line.slice(0, first);
    }
    const clean = this.#unclean.test(line) ? null : line;
    return { cells: line === '' ? [] : line.split(this.#delimiter), next: end + 1, clean };
  }

  #readQuoted(chars: string, from: number): Found {
    const cells: string[] = [];
    for (let at = from; ; ) {
      const isQuoted = chars.charCodeAt(at) === quote;
      const cell = isQuoted ? readQuotedCell(chars, at) : this.#readPlainCell(chars, at);
      if (typeof cell === 'string') return cell;
      cells.push(cell.text);
      const ending = chars.charCodeAt(cell.end);
      at = cell.end + 1;
      if (ending === this.#separator) continue;
      if (ending === lineFeed) return { cells, next: at, clean: null };
      if (ending !== carriageReturn) return at > chars.length ? 'begun' : 'other';
      if (at >= chars.length) return 'begun';
      return chars.charCodeAt(at) === lineFeed ? { cells, next: at + 1, clean: null } : 'other';
    }
  }

  #readPlainCell(chars: string, from: number): Cell {
    for (let at = from; at < chars.length; at++) {
      const code = chars.charCodeAt(at);
      if (code === quote) return 'other';
      if (code === this.#separator || code === lineFeed || code === carriageReturn)
        return { text: chars.slice(from, at), end: at };
    }
    return 'begun';
  }
}

type Cell = { text: string; end: number } | 'begun' | 'other';

/** A cell in quotes, which begins at `from`; `end` is the offset behind the quote that closes it. */
function readQuotedCell(chars: string, from: number): Cell {
  let text = '';
  for (let at = from + 1; ; ) {
    const closing = chars.indexOf('"', at);
    // A quote that ends the text so far may be the first of two.
    if (closing < 0 || closing + 1 >= chars.length) return 'begun';
    if (chars.charCodeAt(closing + 1) !== quote) {
      const last = chars.slice(at, closing);
      return { text: text === '' ? last : text + last, end: closing + 1 };
    }
    text += chars.slice(at, closing + 1);
    at = closing + 2;
  }
}

/** The end of a record's content, before its line end. */
function endOf(text: Buffer, next: number): number {
  return text[next - 2] === carriageReturn ? next - 2 : next - 1;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
const ascii = /^[\x00-\x7f]*$/;

function decodeCell(cell: string): string {
  return ascii.test(cell) ? cell : Buffer.from(cell, 'latin1').toString('utf8');
}

/** null: the row is blank. */
function shapeOf(cells: readonly string[]): HeaderShape | null {
  const filled = 1 + cells.findLastIndex((cell) => !isBlank(cell));
  return filled === 0 ? null : { cells: cells.length, filled };
}

function isBlank(cell: string): boolean {
  for (let at = 0; at < cell.length; at++) {
    const code = cell.charCodeAt(at);
    if (code !== space && code !== tab && code !== lineFeed && code !== carriageReturn) return false;
  }
  return true;
}
