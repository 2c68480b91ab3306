/** Copies all content of one database of a connection into another, empty one: between files that are not sealed alike. */
import type { SqliteConnection } from './driver.js';

interface Item {
  type: string;
  name: string;
  sql: string;
}

/** How SQLite writes each definition, whatever its author wrote. */
const beginnings = /^CREATE (TABLE|UNIQUE INDEX|INDEX|TRIGGER|VIEW) /;

/** Tables first, then what is made of their rows. Foreign keys must be off. @throws for a kind of table that has no rows of its own */
export async function copyContent(connection: SqliteConnection, from: string, to: string): Promise<void> {
  const read = async <Row>(sql: string) => (await connection.run(sql, [], true)).rows as Row[];
  const items = await read<Item>(
    `SELECT type, name, sql FROM ${from}.sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid`,
  );
  const tables = items.filter(({ type }) => type === 'table');
  for (const table of tables) await connection.execute(moved(table, to));
  for (const { name } of tables)
    await connection.execute(`INSERT INTO ${to}.${quoted(name)} SELECT * FROM ${from}.${quoted(name)}`);
  if ((await read(`SELECT 1 FROM ${from}.sqlite_master WHERE name = 'sqlite_sequence'`)).length > 0) {
    // The inserts above have written their own.
    await connection.execute(`DELETE FROM ${to}.sqlite_sequence`);
    await connection.execute(`INSERT INTO ${to}.sqlite_sequence SELECT * FROM ${from}.sqlite_sequence`);
  }
  for (const item of items) if (item.type !== 'table') await connection.execute(moved(item, to));
  for (const pragma of ['user_version', 'application_id']) {
    const [row] = await read<Record<string, number>>(`PRAGMA ${from}.${pragma}`);
    await connection.execute(`PRAGMA ${to}.${pragma} = ${row![pragma]}`);
  }
}

/** The tables of a database, with the number of rows of each. */
export async function countRows(connection: SqliteConnection, schema: string): Promise<Map<string, number>> {
  const names = await connection.run(
    `SELECT name FROM ${schema}.sqlite_master WHERE type = 'table' ORDER BY name`,
    [],
    true,
  );
  const counts = new Map<string, number>();
  for (const { name } of names.rows as { name: string }[]) {
    const { rows } = await connection.run(`SELECT count(*) AS n FROM ${schema}.${quoted(name)}`, [], true);
    counts.set(name, (rows as { n: number }[])[0]!.n);
  }
  return counts;
}

/** The statement that defines it in another database. */
function moved({ name, sql }: Item, to: string): string {
  if (!beginnings.test(sql)) throw new Error(`${name} can't be copied to another database`);
  return sql.replace(beginnings, (beginning) => `${beginning}${to}.`);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
