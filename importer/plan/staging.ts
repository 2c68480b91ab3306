/** Stages the rows of a file: parsing and writing take turns, batch by batch. */
import { analyze, createIndex } from '../../db/stagesql.js';
import type { Row } from '../read/parse.js';
import type { DigestedRow } from '../read/rowstream.js';
import type { Issue } from '../types.js';
import { contextOf } from './context.js';
import type { FileInput, PlanInput, StagedFile } from './input.js';
import type { IssueLog } from './issuelog.js';
import { NotedRows } from './notedrows.js';
import { checkStageBudget } from './stagebudget.js';
import { recreateFileTables } from './tables.js';
import { type BatchReader, createReader } from './typedrows.js';
import { rejectUnsound } from './unsoundaddresses.js';

/** How often the stage's size is measured. */
const checkEveryMs = 250;

/** Fills `user_rows` or `team_rows` with the rows that are sound by themselves. @throws RefusalError; RaggedError where the whole file has to be read. */
export async function stageFile(input: PlanInput, file: FileInput, issues: IssueLog): Promise<StagedFile> {
  await recreateFileTables(input.stage, input.hasManyFiles);
  const { reading } = file;
  const stager = new RowStager(input, file, issues);
  let staged = 0;
  const batches = stager.noted.needsDigests ? reading.openDigested() : withoutDigests(reading.open());
  for await (const batch of batches) {
    if (staged === 0) stager.noted.begin(batch[0]!);
    await stager.add(staged === 0 ? batch.slice(1) : batch);
    staged += batch.length;
    input.reportProgress({ phase: 'staging', file: file.name, rows: staged });
  }
  return stager.end();
}

async function* withoutDigests(batches: AsyncIterable<Row[]>): AsyncGenerator<DigestedRow[]> {
  for await (const batch of batches) yield batch.map((row) => ({ ...row, digest: null }));
}

/** Writes the rows of a file into its table, which is empty. */
export class RowStager {
  readonly noted: NotedRows;
  readonly #input: PlanInput;
  readonly #issues: IssueLog;
  #file: FileInput;
  #read: BatchReader;
  #checkAt = performance.now() + checkEveryMs;
  /** The database writes one batch while the next is parsed: they keep two cores busy. */
  #writing = Promise.resolve();

  constructor(input: PlanInput, file: FileInput, issues: IssueLog) {
    this.#input = input;
    this.#issues = issues;
    this.#file = file;
    this.noted = new NotedRows(input, file);
    this.#read = this.#createReader();
  }

  /** Takes the file as it is known once more of its rows were read. */
  grow(file: FileInput): void {
    const isSame = file.columns === this.#file.columns;
    this.#file = file;
    this.noted.grow(file);
    if (!isSame) this.#read = this.#createReader();
  }

  /** Stages the next rows. @throws RefusalError, and the error of a write before. */
  async add(rows: readonly DigestedRow[]): Promise<void> {
    const found: Issue[] = [];
    const write = this.#read(rows, found);
    this.#issues.add(found);
    await this.#writing;
    this.#writing = write().then(() => this.#issues.flush());
    // The next `await` of it throws its error.
    this.#writing.catch(() => {});
    if (performance.now() >= this.#checkAt) {
      // After a write that failed, measuring fails too, and for another reason.
      await this.#writing;
      await checkStageBudget(this.#input.stage, this.#input.settings);
      this.#checkAt = performance.now() + checkEveryMs;
    }
  }

  /** Waits for the writes that have begun, and drops their errors. */
  async abandon(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  /** Call once all rows were added. @throws as add */
  async end(): Promise<StagedFile> {
    const { stage, settings, org, today, now, hasManyFiles } = this.#input;
    const { type } = this.#file.header;
    await this.#writing;
    await checkStageBudget(stage, settings);
    const table = type === 'users' ? 'user_rows' : 'team_rows';
    await createIndex(stage, table, 'key, line', 'key');
    await analyze(stage, table);
    const { few } = this.noted;
    if (type === 'teams' || few.mayBeUnsound) await rejectUnsound(this.#input, this.#file, this.#issues);
    const context = { ...contextOf(org, this.#file.file, today, now), hasManyFiles };
    return { ...this.#file, context, mayKeep: this.noted.end(), areDistinct: type === 'users' && few.areDistinct };
  }

  #createReader(): BatchReader {
    return createReader(this.#input, this.#file, (row, user) => this.noted.note(row, user));
  }
}
