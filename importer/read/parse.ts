/** Reads CSV rows with their line numbers, in batches: csv-parse reads the text whose quotes were checked (rules F3, F4, F9). */
import { type CsvError, parse } from 'csv-parse';
import type { Settings } from '../../config/settings.js';
import { RefusalError, refuse } from '../codes.js';
import type { Refusal } from '../types.js';
import { type HeaderShape, PlainRows, type RecordForm } from './plainrows.js';
import { QuoteScanner, readFaultyLine } from './quotescanner.js';
import { type Beginning, findDelimiter, headerBytes } from './separator.js';

export interface Row {
  /** 1-based line of the file where the row begins. */
  line: number;
  cells: string[];
  /** Each cell is its own value, without trimming and the like (as in RecordForm). */
  isClean?: boolean;
  /** The line as it is written, of a row whose quotes are faulty: its only cell is that line. */
  faulty?: string;
  /** Why the import hook `mapRow` could not map the row; `cells` are those that were sent. */
  problem?: { code: 'cell_count' | 'hook_fault'; details: Record<string, string | number> };
}

/** Takes what a digest of each row needs. */
export interface Digests<R extends Row> {
  /** The row with its digest. @param record its bytes, or its text where that is ASCII, without the line end. */
  add(row: Row, record: Buffer | string): R;
  /** Takes the text that csv-parse reads, beside it: from this line on, which begins a record, to the end. */
  read(text: Buffer, line: number): void;
  /** The text has ended. */
  end(): void;
}

export type Limits = Pick<Settings, 'maxRows' | 'maxColumns' | 'maxCellBytes'>;

const batchRows = 5000;

/**
 * Yields the rows in batches, the header first; blank lines are left out. No batch has rows of two chunks.
 * @param chunks valid UTF-8 text.
 * @param reopen gives the same text again, to find the quote by which a record does not end.
 * @param digests absent: the rows have none.
 * @param isPlain false: csv-parse reads all rows, those too that are read without it otherwise.
 * @throws RefusalError
 */
export async function* readRows<R extends Row = Row>(
  chunks: AsyncIterable<Buffer>,
  reopen: () => AsyncIterable<Buffer>,
  limits: Limits,
  digests?: Digests<R>,
  isPlain = true,
): AsyncGenerator<R[]> {
  let batch: Row[] = [];
  let nextLine = 1;
  let found: Beginning = { delimiter: ',', bytes: 0 };
  let plain: PlainRows | undefined;
  let parser: ReturnType<typeof startParser> | undefined;
  let scanner: QuoteScanner | undefined;
  // csv-parse's own line count takes a CRLF inside quotes for two lines.
  let linesOfRecords = 0;
  const place = (cells: string[], emptyLines: number, mayBreak = true, isClean = false): Row => {
    const line = 1 + linesOfRecords + emptyLines;
    linesOfRecords += 1 + (mayBreak ? countNewlines(cells) : 0);
    nextLine = 1 + linesOfRecords + emptyLines;
    return { line, cells, isClean };
  };
  const take = (cells: string[], emptyLines: number) => {
    const row = place(cells, emptyLines);
    const faulty = readFaultyLine(cells);
    if (faulty !== null) {
      batch.push({ line: row.line, cells: [faulty], faulty });
      return;
    }
    checkCells(cells, row.line, limits);
    if (!cells.every(isBlank)) batch.push(row);
  };
  const takePlain = (cells: string[], emptyLines: number, record: Buffer | string, form: RecordForm) => {
    const row = place(cells, emptyLines, form === 'quoted', form === 'clean');
    checkCells(cells, row.line, limits);
    if (!cells.every(isBlank)) batch.push(digests === undefined ? row : digests.add(row, record));
  };
  const parseText = async (text: Buffer): Promise<void> => {
    if (parser === undefined) {
      linesOfRecords += plain!.emptyLines;
      parser = startParser(found.delimiter, limits, take);
      scanner = startScanner(found, limits, 1 + linesOfRecords, plain!.header);
    }
    digests?.read(text, 1 + linesOfRecords);
    await parser.write(scanner!.push(text));
    if (scanner!.refusal !== null) await refuseQuote(parser, scanner!.refusal);
  };
  const feed = async function* (piece: Buffer): AsyncGenerator<R[]> {
    let text = piece;
    if (plain === undefined) {
      found = findDelimiter(piece);
      if (found.bytes > 0) linesOfRecords = 1;
      text = piece.subarray(found.bytes);
      plain = new PlainRows(found.delimiter, mostRecordBytes(limits) - 16, takePlain);
    }
    const rest = isPlain && parser === undefined ? plain.push(text) : text;
    if (rest !== null) await parseText(rest);
    yield* taken();
  };
  const taken = function* (): Generator<R[]> {
    const full = batch as R[];
    batch = [];
    // One chunk may hold a hundred thousand rows, each of them with an issue.
    for (let at = 0; at < full.length; at += batchRows) yield full.slice(at, at + batchRows);
  };
  let waiting: Buffer[] = [];
  try {
    for await (const chunk of chunks) {
      if (plain === undefined) {
        // The whole header line decides the delimiter: wait for its end.
        waiting.push(chunk);
        const start = Buffer.concat(waiting);
        if (start.length < headerBytes && !start.includes(10)) continue;
        waiting = [];
        yield* feed(start);
      } else yield* feed(chunk);
    }
    if (waiting.length > 0) yield* feed(Buffer.concat(waiting));
    const rest = parser === undefined ? (plain?.end() ?? null) : null;
    if (rest !== null) await parseText(rest);
    if (parser !== undefined && scanner !== undefined) {
      await parser.write(scanner.end());
      if (scanner.refusal !== null) await refuseQuote(parser, scanner.refusal);
      await parser.end();
    }
    digests?.end();
    yield* taken();
  } catch (error) {
    throw await translate(error, () => findRefusal(reopen(), found, limits), nextLine, limits);
  } finally {
    parser?.close();
  }
}

function startScanner(
  { delimiter }: Beginning,
  limits: Limits,
  line: number,
  header: HeaderShape | null,
): QuoteScanner {
  // The parser counts the mark of a faulty line too.
  return new QuoteScanner(delimiter, line, mostRecordBytes(limits) - 16, header);
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
        // That of an earlier row comes first: csv-parse fails at the quote that stays open.
        parser.once('error', (error) => reject(failure ?? error));
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
  const scanner = startScanner(beginning, limits, beginning.bytes > 0 ? 2 : 1, null);
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
