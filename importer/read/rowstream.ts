/**
 * Streams the rows of a file to planning: all of them, or only those that are not known already. Each row has the digest by
 * which a later run will know it.
 */
import { RefusalError } from '../codes.js';
import { digestOf, hexOf, type KnownRows } from './knownrowfilter.js';
import { mapRows } from './maprows.js';
import { type Digests, type Limits, type Row, readRows } from './parse.js';
import { countLines, isBlank, RaggedError, type RawRecord, RecordCutter, trimRecord } from './records.js';
import type { Source } from './source.js';
import { decodeText } from './utf8text.js';

export interface DigestedRow extends Row {
  /** null: the end of the row in the text is not certain. */
  digest: string | null;
}

export interface Reading {
  /** The number of known rows, which `open` leaves out; `met` is 1 at the position of each among the known rows. */
  recognized: number;
  met: Uint8Array | null;
  /**
   * Reads from the beginning at each call. The header comes first; lines are those of the file.
   * @throws RefusalError; RaggedError where rows are left out of a file that has to be read whole.
   */
  open(): AsyncGenerator<Row[]>;
  openDigested(): AsyncGenerator<DigestedRow[]>;
  /** Whether all digests of the last reading are right. */
  isSure(): boolean;
}

/** A file with more changed rows is read whole: changed rows are held in memory. */
const mostChangedBytes = 16 * 1024 * 1024;
const mostChangedRows = 100_000;

/** Reads every row. */
export function readWhole(source: Source, limits: Limits): Reading {
  let digests = new RowDigests(limits);
  async function* openDigested(): AsyncGenerator<DigestedRow[]> {
    const own = new RowDigests(limits);
    digests = own;
    const rows = readRows(decodeText(source.open()), () => decodeText(source.open()), limits, own);
    yield* mapRows(own.complete(rows), source.mapper, limits);
  }
  const open = () => openRows(source, limits);
  return { recognized: 0, met: null, open, openDigested, isSure: () => digests.areSure() };
}

/** The rows of a file, header first. @throws RefusalError */
export function openRows(source: Source, limits: Limits): AsyncGenerator<Row[]> {
  const reopen = () => decodeText(source.open());
  return mapRows(readRows(reopen(), reopen, limits), source.mapper, limits);
}

/** Reads a file again for one row; null: no row begins on that line. */
export async function findRow(open: Reading['open'], line: number): Promise<Row | null> {
  for await (const batch of open()) {
    const found = batch.find((row) => row.line === line);
    if (found !== undefined) return found;
  }
  return null;
}

/** Gives each row the digest of its record; those of rows that csv-parse reads are found beside it, by their lines. */
class RowDigests implements Digests<DigestedRow> {
  readonly #pairing = new Pairing();
  readonly #limits: Limits;
  /** null: csv-parse has read nothing. */
  #cutter: RecordCutter | null = null;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  add({ line, cells, isClean = false }: Row, record: Buffer | string): DigestedRow {
    return { line, cells, isClean, digest: digestOf(record) };
  }

  read(text: Buffer, line: number): void {
    this.#cutter ??= new RecordCutter(mostBytesOf(this.#limits), line);
    this.#pair(() => this.#cutter!.push(text));
  }

  end(): void {
    if (this.#cutter !== null) this.#pair(() => this.#cutter!.end());
  }

  async *complete(batches: AsyncIterable<Row[]>): AsyncGenerator<DigestedRow[]> {
    for await (const batch of batches)
      yield batch.map((row) =>
        'digest' in row ? (row as DigestedRow) : { ...row, digest: this.#pairing.take(row.line)?.digest ?? null },
      );
  }

  /** Once the text has ended. */
  areSure(): boolean {
    return this.#pairing.isWhole();
  }

  #pair(cut: () => RawRecord[]): void {
    try {
      for (const record of this.#pairing.isRagged ? [] : cut())
        this.#pairing.add({ ...record, place: record.line, digest: digestOf(trimRecord(record)) });
    } catch (error) {
      if (!(error instanceof RaggedError)) throw error;
      this.#pairing.isRagged = true;
    }
  }
}

/**
 * Reads the rows that are not known; null: there are too many of them, or the file has to be read whole.
 * @param onProgress is called with the number of rows read so far.
 */
export async function readChanged(
  source: Source,
  limits: Limits,
  known: KnownRows,
  onProgress: (rows: number) => void,
): Promise<Reading | null> {
  if (known.form === null || !known.hasStored) return null;
  const changed = new ChangedRecords(known);
  try {
    const cutter = new RecordCutter(mostBytesOf(limits));
    for await (const chunk of decodeText(source.open())) {
      if (!cutter.push(chunk).every((record) => changed.take(record))) return null;
      onProgress(changed.rows);
    }
    if (!cutter.end().every((record) => changed.take(record)) || changed.rows > limits.maxRows) return null;
  } catch (error) {
    // Reading the whole file reports the problem.
    if (error instanceof RaggedError || error instanceof RefusalError) return null;
    throw error;
  }
  const { recognized, met, records } = changed;
  const open = () => mapRows(openChanged(records, limits), source.mapper, limits);
  return { recognized, met, open, openDigested: open, isSure: () => true };
}

/** The records of a file without those of known rows. */
class ChangedRecords {
  readonly records: PlacedRecord[] = [];
  readonly met: Uint8Array;
  recognized = 0;
  #bytes = 0;
  #place = 1;
  #hasHeader = false;
  readonly #known: KnownRows;

  constructor(known: KnownRows) {
    this.#known = known;
    this.met = new Uint8Array(known.size);
  }

  get rows(): number {
    return this.recognized + this.records.length;
  }

  /** false: the whole file has to be read. */
  take(record: RawRecord): boolean {
    const digest = digestOf(trimRecord(record));
    if (this.#hasHeader) {
      const place = this.#known.find(digest);
      // The same row twice: the plan decides how they count.
      if (place >= 0 && this.met[place] === 1) return false;
      if (place >= 0) {
        this.met[place] = 1;
        this.recognized++;
        return true;
      }
      // A line before the header may name another delimiter.
    } else if (hexOf(digest) !== this.#known.form?.header) return false;
    else this.#hasHeader = true;
    // A copy: a reference would keep the whole chunk in memory.
    this.records.push({ ...record, bytes: Buffer.from(record.bytes), digest, place: this.#place });
    this.#place += countLines(record);
    this.#bytes += record.bytes.length;
    return this.#bytes <= mostChangedBytes && this.records.length <= mostChangedRows;
  }
}

async function* openChanged(records: readonly PlacedRecord[], limits: Limits): AsyncGenerator<DigestedRow[]> {
  const pairing = new Pairing();
  for (const record of records) pairing.add(record);
  async function* text(): AsyncGenerator<Buffer> {
    for (let at = 0; at < records.length; at += 1000)
      yield Buffer.concat(records.slice(at, at + 1000).map(({ bytes }) => bytes));
  }
  for await (const batch of readRows(text(), text, limits)) {
    yield batch.map(({ line: place, cells, faulty }) => {
      if (faulty !== undefined) throw new RaggedError('the next row decides whether a faulty row is certain');
      const record = pairing.take(place);
      if (record === null)
        throw new RaggedError('the rows that the parser reads are not those that the quotes delimit');
      return { line: record.line, cells, digest: record.digest };
    });
  }
  if (!pairing.isWhole()) throw new RaggedError('a record is not a row');
}

interface PlacedRecord extends RawRecord {
  digest: string;
  /** The line where it begins in the text that is parsed: the file, or the file without known rows. */
  place: number;
}

/** Records that were taken are released together once there are this many. */
const mostTaken = 10_000;

/** Matches records with the rows that parsing makes of them. Once they differ, `isRagged` is set and no digest is certain. */
class Pairing {
  isRagged = false;
  #waiting: PlacedRecord[] = [];
  #next = 0;

  add(record: PlacedRecord): void {
    if (this.#next > mostTaken) [this.#waiting, this.#next] = [this.#waiting.slice(this.#next), 0];
    this.#waiting.push(record);
  }

  /** The record of the row that parsing found at a line; null: there is none. */
  take(place: number): PlacedRecord | null {
    while (!this.isRagged && this.#next < this.#waiting.length) {
      const record = this.#waiting[this.#next]!;
      if (record.place > place) break;
      this.#next++;
      if (record.place === place) return record;
      if (!isBlank(record)) break;
    }
    this.isRagged = true;
    this.#waiting = [];
    return null;
  }

  /** Whether every record without a row is blank. */
  isWhole(): boolean {
    return !this.isRagged && this.#waiting.slice(this.#next).every(isBlank);
  }
}

/** A longer record has a cell above its limit. */
function mostBytesOf({ maxCellBytes, maxColumns }: Limits): number {
  return maxCellBytes * 2 + 64 * maxColumns;
}
