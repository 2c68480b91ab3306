/** Finds the users whom rows claim by identifier and by email, and the rows where these contradict each other (rule U15). */
import type { Stage } from '../../db/stage.js';
import { createAs, createIndex, pagesByLine, rows, run } from '../../db/stagesql.js';
import { namedLines, type PlanContext } from './context.js';
import { formerHolderOf, holderOf } from './emailholders.js';

export interface Conflict {
  line: number;
  /** The identifier; null: the row has none. */
  value: string | null;
  /** Related lines. */
  others: number[];
  /**
   * `twice`: another row has the identifier and another email. `shared`: several users have it. `taken`: the email is
   * another user's. `needed`: the email's user gave it up, in this file or before, and without an identifier the row does
   * not say who has it from now on.
   */
  kind: 'twice' | 'shared' | 'taken' | 'needed';
  /** The email of the user who has the identifier; null: there is none. */
  owner: string | null;
  /** The identifier of the user who has the row's email; null: there is none. */
  holder: string | null;
}

/**
 * Writes `claims`, with keys of users for each row: `mine` has its identifier, `holder` its email, `former` had the email last;
 * `target` is the row's user if nothing contradicts (null: a new one), and `needs` has to give the email up.
 */
export async function findClaims(stage: Stage, { org }: PlanContext, fieldId: string | null): Promise<void> {
  const s = stage.prefix;
  const identOf = (alias: string) => `${alias}.custom->>CAST(:field AS TEXT)`;
  await createAs(
    stage,
    'idents',
    fieldId === null
      ? 'SELECT CAST(NULL AS TEXT) AS ident, CAST(NULL AS TEXT) AS key WHERE 1 = 0'
      : `SELECT ${identOf('u')} AS ident, u.email_key AS key FROM users u WHERE u.org_id = :org AND ${identOf('u')} IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = u.email_key)
     UNION ALL SELECT ${identOf('p')}, p.key FROM ${s}.people p WHERE ${identOf('p')} IS NOT NULL`,
    fieldId === null ? {} : { org, field: fieldId },
  );
  await createIndex(stage, 'idents', 'ident');
  await createIndex(stage, 'idents', 'key');
  await createAs(
    stage,
    'claimed',
    `SELECT r.line AS line, r.key AS address, r.ident AS ident,
       (SELECT MIN(i.key) FROM ${s}.idents i WHERE i.ident = r.ident) AS mine,
       (SELECT COUNT(*) FROM ${s}.idents i WHERE i.ident = r.ident) AS owners, ${holderOf(s, 'r.key')} AS holder,
       ${formerHolderOf(s, 'r.key')} AS former
     FROM ${s}.user_rows r WHERE r.state = 0`,
    { org },
  );
  // A stub of an earlier file becomes the user who gets its email; not where that could close a ring of managers.
  const hasManager = `(EXISTS (SELECT 1 FROM ${s}.people m WHERE m.key = c.mine AND m.manager_key IS NOT NULL)
    OR (NOT EXISTS (SELECT 1 FROM ${s}.people m WHERE m.key = c.mine) AND EXISTS
      (SELECT 1 FROM users u WHERE u.org_id = :org AND u.email_key = c.mine AND u.manager_id IS NOT NULL)))`;
  const isStub = `(EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = c.holder AND p.is_stub = 1)
    AND NOT (EXISTS (SELECT 1 FROM ${s}.people q WHERE q.manager_key = c.holder) AND ${hasManager}))`;
  const isOther = `c.ident IS NOT NULL AND EXISTS (SELECT 1 FROM ${s}.idents i WHERE i.key = c.holder)`;
  await createAs(
    stage,
    'claims',
    `SELECT c.line, c.address, c.ident, c.mine, c.owners, c.holder, c.former,
       CASE WHEN c.mine IS NOT NULL THEN c.mine WHEN ${isOther} THEN NULL ELSE c.holder END AS target,
       CASE WHEN c.mine IS NOT NULL AND c.holder IS DISTINCT FROM c.mine THEN 1 ELSE 0 END AS moves,
       CASE WHEN c.holder IS NULL OR c.holder = c.mine OR ${isStub} THEN NULL
         WHEN c.mine IS NOT NULL OR ${isOther} THEN c.holder END AS needs
     FROM ${s}.claimed c`,
    { org },
  );
  for (const column of ['line', 'mine', 'needs']) await createIndex(stage, 'claims', column);
}

/** Sets the `state` of the rows that contradict each other, and yields each once. */
export async function* findConflicts(stage: Stage, { org }: PlanContext): AsyncGenerator<Conflict[]> {
  const s = stage.prefix;
  await markTwice(stage);
  // A row whose email another row gives up depends on that row: if that one is faulty, this one is too.
  const isGivenUp = `SELECT 1 FROM ${s}.claims m WHERE m.mine = c.needs AND m.moves = 1 AND m.owners = 1
    AND NOT EXISTS (SELECT 1 FROM ${s}.faults f WHERE f.line = m.line)`;
  await run(
    stage,
    `INSERT INTO ${s}.faults (line, kind)
     WITH RECURSIVE bad(line, mine, kind) AS (
       SELECT c.line, c.mine, CASE WHEN c.owners > 1 THEN 'shared' ELSE 'taken' END FROM ${s}.claims c
       WHERE NOT EXISTS (SELECT 1 FROM ${s}.faults f WHERE f.line = c.line)
         AND (c.owners > 1 OR (c.needs IS NOT NULL AND NOT EXISTS (${isGivenUp})))
       UNION SELECT c.line, c.mine, 'taken' FROM bad b JOIN ${s}.claims c ON c.needs = b.mine
       WHERE NOT EXISTS (SELECT 1 FROM ${s}.faults f WHERE f.line = c.line))
     SELECT line, MIN(kind) FROM bad GROUP BY line`,
  );
  await run(
    stage,
    `INSERT INTO ${s}.faults (line, kind) SELECT c.line, 'needed' FROM ${s}.claims c
     WHERE c.ident IS NULL AND NOT EXISTS (SELECT 1 FROM ${s}.faults f WHERE f.line = c.line)
       AND ((c.holder IS NULL AND c.former IS NOT NULL)
         OR EXISTS (SELECT 1 FROM ${s}.claims m WHERE m.mine = c.holder AND m.moves = 1
           AND NOT EXISTS (SELECT 1 FROM ${s}.faults f WHERE f.line = m.line)))`,
  );
  await run(stage, `UPDATE ${s}.user_rows SET state = 2 WHERE line IN (SELECT line FROM ${s}.faults)`);
  type Found = Pick<Conflict, 'line' | 'kind' | 'owner' | 'holder'> & { ident: string | null };
  for await (const page of pagesByLine<Found>(
    stage,
    `SELECT f.line AS line, r.ident AS ident, f.kind AS kind,
       COALESCE((SELECT p.email FROM ${s}.people p WHERE p.key = c.mine),
         (SELECT u.email FROM users u WHERE u.org_id = :org AND u.email_key = c.mine)) AS owner,
       (SELECT MIN(i.ident) FROM ${s}.idents i WHERE i.key = c.holder) AS holder
     FROM ${s}.faults f JOIN ${s}.user_rows r ON r.line = f.line LEFT JOIN ${s}.claims c ON c.line = f.line WHERE f.is_told = 0 AND f.line > :after ORDER BY f.line LIMIT :limit`,
    { org },
  )) {
    const others = await findOthers(stage, page);
    yield page.map(({ line, ident, kind, owner, holder }) => ({
      line,
      kind,
      owner,
      holder,
      value: ident,
      others: others.get(line) ?? [],
    }));
  }
}

/** Marks rows with the same identifier and different emails. Rows that were faulty before count, and are not reported again. */
async function markTwice(stage: Stage): Promise<void> {
  const s = stage.prefix;
  await run(stage, `DROP TABLE IF EXISTS ${s}.faults`);
  await run(stage, `CREATE TABLE ${s}.faults (line INTEGER PRIMARY KEY, kind TEXT, is_told INT NOT NULL DEFAULT 0)`);
  await createIndex(stage, 'user_rows', 'ident');
  await run(
    stage,
    `INSERT INTO ${s}.faults (line, kind, is_told)
     SELECT r.line, 'twice', CASE WHEN r.state = 2 THEN 1 ELSE 0 END FROM ${s}.user_rows r WHERE r.state <> 1 AND r.ident IN
       (SELECT x.ident FROM ${s}.user_rows x WHERE x.ident IS NOT NULL GROUP BY x.ident HAVING COUNT(DISTINCT x.key) > 1)`,
  );
}

/** By line, the other lines with the identifier, or the line that gives the email's user another email. */
async function findOthers(
  stage: Stage,
  page: readonly Pick<Conflict, 'line' | 'kind'>[],
): Promise<Map<number, number[]>> {
  const s = stage.prefix;
  const others = new Map<number, number[]>();
  const collect = async (kind: Conflict['kind'], join: string) => {
    const lines = page.filter((one) => one.kind === kind).map(({ line }) => line);
    if (lines.length === 0) return;
    const found = await rows<{ line: number; other: number }>(
      stage,
      `SELECT r.line AS line, o.line AS other FROM ${s}.user_rows r ${join} WHERE r.line IN (${lines.join(', ')})
         AND o.line <> r.line ORDER BY r.line, o.line`,
    );
    for (const { line, other } of found) {
      const known = others.get(line) ?? [];
      if (known.length < namedLines) others.set(line, [...known, other]);
    }
  };
  await collect('twice', `JOIN ${s}.user_rows o ON o.ident = r.ident AND o.state <> 1`);
  await collect(
    'needed',
    `JOIN ${s}.claims c ON c.line = r.line JOIN ${s}.claims o ON o.mine = c.holder AND o.moves = 1`,
  );
  return others;
}
