/** Users and teams that the run creates only because a cell names them: a notice for each, and their number (rule U8a). */
import type { Stage } from '../../db/stage.js';
import { count, pagesByLine, rows, run } from '../../db/stagesql.js';
import { type CodeName, makeIssue } from '../codes.js';
import { type ColumnPlan, labelOf } from '../read/columns.js';
import type { TeamColumn, UserColumn } from '../read/labels.js';
import type { FileType } from '../types.js';
import type { PlanInput } from './input.js';
import { IssueLimit, stageIssues } from './issuelog.js';

interface MadeUp {
  table: 'people' | 'groups';
  /** The column of `table` with the text of the cell. */
  shown: 'email' | 'name';
  code: CodeName;
  /** The column whose cells name such users or teams, in a file of each type. */
  column: Record<FileType, UserColumn | TeamColumn>;
}

const kinds: readonly MadeUp[] = [
  { table: 'people', shown: 'email', code: 'user_made_up', column: { users: 'managerEmail', teams: 'ownerEmail' } },
  { table: 'groups', shown: 'name', code: 'team_made_up', column: { users: 'teams', teams: 'parent' } },
];

/** Reports those whom a file names first. Call once all files of the run are planned: a later file may describe them. */
export async function tellMadeUp(
  { stage, settings }: Pick<PlanInput, 'stage' | 'settings'>,
  file: number,
  type: FileType,
  columns: Pick<ColumnPlan, 'labels'>,
): Promise<void> {
  const limit = new IssueLimit(settings);
  for (const { table, shown, code, column } of kinds) {
    const label = labelOf(columns, column[type]);
    // One line may name many teams: they are numbered for the pages.
    const query = `SELECT n AS line, line AS at, ${shown} AS value FROM ${stage.prefix}.${table}
      WHERE file = :file AND is_new = 1 AND is_stub = 1 AND n > :after ORDER BY n LIMIT :limit`;
    for await (const page of pagesByLine<{ line: number; at: number; value: string }>(stage, query, { file })) {
      const issues = page.map(({ at, value }) => makeIssue(code, { line: at, column: label, value }, { label }));
      await stageIssues(
        stage,
        issues.map((issue) => ({ file, ...limit.apply(issue) })),
      );
    }
  }
}

/** The numbers of users and teams that the whole run makes up. */
export async function countMadeUp(stage: Stage): Promise<{ users: number; teams: number }> {
  const n = (table: string) =>
    count(stage, `SELECT COUNT(*) AS n FROM ${stage.prefix}.${table} WHERE is_new = 1 AND is_stub = 1`);
  return { users: await n('people'), teams: await n('groups') };
}

/** Adds their keys to the table `unknown`; whether there are any. */
export async function noteUnknown(stage: Stage): Promise<boolean> {
  const s = stage.prefix;
  for (const { table } of kinds)
    await run(
      stage,
      `INSERT INTO ${s}.unknown (kind, key) SELECT '${table}', key FROM ${s}.${table} WHERE is_new = 1 AND is_stub = 1
       AND NOT EXISTS (SELECT 1 FROM ${s}.unknown x WHERE x.kind = '${table}' AND x.key = ${table}.key)`,
    );
  const [found] = await rows<{ n: number }>(
    stage,
    `SELECT (SELECT COUNT(*) FROM ${s}.people WHERE is_new = 1 AND is_stub = 1)
       + (SELECT COUNT(*) FROM ${s}.groups WHERE is_new = 1 AND is_stub = 1) AS n`,
  );
  return Number(found!.n) > 0;
}
