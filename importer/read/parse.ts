/** Reads CSV rows with their line numbers, in batches: csv-parse reads the text whose quotes were checked (rules F3, F4, F9). */
import { type CsvError, parse } from 'csv-parse';
import type { Settings } from '../../config/settings.js';
import { RefusalError, refuse } from '../codes.js';
import type { Refusal } from '../types.js';
import { QuoteScanner, readFaultyLine } from './quotescanner.js';
import { type Beginning, findDelimiter, headerBytes } from './separator.js';

export interface Row {
  /** 1-based line of the file where the row begins. */
  line: number;
  cells: string[];
  /** The line as it is written, of a row whose quotes are faulty: its only cell is that line. */
  faulty?: string;
  /** Why the import hook `mapRow` could not map the row; `cells` are those that were sent. */
  problem?: { code: 'cell_count' | 'hook_fault'; details: Record<string, string | number> };
}

export type Limits = Pick<Settings, 'maxRows' | 'maxColumns' | 'maxCellBytes'>;

const batchRows = 5000;

/**
 * Yields the rows in batches, the header first; blank lines are left out. No batch has rows of two chunks.
 * @param chunks valid UTF-8 text.
 * @param reopen gives the same text again, to find the quote by which a record does not end.
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
  let found: Beginning = { delimiter: ',', bytes: 0 };
  let scanner: QuoteScanner | undefined;
  // csv-parse's own line count takes a CRLF inside quotes for two lines.
  let linesOfRecords = 0;
  const take = (cells: string[], emptyLines: number) => {
    const line = 1 + linesOfRecords + emptyLines;
    linesOfRecords += 1 + countNewlines(cells);
    nextLine = 1 + linesOfRecords + emptyLines;
    const faulty = readFaultyLine(cells);
    if (faulty !== null) {
      batch.push({ line, cells: [faulty], faulty });
      return;
    }
    checkCells(cells, line, limits);
    if (!cells.every(isBlank)) batch.push({ line, cells });
  };
  let waiting: Buffer[] = [];
  const feed = async function* (piece: Buffer): AsyncGenerator<Row[]> {
    let text = piece;
    if (parser === undefined) {
      found = findDelimiter(piece);
      if (found.bytes > 0) linesOfRecords = 1;
      text = piece.subarray(found.bytes);
      parser = startParser(found.delimiter, limits, take);
      scanner = startScanner(found, limits);
    }
    await parser.write(scanner!.push(text));
    if (scanner!.refusal !== null) await refuseQuote(parser, scanner!.refusal);
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
    if (parser !== undefined && scanner !== undefined) {
      await parser.write(scanner.end());
      if (scanner.refusal !== null) await refuseQuote(parser, scanner.refusal);
      await parser.end();
    }
    if (batch.length > 0) yield batch;
  } catch (error) {
    throw await translate(error, () => findRefusal(reopen(), found, limits), nextLine, limits);
  } finally {
    parser?.close();
  }
}

function startScanner({ delimiter, bytes }: Beginning, limits: Limits): QuoteScanner {
  // The parser counts the mark of a faulty line too.
  return new QuoteScanner(delimiter, bytes > 0 ? 2 : 1, mostRecordBytes(limits) - 16);
}

/** Refuses the file, for a cell before the quote if there is one. */
async function refuseQuote(parser: ReturnType<typeof startParser>, refusal: Refusal): Promise<never> {
  const error = await parser.end().then(
    () => null,
    (cause: unknown) => cause,
  );
  throw error instanceof RefusalError ? error : new RefusalError(refusal);
}

/** Past this no cell can be within its limit; it keeps a file without newlines from filling the memory. */
function mostRecordBytes({ maxCellBytes, maxColumns }: Limits): number {
  return maxCellBytes * 2 + 64 * maxColumns;
}

function startParser(delimiter: string, limits: Limits, take: (cells: string[], emptyLines: number) => void) {
  let failure: Error | undefined;
  const parser = parse({
    delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: mostRecordBytes(limits),
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
  findRefusal: () => Promise<Refusal | null>,
  nextLine: number,
  limits: Limits,
): Promise<unknown> {
  const { code } = error as CsvError;
  if (code !== 'CSV_QUOTE_NOT_CLOSED' && code !== 'CSV_MAX_RECORD_SIZE') return error;
  const found = await findRefusal();
  return new RefusalError(found ?? refuse('cell_too_large', { limit: limits.maxCellBytes }, nextLine));
}

/** Reads the whole text, for a quote that makes a record too long; null: its quotes are right. */
async function findRefusal(
  chunks: AsyncIterable<Buffer>,
  beginning: Beginning,
  limits: Limits,
): Promise<Refusal | null> {
  const scanner = startScanner(beginning, limits);
  let { bytes } = beginning;
  for await (const chunk of chunks) {
    const skipped = Math.min(bytes, chunk.length);
    bytes -= skipped;
    scanner.push(chunk.subarray(skipped));
    if (scanner.refusal !== null) return scanner.refusal;
  }
  scanner.end();
  return scanner.refusal;
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
