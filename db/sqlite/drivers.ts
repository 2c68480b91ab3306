/** The SQLite drivers by the names that the setting `sqliteDriver` takes; opens a file with one of them. */
import type { Settings } from '../../config/settings.js';
import { DatabaseError } from '../error.js';
import type { OpenOptions, OpenSqlite, SqliteConnection } from './driver.js';

export type DriverName = Settings['sqliteDriver'];

/** The driver of sealed files. */
export const sealingDriver: DriverName = 'better-sqlite3-multiple-ciphers';

/** Each driver's package is loaded when it is first used: a process on PostgreSQL needs none. */
const drivers: Record<DriverName, { package: string; load: () => Promise<OpenSqlite> }> = {
  sqlite3: { package: 'sqlite3@6', load: async () => (await import('./sqlite3.js')).openSqlite3 },
  'better-sqlite3': {
    package: 'better-sqlite3@12',
    load: async () => (await import('./bettersqlite3.js')).loadBetterSqlite3('better-sqlite3'),
  },
  'better-sqlite3-multiple-ciphers': {
    package: 'better-sqlite3-multiple-ciphers@12',
    load: async () => (await import('./bettersqlite3.js')).loadBetterSqlite3('better-sqlite3-multiple-ciphers'),
  },
};

/** @throws DatabaseError `unavailable` when the driver's package is not installed; else the driver's own error. */
export async function openSqlite(name: DriverName, file: string, options: OpenOptions): Promise<SqliteConnection> {
  if (typeof options.key === 'string' && name !== sealingDriver) throw new Error(`${name} opens no sealed file`);
  const open = await loadDriver(name);
  return open(file, options);
}

/** Before a key is made for it. @throws DatabaseError `unavailable` when the package of the driver of sealed files is not installed */
export async function requireSealingDriver(): Promise<void> {
  await loadDriver(sealingDriver);
}

async function loadDriver(name: DriverName): Promise<OpenSqlite> {
  const driver = drivers[name];
  try {
    return await driver.load();
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    const other = name === sealingDriver ? 'needed for a sealed directory.db' : 'or set sqliteDriver to another driver';
    const message = `the SQLite driver ${name} is not installed: run "npm install ${driver.package}" in Dropslot's folder, ${other}`;
    throw new DatabaseError('unavailable', message, { cause });
  }
}

function isMissing(error: unknown): boolean {
  return ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes((error as { code?: string }).code ?? '');
}
