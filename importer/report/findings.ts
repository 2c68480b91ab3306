/** Reads back the refusals, faults and warnings of a file in the order of its lines, a page at a time, and its new fields. */
import type { FieldType } from '../../db/directory/fields.js';
import type { Stage } from '../../db/stage.js';
import { analyze, createIndex, pagesByLine, rows } from '../../db/stagesql.js';
import { makeIssue } from '../codes.js';
import { type StagedIssue, stageIssues } from '../plan/issuelog.js';
import type { Problem } from '../types.js';

const pageRows = 2000;

/** Call once, when every file of the run is planned. false: no file has any. */
export async function indexIssues(stage: Stage): Promise<boolean> {
  if (!(await hasIssues(stage))) return false;
  await stageOmitted(stage);
  await createIndex(stage, 'issues', 'file, line, n', 'order');
  await analyze(stage, 'issues');
  return true;
}

/** Adds, at the top of the report, how many issues of each code it does not have. */
async function stageOmitted(stage: Stage): Promise<void> {
  const omitted = await rows<{ file: number; code: string; omitted: number }>(
    stage,
    `SELECT file, code, COUNT(*) AS omitted FROM ${stage.prefix}.issues WHERE omitted = 1 GROUP BY file, code ORDER BY file, code`,
  );
  const issues = omitted.map(({ file, code, omitted: count }) => ({
    file: Number(file),
    ...makeIssue('issues_omitted', { line: null }, { code, count: Number(count).toLocaleString('en-US') }),
  }));
  await stageIssues(stage, issues);
}

export async function* listIssues(stage: Stage, file: number): AsyncGenerator<StagedIssue[]> {
  for (let [line, n] = [-1, -1]; ; ) {
    const page = await rows<StagedIssue & { n: number; line: number; col: string | null }>(
      stage,
      `SELECT * FROM ${stage.prefix}.issues WHERE file = :file AND (line, n) > (:line, :n) AND omitted = 0 ORDER BY file, line, n LIMIT :limit`,
      { file, line, n, limit: pageRows },
    );
    if (page.length === 0) return;
    yield page.map((issue) => ({ ...issue, column: issue.col, line: issue.line === 0 ? null : issue.line }));
    ({ line, n } = page[page.length - 1]!);
  }
}

/** A row that was rejected, with the messages of its faults. */
export interface FaultyLine {
  line: number;
  messages: string[];
}

/** In the order of the lines, each once. */
export async function* listFaultyLines(stage: Stage, file: number): AsyncGenerator<FaultyLine> {
  const issues = `${stage.prefix}.issues WHERE file = :file AND severity = 'fault'`;
  const query = `SELECT DISTINCT line FROM ${issues} AND line > :after ORDER BY line LIMIT :limit`;
  for await (const page of pagesByLine<{ line: number }>(stage, query, { file })) {
    const [from, to] = [page[0]!.line, page.at(-1)!.line];
    const found = await rows<{ line: number; message: string }>(
      stage,
      `SELECT line, message FROM ${issues} AND line >= :from AND line <= :to ORDER BY line, n`,
      { file, from, to },
    );
    const byLine = new Map(page.map(({ line }): [number, string[]] => [line, []]));
    for (const { line, message } of found) byLine.get(line)!.push(message);
    for (const [line, messages] of byLine) yield { line, messages };
  }
}

/**
 * Faults, warnings and notices that differ only in their lines and values, as one: faults first, then by their first lines. At most
 * `most` kinds.
 */
export async function listProblems(stage: Stage, file: number, most: number): Promise<Problem[]> {
  const found = await rows<Problem & { col: string | null }>(
    stage,
    `SELECT severity, code, col, message, MIN(line) AS line, COUNT(*) AS count FROM ${stage.prefix}.issues
     WHERE file = :file AND severity IN ('fault', 'warning', 'notice') GROUP BY severity, code, col, message
     ORDER BY CASE severity WHEN 'fault' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, MIN(line), code, col, message LIMIT :most`,
    { file, most },
  );
  return found.map(({ severity, code, col: column, message, line, count }) => ({
    ...{ line: line === 0 ? null : line, column, severity, code, message, count: Number(count) },
  }));
}

/** The faults and warnings of all files, by code. */
export async function countIssues(stage: Stage): Promise<Record<string, number>> {
  const found = await rows<{ code: string; count: number }>(
    stage,
    `SELECT code, COUNT(*) AS count FROM ${stage.prefix}.issues WHERE severity IN ('fault', 'warning') GROUP BY code`,
  );
  return Object.fromEntries(found.map(({ code, count }) => [code, Number(count)]));
}

/** Whether the report on a file has a line; `file` left out: on any file. */
export async function hasIssues(stage: Stage, file?: number): Promise<boolean> {
  const some = file === undefined ? '' : 'WHERE file = :file';
  return (await rows(stage, `SELECT 1 AS n FROM ${stage.prefix}.issues ${some} LIMIT 1`, { file })).length > 0;
}

/** Custom fields that a file brings, in the order of its columns (rule C1). */
export async function listNewFields(stage: Stage, file: number): Promise<{ label: string; type: FieldType }[]> {
  const sql = `SELECT label, type FROM ${stage.prefix}.fields WHERE file = :file ORDER BY position`;
  return rows<{ label: string; type: FieldType }>(stage, sql, { file });
}
