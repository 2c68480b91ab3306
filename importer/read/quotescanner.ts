/**
 * Checks the quotes of a CSV text byte by byte, before it is parsed (rule F4). A cell that begins with a quote ends with one;
 * a row that breaks this is faulty where it is certain which text is the row, otherwise the whole file is refused.
 */
import { refuse } from '../codes.js';
import type { Refusal } from '../types.js';
import type { HeaderShape } from './plainrows.js';

/** `lead`: blanks at the beginning of a cell; `closed`: behind a quote that closes or is doubled; `trail`: blanks behind it. */
type Place = 'start' | 'lead' | 'plain' | 'quoted' | 'closed' | 'trail' | 'faulty';

const quote = 34;
const space = 32;
const tab = 9;
const lineFeed = 10;
const carriageReturn = 13;

/** Text has no zero byte: a cell that begins with one is the line of a faulty row. */
const faultyMark = '\0';

/** The line of a faulty row as it is written; null: the row is not faulty. */
export function readFaultyLine(cells: readonly string[]): string | null {
  return cells[0]!.startsWith(faultyMark) ? cells[0]!.slice(1) : null;
}

/**
 * Gives the text on without blanks around quoted cells, with each faulty row as one quoted cell that `readFaultyLine` reads.
 * Where the text ends is for the caller: text is held back until its line ends.
 */
export class QuoteScanner {
  /** Set once the file is refused; the rest of the text is not looked at. */
  refusal: Refusal | null = null;

  #place: Place = 'start';
  #previous = 0;
  #line: number;
  #openedAt = 0;
  /** Separators of the record so far; the cells up to the last one that is not blank. */
  #separators = 0;
  #filled = 0;
  #header: HeaderShape | null;
  /** The line of a faulty row; the next record decides whether it is certain. 0: none. */
  #doubted = 0;
  /** Whether the parser has the beginning of the record already: it has several lines, or a long one. */
  #isReleased = false;

  /** The current line: as it is written, and as it is parsed, up to the current chunk. */
  #written: Buffer[] = [];
  #writtenBytes = 0;
  #edited: Buffer[] = [];
  /** Blanks that are dropped if a quote follows. */
  #lead: Buffer[] = [];

  #chunk: Buffer = Buffer.alloc(0);
  #out: Buffer[] = [];
  /** Offsets in the chunk: of the first byte not given on, and of the current line. */
  #from = 0;
  #lineFrom = 0;

  readonly #separator: number;
  readonly #mostBytes: number;

  /**
   * @param line the first line's number.
   * @param mostBytes of one faulty line.
   * @param header of the file, where the text is the rest of one; null: the text begins with it.
   */
  constructor(delimiter: string, line: number, mostBytes: number, header: HeaderShape | null = null) {
    this.#header = header;
    this.#separator = delimiter.charCodeAt(0);
    this.#line = line;
    this.#mostBytes = mostBytes;
  }

  /** Takes the next piece of the text, and returns the text to parse. */
  push(chunk: Buffer): Buffer {
    this.#chunk = chunk;
    this.#from = 0;
    this.#lineFrom = 0;
    let at = 0;
    for (; at < chunk.length && this.refusal === null; at++) {
      if (this.#place === 'plain') at = this.#skipPlain(at);
      if (at < chunk.length) this.#take(chunk[at]!, at);
      else break;
    }
    // The byte that is refused is not parsed.
    return this.#endChunk(this.refusal === null ? at : at - 1);
  }

  /** Ends the text, and returns the rest of the text to parse. */
  end(): Buffer {
    this.#chunk = Buffer.alloc(0);
    this.#from = 0;
    this.#lineFrom = 0;
    if (this.#place === 'quoted') this.#refuse(this.#openedAt);
    else {
      if (this.#place === 'lead') this.#keepLead();
      this.#endRecord(0);
    }
    this.#isReleased = true;
    return this.#endChunk(0);
  }

  /** The offset where a cell without quotes ends: most bytes of a file need no more than this. */
  #skipPlain(from: number): number {
    const [chunk, separator] = [this.#chunk, this.#separator];
    let at = from;
    for (; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === separator || byte === lineFeed || byte === carriageReturn) break;
    }
    if (at > from) this.#previous = 0;
    return at;
  }

  #take(byte: number, at: number): void {
    const isSecondEnd = byte === lineFeed && this.#previous === carriageReturn;
    this.#previous = byte;
    if (isSecondEnd) {
      this.#lineFrom = at + 1;
      return;
    }
    const isEnd = byte === lineFeed || byte === carriageReturn;
    if (this.#place === 'quoted') {
      if (byte === quote) this.#place = 'closed';
      else if (isEnd) this.#continueRecord(at);
      else if (byte !== space && byte !== tab) this.#filled = this.#separators + 1;
    } else if (this.#place === 'faulty') {
      if (isEnd) this.#endLine(at);
    } else if (isEnd || byte === this.#separator) {
      if (this.#place === 'lead') this.#keepLead();
      else if (this.#place === 'trail') this.#from = at;
      if (isEnd) this.#endLine(at);
      else {
        this.#separators++;
        this.#place = 'start';
      }
    } else if (this.#place !== 'plain') this.#takeAtEdge(byte, at);
  }

  /** A byte at the beginning of a cell, or behind the quote that closes it. */
  #takeAtEdge(byte: number, at: number): void {
    const isBlank = byte === space || byte === tab;
    const isBefore = this.#place === 'start' || this.#place === 'lead';
    if (isBlank) {
      if (this.#place === 'start' || this.#place === 'closed') {
        this.#edit(at);
        this.#from = at;
        this.#place = isBefore ? 'lead' : 'trail';
      }
    } else if (byte === quote && isBefore) {
      if (this.#place === 'lead') {
        this.#lead = [];
        this.#from = at;
      }
      this.#openedAt = this.#line;
      this.#place = 'quoted';
    } else if (byte === quote && this.#place === 'closed') {
      this.#filled = this.#separators + 1;
      this.#place = 'quoted';
    } else if (isBefore) {
      if (this.#place === 'lead') this.#keepLead();
      this.#filled = this.#separators + 1;
      this.#place = 'plain';
    } else if (this.#isReleased || this.#writtenBytes + at - this.#lineFrom > this.#mostBytes) {
      if (this.#place === 'trail') this.#from = at;
      this.#refuse(this.#openedAt);
    } else this.#place = 'faulty';
  }

  /** The blanks belong to a cell without quotes. */
  #keepLead(): void {
    this.#edited.push(...this.#lead);
    this.#lead = [];
  }

  /** Gives the text before an offset of the current line on, so that text behind it can be left out. */
  #edit(at: number): void {
    this.#giveLines();
    if (this.#from < at) this.#edited.push(this.#chunk.subarray(this.#from, at));
    this.#from = at;
  }

  /** Gives the lines before the current one on. */
  #giveLines(): void {
    if (this.#from >= this.#lineFrom) return;
    this.#out.push(this.#chunk.subarray(this.#from, this.#lineFrom));
    this.#from = this.#lineFrom;
  }

  /** A line ends within quotes. */
  #continueRecord(at: number): void {
    this.#isReleased = true;
    this.#beginLine(at);
  }

  #beginLine(at: number): void {
    if (this.#edited.length > 0) this.#out.push(...this.#edited);
    this.#edited = [];
    this.#written = [];
    this.#writtenBytes = 0;
    this.#line++;
    this.#lineFrom = at + 1;
  }

  /** A record ends with its line. */
  #endLine(at: number): void {
    this.#endRecord(at);
    if (this.refusal === null) this.#beginLine(at);
  }

  #endRecord(at: number): void {
    if (this.#place === 'faulty') this.#endFaulty(at);
    else if (this.#filled > 0) {
      const cells = this.#separators + 1;
      if (this.#header === null) this.#header = { cells, filled: this.#filled };
      else if (this.#doubted > 0) {
        if (cells < this.#header.filled || this.#filled > this.#header.cells) this.#refuse(this.#doubted);
        this.#doubted = 0;
      }
    }
    this.#place = 'start';
    this.#separators = 0;
    this.#filled = 0;
    this.#isReleased = false;
  }

  #endFaulty(at: number): void {
    this.#giveLines();
    const line = Buffer.concat([...this.#written, this.#chunk.subarray(this.#lineFrom, at)]);
    this.#edited = [];
    this.#from = at;
    if (this.#header === null || line.length > this.#mostBytes) this.#refuse(this.#line);
    else if (this.#doubted > 0) this.#refuse(this.#doubted);
    else {
      this.#doubted = this.#line;
      this.#out.push(Buffer.from(`"${faultyMark}${line.toString().replaceAll('"', '""')}"`));
    }
  }

  /** Keeps the line that has not ended, and gives the rest on. */
  #endChunk(end: number): Buffer {
    this.#giveLines();
    if (this.#place === 'lead') this.#lead.push(this.#chunk.subarray(this.#from, end));
    else if (this.#place !== 'trail' && this.#from < end) this.#edited.push(this.#chunk.subarray(this.#from, end));
    if (!this.#isReleased && this.refusal === null) {
      this.#written.push(this.#chunk.subarray(this.#lineFrom, end));
      this.#writtenBytes += end - this.#lineFrom;
      if (this.#writtenBytes > this.#mostBytes) {
        if (this.#place === 'faulty') {
          this.#edited = [];
          this.#refuse(this.#line);
        } else this.#isReleased = true;
      }
    }
    if (this.#isReleased || this.refusal !== null) {
      this.#out.push(...this.#edited);
      this.#edited = [];
      this.#written = [];
    }
    const out = this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out);
    this.#out = [];
    return out;
  }

  #refuse(line: number): void {
    this.refusal = refuse('unclosed_quote', {}, line);
  }
}
