/**
 * A data folder remembers which installation it belongs to, in the control.db that it had before it was moved to PostgreSQL: no other
 * database comes into use with its sealed files and keys by a wrong setting.
 */
import { existsSync } from 'node:fs';
import type { Knex } from 'knex';
import type { Paths } from '../../config/paths.js';
import { readControlMarks } from '../control/pair.js';
import { DatabaseError } from '../error.js';
import { type DriverName, openSqlite } from '../sqlite/drivers.js';

interface Remembered {
  /** null: it has not met a directory database yet. */
  pairId: string | null;
  /** `in use`: nothing was moved from it, or it was taken back. */
  state: 'in use' | 'copying' | 'moved';
  /** null: it was never moved. */
  other: string | null;
}

const waitMs = 5_000;

/**
 * @param control a control database on PostgreSQL
 * @throws DatabaseError `mismatch` with the operator's next step when the data folder has a control.db of another installation, or one in use
 */
export async function requireFolderFits(
  control: Knex,
  { control: file, data }: Pick<Paths, 'control' | 'data'>,
  driver: DriverName,
): Promise<void> {
  const found = existsSync(file) ? await read(file, driver) : null;
  if (found === null) return;
  const { pairId } = await readControlMarks(control);
  if (pairId === found.pairId && found.state !== 'in use') return;
  throw new DatabaseError('mismatch', explain(found, pairId, data));
}

function explain({ state, other, pairId: own }: Remembered, pairId: string | null, data: string): string {
  const fresh = `For a new installation use another data folder`;
  if (state === 'in use' && own !== null && own === pairId)
    return `the SQLite database in ${data} is in use, and this PostgreSQL database has an older or newer copy of it: set "database" to sqlite`;
  if (state === 'in use')
    return `the SQLite database in ${data} is in use: set "database" to sqlite, and run "dropslot migrate" to move it to PostgreSQL. ${fresh}`;
  return `the installation in ${data} was moved to ${other}, and this PostgreSQL database ${pairId === null ? 'is empty' : 'belongs to another installation'}: set "database" to that one. ${fresh}`;
}

/** null: it is empty, of a version without moves, or can't be read. */
async function read(file: string, driver: DriverName): Promise<Remembered | null> {
  try {
    const connection = await openSqlite(driver, file, { waitMs, mustExist: true });
    try {
      const ask = async (sql: string) => (await connection.run(sql, [], true)).rows as Record<string, string | null>[];
      const [pair] = await ask('SELECT pair_id FROM pair WHERE id = 1');
      if (pair?.pair_id == null && (await ask('SELECT id FROM orgs LIMIT 1')).length === 0) return null;
      const [move] = await ask('SELECT state, other FROM moves WHERE id = 1');
      const state = (move?.state ?? 'in use') as Remembered['state'];
      return { pairId: pair?.pair_id ?? null, state, other: move?.other ?? null };
    } finally {
      await connection.close();
    }
  } catch {
    return null;
  }
}
