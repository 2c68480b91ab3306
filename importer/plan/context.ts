/** What planning users and planning teams share: what it is planned against, and statements over the stage. */
import type { Dialect } from '../../db/connection.js';
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
/** Other lines that a finding names at most. */
export const namedLines = 5;
const dayMs = 86_400_000;

/** The values that statements of a plan name. */
export function bindingsOf({ org, file, today, now, ownerKey }: PlanContext): Record<string, unknown> {
  return { org, file, today, now, ownerKey, tomorrow: now + dayMs };
}

/** Of what is planned, under an alias: created by a row of the file at work (`:file`), and not there before it. */
export function isOwnIn(alias: string): string {
  return `${alias}.is_new = 1 AND ${alias}.is_stub = 0 AND ${alias}.file = :file`;
}

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
