/** Stages the rows of several files as those of one, and gives each planned row back to its own file. */
import type { Stage } from '../../db/stage.js';
import { analyze, createIndex, createTable, insertRows, rows, run } from '../../db/stagesql.js';
import type { PlanContext } from './context.js';
import type { SmallFile } from './smallfile.js';
import { stageUsers } from './stagedrows.js';
import { placesTable, recreateFileTables } from './tables.js';

/** The rows are numbered through all files; the table of places has their files and lines. */
export async function stageRows(stage: Stage, files: readonly SmallFile[]): Promise<void> {
  await recreateFileTables(stage, true);
  const { name, columns } = placesTable;
  await createTable(stage, name, columns, true);
  await run(stage, `DELETE FROM ${stage.prefix}.${name}`);
  const places = files.flatMap(({ file, users }) => users.map(({ line }) => [file, line]));
  const users = files.flatMap((one) => one.users);
  await stageUsers(
    stage,
    users.map((user, index) => ({ ...user, line: index + 1 })),
  );
  await insertRows(
    stage,
    name,
    ['line INT', 'file INT', 'own_line INT'],
    places.map((place, index) => [index + 1, ...place]),
  );
  await createIndex(stage, 'user_rows', 'key, line', 'key');
  await analyze(stage, 'user_rows', name);
}

/** Gives all that was planned the file and the line of its row. */
export async function placeRows(stage: Stage, { file }: PlanContext): Promise<void> {
  const s = stage.prefix;
  for (const table of ['people', 'groups', 'joins', 'changes'])
    await run(
      stage,
      `UPDATE ${s}.${table} AS x SET file = l.file, line = l.own_line FROM ${s}.${placesTable.name} l
       WHERE x.file = :file AND l.line = x.line`,
      { file },
    );
}

/** The number of the last user in the plan; 0: there is none. */
export async function lastPerson(stage: Stage): Promise<number> {
  const [found] = await rows<{ n: number }>(stage, `SELECT COALESCE(MAX(n), 0) AS n FROM ${stage.prefix}.people`);
  return Number(found!.n);
}

/** Users are created in the order of their numbers: those of a file before those that it only names, and file after file. */
export async function renumberPeople(stage: Stage, mark: number): Promise<void> {
  const s = stage.prefix;
  await run(
    stage,
    `UPDATE ${s}.people AS p SET n = -o.place FROM
       (SELECT n, CAST(:mark AS BIGINT) + ROW_NUMBER() OVER (ORDER BY file, is_new, is_stub, line, n) AS place
        FROM ${s}.people WHERE n > :mark) o
     WHERE p.n = o.n`,
    { mark },
  );
  await run(stage, `UPDATE ${s}.people SET n = -n WHERE n < 0`);
  await run(
    stage,
    `UPDATE ${s}.joins AS j SET person = p.n FROM ${s}.people p WHERE p.key = j.person_key AND j.person > :mark`,
    { mark },
  );
  // On PostgreSQL new users have their ids already.
  if (stage.dialect === 'sqlite') return;
  const ranked = (by: string) =>
    `SELECT ${by}, ROW_NUMBER() OVER (ORDER BY ${by}) AS place FROM ${s}.people WHERE n > :mark AND is_new = 1`;
  await run(
    stage,
    `UPDATE ${s}.people AS p SET id = i.id FROM (${ranked('n')}) o JOIN (${ranked('id')}) i ON i.place = o.place WHERE p.n = o.n`,
    { mark },
  );
}
