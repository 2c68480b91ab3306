/** Notes the rows of a users file that later runs may know, and decides which of them have to be planned each time. */
import { cellAt } from '../read/cell.js';
import type { ColumnPlan } from '../read/columns.js';
import { readDate } from '../read/dates.js';
import { formOf } from '../read/firstpass.js';
import { digestOf, type KnownRows, mostKnownRows } from '../read/knownrowfilter.js';
import { LineSet } from '../read/lineset.js';
import type { Row } from '../read/parse.js';
import type { DigestedRow } from '../read/rowstream.js';
import type { UserRow } from '../read/userrow.js';
import type { FileInput, PlanInput } from './input.js';
import { isUnsound } from './unsoundaddresses.js';

/** The digest of rows whose own digest is not certain: no row has it. */
const uncertain = '\0'.repeat(32);

export class NotedRows {
  /** Known of all rows, noted or not. */
  readonly few: FewUsers;
  #known: KnownRows | null;
  #file: FileInput;
  readonly #deciding: DecidingRows;
  /** The steps that `repeat` takes. */
  readonly #steps: ((known: KnownRows) => void)[] | null;

  /**
   * Rows of teams files, and of files that are too long, are not noted.
   * @param repeats whether `repeat` may be called: that takes memory for each row
   */
  constructor({ known, org }: Pick<PlanInput, 'known' | 'org'>, file: FileInput, repeats = false) {
    this.#steps = repeats ? [] : null;
    this.few = new FewUsers(org.options.requireDottedDomain ?? true);
    this.#known = file.header.type === 'users' ? known : null;
    this.#deciding = new DecidingRows();
    this.#file = file;
    this.grow(file);
  }

  /** Takes the file as it is known once more of its rows were read. Those noted so far had no value in columns that are new. */
  grow(file: FileInput): void {
    this.#file = file;
    this.#deciding.grow(file.columns);
    if (file.rows <= mostKnownRows) return;
    this.#known?.forgetAll();
    this.#known = null;
  }

  /** Whether the digests of rows are needed. */
  get needsDigests(): boolean {
    return this.#known !== null;
  }

  /** Call before the rows are noted, or after, where no rows of another file are known. @param header the first row of the file. */
  begin({ line, digest }: DigestedRow): void {
    if (digest !== null && line === 1)
      this.#take((known) => known.begin(formOf(digest, this.#file.header, this.#file.columns), this.#file.rows));
  }

  note(row: DigestedRow, user: UserRow): void {
    this.few.note(user);
    if (this.#known !== null) {
      const [digest, key, { line }] = [row.digest ?? uncertain, digestOf(user.key), row];
      this.#take((known) => known.note(digest, key, line));
    }
    this.#deciding.look(row);
    // Whether its status and its date contradict each other depends on the day (rule U12b).
    const { status, rules } = this.#file.columns;
    const isRead = status !== null && rules.statuses !== null && user.deactivationDate !== null;
    if (isRead && cellAt(row, status.index) !== null) this.#deciding.lines.add(row.line);
  }

  /** Notes the same rows again, in place of those that others have noted since. */
  repeat(): void {
    if (this.#known !== null) for (const step of this.#steps ?? []) step(this.#known);
  }

  #take(step: (known: KnownRows) => void): void {
    if (this.#known === null) return;
    step(this.#known);
    this.#steps?.push(step);
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

const fewUsers = 1000;

/** Knowledge of the users of a small file without the database: to ask it costs more than their rows. */
class FewUsers {
  /** Whether an address is one that rejectUnsound looks at. */
  mayBeUnsound = false;
  readonly #keys = new Set<string>();
  readonly #needsDot: boolean;
  #rows = 0;

  constructor(needsDot: boolean) {
    this.#needsDot = needsDot;
  }

  /** Whether no two rows have the same user; false too where it is not known. */
  get areDistinct(): boolean {
    return this.#keys.size === this.#rows;
  }

  note({ key, managerKey }: UserRow): void {
    this.mayBeUnsound ||=
      isUnsound(key, this.#needsDot) || (managerKey !== null && isUnsound(managerKey, this.#needsDot));
    this.#rows++;
    if (this.#keys.size < fewUsers) this.#keys.add(key);
  }
}

const decidingRows = 3;

/**
 * For each column of dates, some rows whose date has one reading only. They are planned each time: so they decide the order of
 * the column (rule U14) also where all other rows are known and left out.
 */
class DecidingRows {
  readonly lines = new LineSet();
  readonly #met = new Set<number>();
  #columns: { index: number; missing: number }[] = [];

  grow({ standard, fields }: ColumnPlan): void {
    const date = standard.get('deactivationDate');
    const indexes = fields.filter(({ field }) => field.type === 'date').map(({ index }) => index);
    if (date !== undefined) indexes.push(date);
    for (const index of indexes) {
      if (this.#met.has(index)) continue;
      this.#met.add(index);
      this.#columns.push({ index, missing: decidingRows });
    }
  }

  look(row: Row): void {
    for (const column of this.#columns) {
      const readings = readDate(cellAt(row, column.index) ?? '');
      if (readings === null || (readings.mdy === null) === (readings.dmy === null)) continue;
      this.lines.add(row.line);
      column.missing--;
      if (column.missing === 0) this.#columns = this.#columns.filter((other) => other !== column);
    }
  }
}
