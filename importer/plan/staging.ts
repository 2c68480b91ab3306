/** Stages the rows of a file, in the second pass over it: parsing and writing take turns, batch by batch. */
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
import { createReader } from './typedrows.js';
import { rejectUnsound } from './unsoundaddresses.js';

/** How often the stage's size is measured. */
const checkEveryMs = 250;

/** Fills `user_rows` or `team_rows` with the rows that are sound by themselves. @throws RefusalError; RaggedError where the whole file has to be read. */
export async function stageFile(input: PlanInput, file: FileInput, issues: IssueLog): Promise<StagedFile> {
  const { stage, org, today, now } = input;
  const { name, header, reading } = file;
  await recreateFileTables(stage, input.hasManyFiles);
  const noted = new NotedRows(input.known, file);
  const read = createReader(input, file, (row, user) => noted.note(row, user));
  let staged = 0;
  let checkAt = performance.now() + checkEveryMs;
  // The database writes one batch while the next is parsed: they keep two cores busy.
  let writing = Promise.resolve();
  const batches = noted.needsDigests ? reading.openDigested() : withoutDigests(reading.open());
  for await (const batch of batches) {
    if (staged === 0) noted.begin(batch[0]!);
    const found: Issue[] = [];
    const write = read(staged === 0 ? batch.slice(1) : batch, found);
    issues.add(found);
    await writing;
    writing = write().then(() => issues.flush());
    // The next `await writing` throws its error.
    writing.catch(() => {});
    staged += batch.length;
    if (performance.now() >= checkAt) {
      // After a write that failed, measuring fails too, and for another reason.
      await writing;
      await checkStageBudget(stage, input.settings);
      checkAt = performance.now() + checkEveryMs;
    }
    input.reportProgress({ phase: 'staging', file: name, rows: staged });
  }
  await writing;
  await checkStageBudget(stage, input.settings);
  const table = header.type === 'users' ? 'user_rows' : 'team_rows';
  await createIndex(stage, table, 'key, line', 'key');
  await analyze(stage, table);
  await rejectUnsound(input, file, issues);
  const context = { ...contextOf(org, file.file, today, now), hasManyFiles: input.hasManyFiles };
  return { ...file, context, mayKeep: noted.end() };
}

async function* withoutDigests(batches: AsyncIterable<Row[]>): AsyncGenerator<DigestedRow[]> {
  for await (const batch of batches) yield batch.map((row) => ({ ...row, digest: null }));
}
