/**
 * Stages the rows of a file in the reading that surveys its columns. The first rows decide the types of the columns; where a later one
 * decides otherwise, or the file is refused, it is read twice instead, with the result of that (docs/decisions/one-reading.md).
 */
import { RefusalError } from '../codes.js';
import { widenLimits } from '../read/fieldlimit.js';
import type { OpenedFile } from '../read/firstpass.js';
import { GrowingColumns } from '../read/growingcolumns.js';
import { RaggedError } from '../read/records.js';
import { type DigestedRow, type Reading, readWhole } from '../read/rowstream.js';
import type { Source } from '../read/source.js';
import type { FileInput, PlanInput, StagedFile } from './input.js';
import type { IssueLog } from './issuelog.js';
import { RowStager } from './staging.js';
import { recreateFileTables } from './tables.js';

/** The file has to be read twice. All that was staged and noted of it is to be dropped. */
export class MisguessError extends Error {}

/** How the file is to be read after a reading that ended with this error; null: the error is none of the reading. */
export function readAgain(error: unknown, mayLeaveOut: boolean): { mayLeaveOut: boolean } | null {
  if (error instanceof MisguessError) return { mayLeaveOut };
  return error instanceof RaggedError && mayLeaveOut ? { mayLeaveOut: false } : null;
}

const mostDecidingRows = 5000;
/** Rows wait in memory until the columns are decided: those of so many pieces of the file. */
const mostWaitingBatches = 16;

/** Whether a file may be read once: no rows are known that could be left out, and no word that is no value of a column. */
export function mayReadOnce({ known, org, decidingRows }: PlanInput): boolean {
  return known.form === null && org.options.clearToken === undefined && decidingRows !== 0;
}

/**
 * @param tell reports on the header and the columns, once all is known of them; null: the file has no row to plan.
 * @throws MisguessError
 */
export async function stageWhileRead(
  input: PlanInput,
  file: number,
  source: Source,
  issues: IssueLog,
  tell: (opened: OpenedFile) => Promise<FileInput | null>,
): Promise<StagedFile | null> {
  const reading = readWhole(source, widenLimits(input.settings, input.fields));
  const rows = new GuessedRows(input, file, source.name, reading, issues);
  try {
    for await (const batch of reading.openDigested()) await rows.add(batch);
    return await rows.end(tell);
  } catch (error) {
    await rows.abandon();
    // Another refusal may come first where the whole file is read before a row is staged.
    throw error instanceof RefusalError ? new MisguessError(error.message, { cause: error }) : error;
  }
}

class GuessedRows {
  readonly #input: PlanInput;
  readonly #issues: IssueLog;
  readonly #columns: GrowingColumns;
  readonly #known: Pick<FileInput, 'file' | 'name' | 'reading'>;
  /** The first row; null: none was read. */
  #header: DigestedRow | null = null;
  /** Until the columns are decided. */
  #waiting: DigestedRow[][] = [];
  /** null: no row was staged. */
  #stager: RowStager | null = null;

  constructor(input: PlanInput, file: number, name: string, reading: Reading, issues: IssueLog) {
    this.#input = input;
    this.#issues = issues;
    this.#columns = new GrowingColumns(input, widenLimits(input.settings, input.fields));
    this.#known = { file, name, reading };
  }

  /** @throws MisguessError, RefusalError */
  async add(batch: DigestedRow[]): Promise<void> {
    this.#takeColumns(this.#columns.add(batch));
    this.#waiting.push(this.#header === null ? batch.slice(1) : batch);
    this.#header ??= batch[0]!;
    const { rows } = this.#columns.survey;
    const isDecided = rows >= (this.#input.decidingRows ?? mostDecidingRows);
    if (this.#stager !== null || isDecided || this.#waiting.length >= mostWaitingBatches) await this.#stage();
    this.#input.reportProgress({ phase: 'staging', file: this.#known.name, rows });
  }

  /** @throws MisguessError, RefusalError */
  async end(tell: (opened: OpenedFile) => Promise<FileInput | null>): Promise<StagedFile | null> {
    this.#takeColumns(this.#columns.end());
    const { survey, columns } = this.#columns;
    if (columns !== null) await this.#stage();
    const opened = await tell({ reading: this.#known.reading, survey, columns });
    if (opened === null || this.#stager === null || this.#header === null) return null;
    this.#stager.grow(opened);
    this.#stager.noted.begin(this.#header);
    return this.#stager.end();
  }

  async abandon(): Promise<void> {
    await this.#stager?.abandon();
  }

  #takeColumns(isSame: boolean): void {
    if (this.#stager === null) return;
    if (!isSame) throw new MisguessError('a row changes the meaning of earlier ones');
    this.#stager.grow(this.#file());
  }

  async #stage(): Promise<void> {
    if (this.#stager === null) {
      await recreateFileTables(this.#input.stage, this.#input.hasManyFiles);
      this.#stager = new RowStager(this.#input, this.#file(), this.#issues);
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const batch of waiting) await this.#stager.add(batch);
  }

  #file(): FileInput {
    const { survey, columns } = this.#columns;
    return { ...this.#known, rows: survey.rows, header: survey.header!, columns: columns! };
  }
}
