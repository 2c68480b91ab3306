/**
 * Cuts a CSV text into its records without reading their cells: at each line end outside quotes. Ten times faster than
 * parsing, and right wherever quotes are balanced within each record, as RFC 4180 has them.
 */

export interface RawRecord {
  /** 1-based line of the text where it begins. */
  line: number;
  /** As it stands in the text, with its line end. */
  bytes: Buffer;
}

/** The text has to be read as a whole: quotes and line ends alone don't tell its records, or rows depend on some left out. */
export class RaggedError extends Error {}

const lineFeed = 10;
const carriageReturn = 13;
const quote = 34;

export class RecordCutter {
  #line = 1;
  /** Lines of the record at work that have ended within quotes. */
  #within = 0;
  #isOpen = false;
  #previous = 0;
  #begun: Buffer[] = [];
  #begunBytes = 0;

  /** @param mostBytes of one record. */
  constructor(private readonly mostBytes: number) {}

  /**
   * The records that end in the next piece of the text.
   * @throws RaggedError for a line that ends with CR alone, and a record that is too long.
   */
  push(chunk: Buffer): RawRecord[] {
    const records: RawRecord[] = [];
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (this.#previous === carriageReturn && byte !== lineFeed) throw new RaggedError('a line ends with CR alone');
      this.#previous = byte;
      if (byte === quote) this.#isOpen = !this.#isOpen;
      else if (byte !== lineFeed) continue;
      else if (this.#isOpen) this.#within++;
      else {
        records.push(this.#endRecord(chunk.subarray(start, at + 1)));
        start = at + 1;
      }
    }
    if (start < chunk.length) {
      this.#begun.push(chunk.subarray(start));
      this.#begunBytes += chunk.length - start;
      if (this.#begunBytes > this.mostBytes) throw new RaggedError('a record does not end');
    }
    return records;
  }

  /**
   * The record that the text's end ends, if there is one.
   * @throws RaggedError for a quote that is still open.
   */
  end(): RawRecord[] {
    if (this.#isOpen || this.#previous === carriageReturn) throw new RaggedError('the text ends within a record');
    return this.#begun.length === 0 ? [] : [this.#endRecord(Buffer.alloc(0))];
  }

  #endRecord(end: Buffer): RawRecord {
    const bytes = this.#begun.length === 0 ? end : Buffer.concat([...this.#begun, end]);
    const record = { line: this.#line, bytes };
    this.#line += this.#within + 1;
    this.#within = 0;
    this.#begun = [];
    this.#begunBytes = 0;
    return record;
  }
}

/** The record without its line end. */
export function trimRecord({ bytes }: RawRecord): Buffer {
  let end = bytes.length;
  if (bytes[end - 1] === lineFeed) end--;
  if (bytes[end - 1] === carriageReturn) end--;
  return bytes.subarray(0, end);
}

/** Spaces, delimiters, and quotes in pairs: one that stands alone would end a cell that an earlier record has begun. */
const blank = /^(?:[ \t,;|\r\n]|"")*$/;

/** Whether parsing makes no row of it, or a row of blank cells: by itself, and it does not end one before it. */
export function isBlank({ bytes }: RawRecord): boolean {
  return blank.test(bytes.toString('latin1'));
}

/** The lines that a record takes. */
export function countLines({ bytes }: RawRecord): number {
  let count = 0;
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) count++;
  return count;
}
