/**
 * Short transactions in two calls of the driver: one query before the BEGIN, and one script from the BEGIN to the COMMIT, which fails if
 * another connection has committed since that query. knex takes a call for each of BEGIN, query and COMMIT, and builds a transaction for it.
 */
import type { Knex } from 'knex';
import { noteCommitSent } from '../error.js';
import { takeWaiting } from './client.js';
import type { SqliteConnection } from './driver.js';

/** The work needs a whole transaction, or another connection has the lock, or has committed since its query: nothing was written. */
export class NotAhead extends Error {
  override name = 'NotAhead';
}

/** The column of a query that makes it fit: SQLite changes the number when another connection has committed. */
export const dataVersion = '(SELECT data_version FROM pragma_data_version) AS data_version';

/**
 * Runs `work`, which has no effects but its writes, and commits them. It may only read by queries with the column `dataVersion`
 * (`readAhead`), and only write by statements that wait (`runLater`, `openScript`).
 * @param db has one connection, by which all other transactions of the process are made
 * @throws NotAhead when it does anything else: then it must run again in a transaction
 */
export async function runAhead<T>(db: Knex, work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
  const connection: SqliteConnection = await db.client.acquireConnection();
  try {
    const ahead = new Ahead(connection);
    const result = await ahead.run(work);
    await commit(connection, ahead.version, takeWaiting(ahead.connection));
    return result;
  } finally {
    await db.client.releaseConnection(connection);
  }
}

class Ahead {
  /** That of the real one's methods which neither write nor begin a transaction. */
  readonly connection: SqliteConnection;
  /** Of the queries; null: there was none. */
  version: number | null = null;
  #isRefused = false;

  constructor(real: SqliteConnection) {
    const refuse = () => this.#refuse();
    this.connection = {
      run: (...query) => this.#query(real, ...query),
      execute: refuse,
      executeNow: refuse,
      copyTo: refuse,
      close: refuse,
    };
  }

  async run<T>(work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
    try {
      const result = await work(this.#asTransaction());
      // The work may have caught the error.
      if (this.#isRefused) this.#refuse();
      return result;
    } catch (error) {
      if (this.#isRefused) this.#refuse();
      noteCommitSent(error, false);
      throw error;
    }
  }

  async #query(real: SqliteConnection, ...[sql, values, wantsRows]: Parameters<SqliteConnection['run']>) {
    if (!sql.startsWith('SELECT ')) this.#refuse();
    const result = await real.run(sql, values, wantsRows);
    const { data_version: version } = (result.rows[0] ?? {}) as { data_version?: unknown };
    if (typeof version !== 'number' || (this.version ?? version) !== version) this.#refuse();
    this.version = version;
    return result;
  }

  #refuse(): never {
    this.#isRefused = true;
    throw new NotAhead('not a transaction of one query and its writes');
  }

  /** The part of a transaction that `db/script.ts` and the audit trail use; every other method of knex is refused. */
  #asTransaction(): Knex.Transaction {
    const refuse = () => this.#refuse();
    const client = {
      dialect: 'sqlite3',
      acquireConnection: async () => this.connection,
      releaseConnection: async () => {},
    };
    const known = Object.assign(refuse, { client, isTransaction: true });
    return new Proxy(known, {
      get: (target, name) => {
        if (typeof name === 'symbol' || Object.hasOwn(target, name)) return Reflect.get(target, name);
        return this.#refuse();
      },
    }) as unknown as Knex.Transaction;
  }
}

async function commit(connection: SqliteConnection, version: number | null, writes: readonly string[]): Promise<void> {
  if (writes.length === 0) return;
  const guard = version === null ? [] : [requireVersion(version)];
  try {
    // Without a wait for the lock, in which the session of an upload may end: the work decides only at its end whether it is wanted.
    await connection.executeNow('BEGIN IMMEDIATE', [...guard, ...writes, 'COMMIT']);
  } catch (error) {
    // It fails where SQLite has rolled back itself, or has not begun.
    await connection.run('ROLLBACK', [], false).catch(() => {});
    // Another connection has the lock; or the guard, or a statement that is wrong, of which a transaction of its own tells which.
    const { code } = error as { code?: unknown };
    if (code === 'SQLITE_BUSY' || code === 'SQLITE_ERROR') throw new NotAhead('locked, or changed', { cause: error });
    noteCommitSent(error, true);
    throw error;
  }
}

/** The transaction has begun: the number is that of the state which it sees. */
function requireVersion(version: number): string {
  return `SELECT json(CASE data_version WHEN ${version} THEN '1' ELSE 'changed' END) FROM pragma_data_version`;
}
