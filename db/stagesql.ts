/** Statements over a stage, in the dialect of its database: run one, read rows, create and fill tables. */
import type { Dialect } from './dialect.js';
import type { Bindings } from './script.js';
import type { Stage } from './stage.js';

/** Rows that pagesByLine reads at once. */
const pageRows = 2000;

/** Runs a statement on the stage's connection, at the latest with the next query; `:name` bindings. */
export function run({ script }: Stage, sql: string, bindings: Bindings = {}): Promise<void> {
  return script.run(sql, bindings);
}

/** The rows of a query. */
export function rows<T>({ script }: Stage, sql: string, bindings: Bindings = {}): Promise<T[]> {
  return script.rows<T>(sql, bindings);
}

/** The number that a query counts, in its column `n`. */
export async function count(stage: Stage, sql: string, bindings: Bindings = {}): Promise<number> {
  const [row] = await rows<{ n: number | null }>(stage, sql, bindings);
  return row?.n ?? 0;
}

/** Pages through a query that has `:after` (a line) and `:limit`, ordered by its column `line`. */
export async function* pagesByLine<T extends { line: number }>(
  stage: Stage,
  sql: string,
  bindings: Bindings = {},
): AsyncGenerator<T[]> {
  for (let after = -1; ; ) {
    const page = await rows<T>(stage, sql, { ...bindings, after, limit: pageRows });
    if (page.length === 0) return;
    yield page;
    after = page[page.length - 1]!.line;
  }
}

/** SQL: the elements of a JSON array as a table `t` with the column `value`. */
export function eachOf(dialect: Dialect, expression: string): string {
  return dialect === 'sqlite'
    ? `json_each(${expression}) AS t`
    : `LATERAL jsonb_array_elements(${expression}) AS t(value)`;
}

/** Creates an empty table; on PostgreSQL an unlogged one. @param keeps whether one that exists is kept, with its rows. */
export async function createTable(
  { script, dialect, prefix }: Stage,
  table: string,
  columns: string,
  keeps = false,
): Promise<void> {
  const create = `CREATE ${dialect === 'sqlite' ? '' : 'UNLOGGED'} TABLE ${keeps ? 'IF NOT EXISTS' : ''}`;
  await script.run(`${create} ${prefix}.${table} (${columns})`);
}

/** Creates a table of the stage from a query, in place of one of the same name. */
export async function createAs(
  { dialect, prefix, script }: Stage,
  table: string,
  query: string,
  bindings: Bindings,
): Promise<void> {
  await script.run(`DROP TABLE IF EXISTS ${prefix}.${table}`);
  await script.run(`CREATE ${dialect === 'sqlite' ? '' : 'UNLOGGED'} TABLE ${prefix}.${table} AS ${query}`, bindings);
  if (dialect === 'postgres') await script.run(`ANALYZE ${prefix}.${table}`);
}

/** Creates an index, unless it exists. @param name of it within the table; needed where it has several columns. */
export async function createIndex(
  { dialect, prefix, script }: Stage,
  table: string,
  columns: string,
  name = columns,
): Promise<void> {
  const [index, on] =
    dialect === 'sqlite' ? [`${prefix}.${table}_${name}`, table] : [`${table}_${name}`, `${prefix}.${table}`];
  await script.run(`CREATE INDEX IF NOT EXISTS ${index} ON ${on} (${columns})`);
}

/** Updates PostgreSQL's statistics of tables, once many rows were written. */
export async function analyze({ dialect, prefix, script }: Stage, ...tables: string[]): Promise<void> {
  if (dialect !== 'postgres') return;
  for (const table of tables) await script.run(`ANALYZE ${prefix}.${table}`);
}

/**
 * Inserts thousands of rows in one statement: 162,000 rows a second on SQLite, against 75,000 in batches of a hundred rows of
 * bindings.
 * @param columns each with its type, as `line INT`; the values of a `JSON` column are objects, arrays or null.
 */
export async function insertRows(
  stage: Stage,
  table: string,
  columns: readonly string[],
  rows: readonly unknown[][],
): Promise<void> {
  if (rows.length === 0) return;
  const names = columns.map((column) => column.split(' ')[0]);
  const values = columns.map((column, index) => readValue(stage.dialect, index, column.split(' ')[1]!));
  const source =
    stage.dialect === 'sqlite' ? 'json_each(:rows)' : 'json_array_elements(CAST(:rows AS json)) AS t(value)';
  await stage.script.run(
    `INSERT INTO ${stage.prefix}.${table} (${names.join(', ')}) SELECT ${values.join(', ')} FROM ${source}`,
    {
      rows: JSON.stringify(rows),
    },
  );
}

function readValue(dialect: Dialect, index: number, type: string): string {
  if (type !== 'JSON') return dialect === 'sqlite' ? `value->>${index}` : `CAST(value->>${index} AS ${type})`;
  // ->> gives JSON's null as SQL's, and an object or array as its text.
  return dialect === 'sqlite' ? `value->>${index}` : `CAST(value->>${index} AS jsonb)`;
}
