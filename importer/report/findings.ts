/** Reads back the refusals, faults and warnings of a file in the order of its lines, a page at a time, and its new fields. */
import type { FieldType } from '../../db/directory/fields.js';
import type { Stage } from '../../db/stage.js';
import { analyze, createIndex, pagesByLine, rows } from '../../db/stagesql.js';
import type { StagedIssue } from '../plan/issuelog.js';

const pageRows = 2000;

/** Call once, when every file of the run is planned. */
export async function indexIssues(stage: Stage): Promise<void> {
  await createIndex(stage, 'issues', 'file, line, n', 'order');
  await analyze(stage, 'issues');
}

export async function* listIssues(stage: Stage, file: number): AsyncGenerator<StagedIssue[]> {
  for (let [line, n] = [-1, -1]; ; ) {
    const page = await rows<StagedIssue & { n: number; line: number; col: string | null }>(
      stage,
      `SELECT * FROM ${stage.prefix}.issues WHERE file = :file AND (line, n) > (:line, :n) ORDER BY file, line, n LIMIT :limit`,
      { file, line, n, limit: pageRows },
    );
    if (page.length === 0) return;
    yield page.map((issue) => ({ ...issue, column: issue.col, line: issue.line === 0 ? null : issue.line }));
    ({ line, n } = page[page.length - 1]!);
  }
}

/** Whether a report on the file would have a line. */
export async function hasIssues(stage: Stage, file: number): Promise<boolean> {
  return (
    (await rows(stage, `SELECT 1 AS one FROM ${stage.prefix}.issues WHERE file = :file LIMIT 1`, { file })).length > 0
  );
}

/** The lines that were rejected, in order, each once. */
export async function* listFaultyLines(stage: Stage, file: number): AsyncGenerator<number> {
  const query = `SELECT DISTINCT line FROM ${stage.prefix}.issues
    WHERE file = :file AND severity = 'fault' AND line > :after ORDER BY line LIMIT :limit`;
  for await (const page of pagesByLine<{ line: number }>(stage, query, { file })) yield* page.map(({ line }) => line);
}

/** Custom fields that a file brings, in the order of its columns (rule C1). */
export async function listNewFields(stage: Stage, file: number): Promise<{ label: string; type: FieldType }[]> {
  const sql = `SELECT label, type FROM ${stage.prefix}.fields WHERE file = :file ORDER BY position`;
  return rows<{ label: string; type: FieldType }>(stage, sql, { file });
}
