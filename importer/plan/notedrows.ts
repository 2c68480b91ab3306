/** Notes the rows of a users file that later runs may know, and decides which of them have to be planned each time. */
import { cellAt } from '../read/cell.js';
import type { ColumnPlan } from '../read/columns.js';
import { readDate } from '../read/dates.js';
import { formOf } from '../read/firstpass.js';
import { readCell } from '../read/formulaguard.js';
import { digestOf, type KnownRows, mostKnownRows } from '../read/knownrowfilter.js';
import { LineSet } from '../read/lineset.js';
import type { Row } from '../read/parse.js';
import type { DigestedRow } from '../read/rowstream.js';
import type { UserRow } from '../read/userrow.js';
import type { FileInput } from './input.js';

/** The digest of rows whose own digest is not certain: no row has it. */
const uncertain = Buffer.alloc(32);

export class NotedRows {
  readonly #known: KnownRows | null;
  readonly #file: FileInput;
  readonly #deciding: DecidingRows;

  /** Rows of teams files, and of files that are too long, are not noted. */
  constructor(known: KnownRows, file: FileInput) {
    const isUsers = file.header.type === 'users';
    const isTooLong = file.rows > mostKnownRows;
    if (isUsers && isTooLong) known.forgetOthers();
    this.#known = isUsers && !isTooLong ? known : null;
    this.#file = file;
    this.#deciding = new DecidingRows(file.columns);
  }

  /** Whether the digests of rows are needed. */
  get needsDigests(): boolean {
    return this.#known !== null;
  }

  /** @param header the first row of the file. */
  begin({ line, digest }: DigestedRow): void {
    if (digest !== null && line === 1)
      this.#known?.begin(formOf(digest, this.#file.header, this.#file.columns), this.#file.rows);
  }

  note(row: DigestedRow, user: UserRow): void {
    this.#known?.note(row.digest ?? uncertain, digestOf(user.key), row.line);
    this.#deciding.look(row);
    // Whether its status and its date contradict each other depends on the day (rule U12b).
    const { status, rules } = this.#file.columns;
    const isRead = status !== null && rules.statuses !== null && user.deactivationDate !== null;
    if (isRead && cellAt(row, status.index) !== null) this.#deciding.lines.add(row.line);
  }

  /** Ends the file. @returns whether a later run may know the row on a line. */
  end(): (line: number) => boolean {
    const { columns, reading } = this.#file;
    // These warnings are reported once for all rows of a file, and would not be, if the rows were left out.
    const isSilent = columns.warnings.every(({ code }) => code !== 'label_blank' && code !== 'too_many_fields');
    const isSure = isSilent && reading.isSure();
    return (line) => isSure && !this.#deciding.lines.has(line);
  }
}

const decidingRows = 3;

/**
 * For each column of dates, some rows whose date has one reading only. They are planned each time: so they decide the order of
 * the column (rule U14) also where all other rows are known and left out.
 */
class DecidingRows {
  readonly lines = new LineSet();
  #columns: { index: number; missing: number }[];

  constructor({ standard, fields }: ColumnPlan) {
    const date = standard.get('deactivationDate');
    const indexes = fields.filter(({ field }) => field.type === 'date').map(({ index }) => index);
    if (date !== undefined) indexes.push(date);
    this.#columns = indexes.map((index) => ({ index, missing: decidingRows }));
  }

  look({ line, cells }: Row): void {
    for (const column of this.#columns) {
      const readings = readDate(readCell(cells[column.index] ?? ''));
      if (readings === null || (readings.mdy === null) === (readings.dmy === null)) continue;
      this.lines.add(line);
      column.missing--;
      if (column.missing === 0) this.#columns = this.#columns.filter((other) => other !== column);
    }
  }
}
