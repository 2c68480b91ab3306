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
  await analyze({ dialect, prefix, script }, table);
}

/** Creates an index, unless it exists. @param name of it within the table; needed where it has several columns. */
export async function createIndex(
  { dialect, prefix, script }: Stage,
  table: string,
  columns: string,
  name = columns,
  kind: '' | 'UNIQUE' = '',
): Promise<void> {
  const [index, on] =
    dialect === 'sqlite' ? [`${prefix}.${table}_${name}`, table] : [`${table}_${name}`, `${prefix}.${table}`];
  await script.run(`CREATE ${kind} INDEX IF NOT EXISTS ${index} ON ${on} (${columns})`);
}

/** PostgreSQL reads 300 times as many rows of a table for its statistics. Its usual 100 read as much as is gained by them. */
const statisticsTarget = 20;

/** Updates PostgreSQL's statistics of tables, once many rows were written. */
export async function analyze(
  { dialect, prefix, script }: Pick<Stage, 'dialect' | 'prefix' | 'script'>,
  ...tables: string[]
): Promise<void> {
  if (dialect !== 'postgres') return;
  for (const table of tables)
    await script.run(`SET LOCAL default_statistics_target = ${statisticsTarget}; ANALYZE ${prefix}.${table}`);
}

/**
 * Inserts thousands of rows in one statement. On SQLite their values stand in its text: that takes half of the time of reading them
 * out of JSON, and two thirds of that of binding them. On PostgreSQL each column is an array: JSON would be parsed again for each value.
 * @param columns each with its type, as `line INT`; the values of a `JSON` column are objects, arrays or null. One that is null in
 *   all rows is left out, so that it must have no other default.
 */
export async function insertRows(
  stage: Stage,
  table: string,
  columns: readonly string[],
  rows: readonly unknown[][],
): Promise<void> {
  if (rows.length === 0) return;
  // Most files have few of the columns.
  const filled = columns.flatMap((_, index) => (rows.some((row) => row[index] !== null) ? [index] : []));
  const head = `INSERT INTO ${stage.prefix}.${table} (${filled.map((index) => columns[index]!.split(' ')[0]).join(', ')})`;
  if (stage.dialect === 'postgres') {
    const types = filled.map((index) => columns[index]!.split(' ')[1]!);
    const values = types.map((type, place) => (type === 'JSON' ? `CAST(c${place} AS jsonb)` : `c${place}`));
    const arrays = types.map((type, place) => `CAST(:c${place} AS ${type === 'JSON' ? 'TEXT' : type}[])`);
    const names = types.map((_, place) => `c${place}`);
    return stage.script.run(
      `${head} SELECT ${values.join(', ')} FROM unnest(${arrays.join(', ')}) AS t(${names.join(', ')})`,
      Object.fromEntries(filled.map((index, place) => [`c${place}`, arrayOf(rows, index)])),
    );
  }
  const text = valuesOf(rows, filled);
  if (text !== null) return stage.script.run(`${head} VALUES ${text}`);
  await stage.script.run(
    `${head} SELECT ${filled.map((_, place) => `value->>${place}`).join(', ')} FROM json_each(:rows)`,
    {
      rows: JSON.stringify(rows.map((row) => filled.map((index) => row[index]))),
    },
  );
}

/** SQLite's text of the rows' values in these columns; null: one of them has NUL, which would end the statement. */
function valuesOf(rows: readonly unknown[][], columns: readonly number[]): string | null {
  let text = '';
  for (const row of rows) {
    let before = text === '' ? '(' : ',(';
    for (const column of columns) {
      text += before + literalOf(row[column]);
      before = ',';
    }
    text += ')';
  }
  return text.includes('\0') ? null : text;
}

function literalOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' || typeof value === 'boolean') return String(Number(value));
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `'${text.includes("'") ? text.replaceAll("'", "''") : text}'`;
}

/** The text of PostgreSQL's array of one column. */
function arrayOf(rows: readonly unknown[][], column: number): string {
  let text = '';
  for (const row of rows) text += (text === '' ? '' : ',') + elementOf(row[column]);
  return `{${text}}`;
}

function elementOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' || typeof value === 'boolean') return String(Number(value));
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const plain = text.includes('\\') ? text.replaceAll('\\', '\\\\') : text;
  return `"${plain.includes('"') ? plain.replaceAll('"', '\\"') : plain}"`;
}
