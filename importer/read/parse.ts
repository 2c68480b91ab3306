/** Reads CSV rows with their line numbers, in batches, through csv-parse (RFC 4180; rules F3, F4, F9). */
import { type CsvError, parse } from 'csv-parse';
import type { Settings } from '../../config/settings.js';
import { RefusalError, refuse } from '../codes.js';
import { labelKey } from './normalize.js';

export interface Row {
  /** 1-based line of the file where the row begins. */
  line: number;
  cells: string[];
}

export type Limits = Pick<Settings, 'maxRows' | 'maxColumns' | 'maxCellBytes'>;

const delimiters = [',', ';', '\t', '|'] as const;
const headerBytes = 64 * 1024;
const batchRows = 5000;

/**
 * Yields the rows in batches, the header first; blank lines are left out. No batch has rows of two chunks.
 * @param chunks valid UTF-8 text.
 * @param reopen gives the same text again, to find a quote that is never closed.
 * @throws RefusalError
 */
export async function* readRows(
  chunks: AsyncIterable<Buffer>,
  reopen: () => AsyncIterable<Buffer>,
  limits: Limits,
): AsyncGenerator<Row[]> {
  let batch: Row[] = [];
  let nextLine = 1;
  let parser: ReturnType<typeof startParser> | undefined;
  let delimiter = ',';
  // csv-parse's own line count takes a CRLF inside quotes for two lines.
  let linesOfRecords = 0;
  const take = (cells: string[], emptyLines: number) => {
    const line = 1 + linesOfRecords + emptyLines;
    linesOfRecords += 1 + countNewlines(cells);
    nextLine = 1 + linesOfRecords + emptyLines;
    checkCells(cells, line, limits);
    if (!cells.every(isBlank)) batch.push({ line, cells });
  };
  let waiting: Buffer[] = [];
  const feed = async function* (piece: Buffer): AsyncGenerator<Row[]> {
    let text = piece;
    if (parser === undefined) {
      const found = findDelimiter(piece);
      if (found.bytes > 0) linesOfRecords = 1;
      text = piece.subarray(found.bytes);
      delimiter = found.delimiter;
      parser = startParser(delimiter, limits, take);
    }
    await parser.write(text);
    const full = batch;
    batch = [];
    // One chunk may hold a hundred thousand rows, each of them with an issue.
    for (let at = 0; at < full.length; at += batchRows) yield full.slice(at, at + batchRows);
  };
  try {
    for await (const chunk of chunks) {
      if (parser === undefined) {
        // The whole header line decides the delimiter: wait for its end.
        waiting.push(chunk);
        const start = Buffer.concat(waiting);
        if (start.length < headerBytes && !start.includes(10)) continue;
        waiting = [];
        yield* feed(start);
      } else yield* feed(chunk);
    }
    if (waiting.length > 0) yield* feed(Buffer.concat(waiting));
    await parser?.end();
    if (batch.length > 0) yield batch;
  } catch (error) {
    throw await translate(error, () => findOpenQuote(reopen(), delimiter), nextLine, limits);
  } finally {
    parser?.close();
  }
}

function startParser(delimiter: string, limits: Limits, take: (cells: string[], emptyLines: number) => void) {
  let failure: Error | undefined;
  const parser = parse({
    delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    // Past this no cell can be within its limit; it keeps a file without newlines from filling the memory.
    max_record_size: limits.maxCellBytes * 2 + 64 * limits.maxColumns,
    on_record: (cells: string[], context) => {
      try {
        take(cells, context.empty_lines);
      } catch (error) {
        failure ??= error as Error;
      }
      return null;
    },
  });
  parser.on('error', (error) => {
    failure ??= error;
  });
  parser.resume();
  const settle = (resolve: () => void, reject: (error: Error) => void) => (error?: Error | null) => {
    const found = failure ?? error;
    if (found) reject(found);
    else resolve();
  };
  return {
    write: (text: Buffer) => new Promise<void>((resolve, reject) => parser.write(text, settle(resolve, reject))),
    end: () =>
      new Promise<void>((resolve, reject) => {
        parser.once('error', reject);
        parser.once('end', settle(resolve, reject));
        parser.end();
      }),
    close: () => parser.destroy(),
  };
}

/** Excel's own first line; programs that write the file again put it into quotes, and empty cells behind it. */
const excelLine = /^("?)sep=([,;\t|])\1\2*(?:\r\n|\n|\r)/i;

/** `sep=;` names the delimiter; otherwise the header line decides. `bytes`: the length of the `sep=` line. */
function findDelimiter(start: Buffer): { delimiter: string; bytes: number } {
  const named = excelLine.exec(start.subarray(0, 4096).toString('latin1'));
  if (named === null) return { delimiter: guessDelimiter(start), bytes: 0 };
  return { delimiter: named[2]!, bytes: named[0].length };
}

/** How a file is written, so that the file of its rejected rows can be written in the same way. */
export interface Form {
  delimiter: string;
  /** Excel's own first line; empty where there is none. */
  first: string;
}

/** @param chunks as readRows takes them. */
export async function detectForm(chunks: AsyncIterable<Buffer>): Promise<Form> {
  const start: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    start.push(chunk);
    bytes += chunk.length;
    if (bytes >= headerBytes || chunk.includes(10)) break;
  }
  const text = Buffer.concat(start);
  const found = findDelimiter(text);
  return { delimiter: found.delimiter, first: found.bytes > 0 ? `sep=${found.delimiter}\r\n` : '' };
}

/** The delimiter with which the header has a key column; otherwise the one that it has most often. */
function guessDelimiter(start: Buffer): string {
  const text = start.subarray(0, headerBytes).toString('utf8').trimStart();
  const header = text.split(/\r?\n|\r/, 1)[0]!.replaceAll('"', '');
  const known = delimiters.find((one) =>
    header.split(one).some((label) => ['useremail', 'teamname'].includes(labelKey(label))),
  );
  if (known !== undefined) return known;
  const byCount = [...delimiters].sort((a, b) => header.split(b).length - header.split(a).length);
  return byCount[0]!;
}

function checkCells(cells: string[], line: number, limits: Limits): void {
  if (cells.length > 4 * limits.maxColumns) {
    throw new RefusalError(refuse('too_many_columns', { count: cells.length, limit: limits.maxColumns }, line));
  }
  for (const cell of cells) {
    // A UTF-16 length is at most the UTF-8 length: the exact count is needed only near the limit.
    if (cell.length * 3 > limits.maxCellBytes && Buffer.byteLength(cell) > limits.maxCellBytes) {
      throw new RefusalError(refuse('cell_too_large', { limit: limits.maxCellBytes }, line));
    }
  }
}

async function translate(
  error: unknown,
  findOpened: () => Promise<number | null>,
  nextLine: number,
  limits: Limits,
): Promise<unknown> {
  const { code } = error as CsvError;
  if (code !== 'CSV_QUOTE_NOT_CLOSED' && code !== 'CSV_MAX_RECORD_SIZE') return error;
  const opened = await findOpened();
  if (opened !== null) return new RefusalError(refuse('unclosed_quote', {}, opened));
  return new RefusalError(refuse('cell_too_large', { limit: limits.maxCellBytes }, nextLine));
}

/**
 * The line of the quote that is open at the end of the text; null when all are closed. As the parser has it, a quote opens at
 * the beginning of a cell only, and text behind a closing quote belongs to the cell.
 */
async function findOpenQuote(chunks: AsyncIterable<Buffer>, delimiter: string): Promise<number | null> {
  const separator = delimiter.charCodeAt(0);
  let line = 1;
  let openedAt = 0;
  let place: 'start' | 'plain' | 'quoted' | 'closed' = 'start';
  let previous = 0;
  for await (const chunk of chunks) {
    for (const byte of chunk) {
      const isEnd = byte === 10 || byte === 13;
      if (isEnd && !(byte === 10 && previous === 13)) line++;
      previous = byte;
      if (place === 'quoted') {
        if (byte === 34) place = 'closed';
      } else if (byte === 34 && place !== 'plain') {
        // At the start of a cell, or doubled: a doubled quote continues a cell that was opened before.
        if (place === 'start') openedAt = line;
        place = 'quoted';
      } else place = isEnd || byte === separator ? 'start' : 'plain';
    }
  }
  return place === 'quoted' ? openedAt : null;
}

function countNewlines(cells: string[]): number {
  let count = 0;
  for (const cell of cells) {
    if (!cell.includes('\n') && !cell.includes('\r')) continue;
    count += cell.match(/\r\n|\n|\r/g)!.length;
  }
  return count;
}

function isBlank(cell: string): boolean {
  return cell === '' || cell.trim() === '';
}
