/** What planning users and planning teams share: twins, rings, pages of findings. All in sets over the staged rows. */
import type { Dialect } from '../connection.js';
import type { Stage } from './stage.js';

/** What the rows of one file are planned against. */
export interface PlanContext {
  org: string;
  /** Place of the file in the run. */
  file: number;
  /** The import's date in the organization's time zone, yyyy-mm-dd. */
  today: string;
  /** Milliseconds since 1970. */
  now: number;
  /** Compared form of the owner's email: owns teams that nobody else owns. */
  ownerKey: string;
  /** Whether a `Teams` cell takes memberships away that it does not name. */
  replacesTeams: boolean;
}

/** Where the plan ignores a cell or rejects a row; the importer gives it its code and sentence. */
export interface Finding {
  line: number;
  value: string;
  /** Lines that have to do with it, the first of them at most. */
  others: number[];
}

export type RowTable = 'user_rows' | 'team_rows';

const pageRows = 2000;
const namedLines = 5;

/** Runs a statement on the stage's connection; `:name` bindings. */
export async function run(stage: Stage, sql: string, bindings: Record<string, unknown> = {}): Promise<void> {
  await stage.db.raw(sql, bindings as never);
}

/** The rows of a query. */
export async function rows<T>(stage: Stage, sql: string, bindings: Record<string, unknown> = {}): Promise<T[]> {
  const result = await stage.db.raw(sql, bindings as never);
  return (stage.dialect === 'sqlite' ? result : result.rows) as T[];
}

/** The number that a query counts, in its column `n`. */
export async function count(stage: Stage, sql: string, bindings: Record<string, unknown> = {}): Promise<number> {
  const [row] = await rows<{ n: number | null }>(stage, sql, bindings);
  return row?.n ?? 0;
}

/** Pages through a query that has `:after` (a line) and `:limit`, ordered by its column `line`. */
export async function* pagesByLine<T extends { line: number }>(
  stage: Stage,
  sql: string,
  bindings: Record<string, unknown> = {},
): AsyncGenerator<T[]> {
  for (let after = -1; ; ) {
    const page = await rows<T>(stage, sql, { ...bindings, after, limit: pageRows });
    if (page.length === 0) return;
    yield page;
    after = page[page.length - 1]!.line;
  }
}

/** JSON array elements of an expression as a table `t` with a column `value`. */
export function eachOf(dialect: Dialect, expression: string): string {
  return dialect === 'sqlite'
    ? `json_each(${expression}) AS t`
    : `LATERAL jsonb_array_elements(${expression}) AS t(value)`;
}

export async function createAs(
  { dialect, prefix, db }: Stage,
  table: string,
  query: string,
  bindings: Record<string, unknown>,
): Promise<void> {
  await db.raw(`DROP TABLE IF EXISTS ${prefix}.${table}`);
  await db.raw(
    `CREATE ${dialect === 'sqlite' ? '' : 'UNLOGGED'} TABLE ${prefix}.${table} AS ${query}`,
    bindings as never,
  );
  if (dialect === 'postgres') await db.raw(`ANALYZE ${prefix}.${table}`);
}

export async function createIndex(
  { dialect, prefix, db }: Stage,
  table: string,
  columns: string,
  name = columns,
): Promise<void> {
  const [index, on] =
    dialect === 'sqlite' ? [`${prefix}.${table}_${name}`, table] : [`${table}_${name}`, `${prefix}.${table}`];
  await db.raw(`CREATE INDEX ${index} ON ${on} (${columns})`);
}

/** Tells PostgreSQL how large the plan's tables have become. */
export async function analyze({ dialect, prefix, db }: Stage, ...tables: string[]): Promise<void> {
  if (dialect !== 'postgres') return;
  for (const table of tables) await db.raw(`ANALYZE ${prefix}.${table}`);
}

/** Users and teams that exist only because a row of the file names them. Holds once every file of the run is planned. */
export async function countStubs(stage: Stage, file: number): Promise<{ users: number; teams: number }> {
  const stubs = (table: string) =>
    count(
      stage,
      `SELECT COUNT(*) AS n FROM ${stage.prefix}.${table} WHERE file = :file AND is_new = 1 AND is_stub = 1`,
      { file },
    );
  return { users: await stubs('people'), teams: await stubs('groups') };
}

/**
 * Rows with the same key (rules U2, T1): rows alike in every value count once, all others are faulty.
 * Yields the faulty ones, each with the first other lines of its key.
 */
export async function* settleTwins(stage: Stage, table: RowTable): AsyncGenerator<Finding[]> {
  const s = stage.prefix;
  const columns = table === 'user_rows' ? userSignature : teamSignature;
  const signature = columns.map((column) => `COALESCE(CAST(r.${column} AS TEXT), '\u001e')`).join(` || '\u001f' || `);
  await createAs(
    stage,
    'twins',
    `SELECT d.key AS key, d.first AS first, COUNT(DISTINCT ${signature}) AS versions
     FROM (SELECT key, MIN(line) AS first FROM ${s}.${table} GROUP BY key HAVING COUNT(*) > 1) d
     JOIN ${s}.${table} r ON r.key = d.key GROUP BY d.key, d.first`,
    {},
  );
  await run(stage, `UPDATE ${s}.${table} SET state = 2 WHERE key IN (SELECT key FROM ${s}.twins WHERE versions > 1)`);
  await run(
    stage,
    `UPDATE ${s}.${table} SET state = 1 WHERE key IN (SELECT key FROM ${s}.twins WHERE versions = 1)
     AND line NOT IN (SELECT first FROM ${s}.twins WHERE versions = 1)`,
  );
  const shown = table === 'user_rows' ? 'email' : 'name';
  const query = `SELECT r.line, r.${shown} AS value,
      (SELECT string_agg(CAST(o.line AS TEXT), ',') FROM
        (SELECT line FROM ${s}.${table} x WHERE x.key = r.key AND x.line <> r.line ORDER BY x.line LIMIT ${namedLines}) o) AS others
    FROM ${s}.${table} r WHERE r.state = 2 AND r.line > :after ORDER BY r.line LIMIT :limit`;
  for await (const page of pagesByLine<{ line: number; value: string; others: string }>(stage, query)) {
    yield page.map((row) => ({ ...row, others: row.others.split(',').map(Number) }));
  }
}

const userSignature = [
  'email',
  'user_name',
  'first_name',
  'last_name',
  'manager_key',
  'manager_name',
  'teams',
  'account_type',
  'is_admin',
  'deactivation_date',
  'custom',
];
const teamSignature = ['name', 'owner_key', 'parent_key', 'type'];

/** How the edges of one relation (managers, parents) are found and dropped. */
export interface RingRelation {
  table: RowTable;
  /** Edges that the file changes: `key, above, line`. */
  changedEdges: string;
  /** The edge from `up.above`, as it will be: joins to `up` and gives `key, above, line`; line is null where the file says nothing. */
  nextEdge: string;
  /** Takes the edge of row `:line` back. */
  drop: readonly string[];
}

/**
 * Finds rings among what the file changes together with what stays (rules U9, T3), and drops from each ring the edge
 * with the highest line: the one that closes it. Yields what was dropped, with the lines of its ring.
 */
export async function* dropRings(
  stage: Stage,
  relation: RingRelation,
  bindings: Record<string, unknown>,
): AsyncGenerator<Finding> {
  const s = stage.prefix;
  for (;;) {
    const distance = `WITH RECURSIVE up(key, above, line) AS (${relation.changedEdges} UNION ${relation.nextEdge}) SELECT key, above, line FROM up`;
    await createAs(stage, 'climb', distance, bindings);
    const edges = await count(stage, `SELECT COUNT(*) AS n FROM ${s}.climb`);
    if (edges === 0) return;
    await createIndex(stage, 'climb', 'above');
    // Whoever is reached from the top is on no ring.
    await createAs(
      stage,
      'rooted',
      `WITH RECURSIVE down(key) AS (SELECT key FROM ${s}.climb WHERE above IS NULL
       UNION ALL SELECT c.key FROM down JOIN ${s}.climb c ON c.above = down.key) SELECT key FROM down`,
      {},
    );
    if ((await count(stage, `SELECT COUNT(*) AS n FROM ${s}.rooted`)) === edges) return;
    await createIndex(stage, 'rooted', 'key');
    const left = await rows<Edge>(
      stage,
      `SELECT key, above, line FROM ${s}.climb c WHERE NOT EXISTS (SELECT 1 FROM ${s}.rooted r WHERE r.key = c.key)`,
    );
    for (const ring of findRings(left)) {
      const closing = ring.reduce((last, edge) => ((edge.line ?? -1) > (last.line ?? -1) ? edge : last));
      if (closing.line === null) throw new Error('a ring that no line of the file closes');
      for (const statement of relation.drop) await run(stage, statement, { ...bindings, line: closing.line });
      const others = ring.flatMap(({ line }) => (line === null || line === closing.line ? [] : [line]));
      const start = ring.indexOf(closing);
      const path = [...ring.slice(start), ...ring.slice(0, start), closing].slice(0, 20).map(({ key }) => key);
      yield { line: closing.line, value: path.join(' → '), others: others.sort((a, b) => a - b).slice(0, namedLines) };
    }
  }
}

interface Edge {
  key: string;
  above: string;
  line: number | null;
}

/** The rings of a graph in which everyone has one edge at most. */
export function findRings(edges: readonly Edge[]): Edge[][] {
  const byKey = new Map(edges.map((edge) => [edge.key, edge]));
  const walkOf = new Map<string, number>();
  const rings: Edge[][] = [];
  for (const [walk, start] of edges.entries()) {
    const path: Edge[] = [];
    let edge: Edge | undefined = start;
    while (edge !== undefined && !walkOf.has(edge.key)) {
      walkOf.set(edge.key, walk);
      path.push(edge);
      edge = byKey.get(edge.above);
    }
    if (edge !== undefined && walkOf.get(edge.key) === walk) rings.push(path.slice(path.indexOf(edge)));
  }
  return rings;
}
