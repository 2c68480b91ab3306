/** knex's SQLite client, on a connection of ours in place of a driver's, with transactions that wait for their turn. */
import type { Knex } from 'knex';
import BaseClient from 'knex/lib/dialects/sqlite3/index.js';
import type { SqliteConnection } from './driver.js';

/** A query as knex hands it over, to be completed with its response. */
interface Query {
  sql: string;
  bindings?: readonly unknown[];
  method?: string;
  returning?: unknown;
  response?: unknown;
  context?: { lastID: number; changes: number };
}

export type TransactionKind = 'immediate' | 'deferred';

/**
 * `immediate`: a transaction takes the writer's lock as it begins. knex begins deferred, and a deferred transaction that
 * reads before it writes fails at once with SQLITE_BUSY when another process wrote in between, whatever the timeout.
 */
export function createClient(connect: () => Promise<SqliteConnection>, kind: TransactionKind): typeof Knex.Client {
  class SqliteClient extends BaseClient {
    /** knex wants to load a driver; there is none, since `connect` opens the connections. */
    _driver(): object {
      return {};
    }

    override acquireRawConnection(): Promise<SqliteConnection> {
      return connect();
    }

    override async destroyRawConnection(connection: SqliteConnection): Promise<void> {
      await connection.close();
    }

    async _query(connection: SqliteConnection, query: Query): Promise<Query> {
      if (await runBefore(connection, query)) return query;
      const running = connection.run(query.sql, query.bindings ?? [], wantsRows(query));
      const { rows, changes, lastId } = await running.catch((error) => abandon(connection, query, error));
      query.response = rows;
      query.context = { lastID: lastId, changes };
      return query;
    }

    override transaction(...args: unknown[]): Knex.Transaction {
      const make = Reflect.get(BaseClient.prototype, 'transaction') as (...all: unknown[]) => Knex.Transaction;
      const transaction = make.apply(this, args);
      if (kind === 'immediate') beginImmediate(transaction as unknown as Beginning);
      return transaction;
    }
  }
  return SqliteClient;
}

/** Statements of a transaction that wait for its next query. */
const waiting = new WeakMap<SqliteConnection, string[]>();

/**
 * Runs a statement without values and without an answer right before the next query of the connection, its COMMIT at the latest, in the
 * same call of the driver: a call costs ten times as much as a statement on a few rows. Its error is that of the query.
 * @param connection in a transaction: a ROLLBACK drops the statement
 */
export function runBeforeNext(connection: SqliteConnection, sql: string): void {
  const statements = waiting.get(connection);
  if (statements === undefined) waiting.set(connection, [sql]);
  else statements.push(sql);
}

/** The statements that wait: their caller runs them. */
export function takeWaiting(connection: SqliteConnection): string[] {
  const statements = waiting.get(connection) ?? [];
  waiting.delete(connection);
  return statements;
}

/** Runs the statements that wait, and then, in the same call, `more`. */
export async function runWaiting(connection: SqliteConnection, more: readonly string[] = []): Promise<void> {
  const statements = [...takeWaiting(connection), ...more];
  if (statements.length > 0) await connection.execute(statements.join(';\n'));
}

/** true: the query is a COMMIT, and has run with the statements that waited. */
async function runBefore(connection: SqliteConnection, query: Query): Promise<boolean> {
  if (!waiting.has(connection)) return false;
  const { sql } = query;
  // Also of ROLLBACK TO: each statement came after the last query, and so after the SAVEPOINT.
  if (/^ROLLBACK/i.test(sql)) return !waiting.delete(connection);
  const isCommit = /^COMMIT/i.test(sql);
  await runWaiting(connection, isCommit ? [sql] : []).catch((error) => abandon(connection, query, error));
  if (isCommit) Object.assign(query, { response: [], context: { lastID: 0, changes: 0 } });
  return isCommit;
}

/**
 * After a COMMIT that failed (the disk was full) SQLite may leave the transaction open, and knex does: the next COMMIT on this
 * connection would then write what its caller was told had failed.
 */
async function abandon(connection: SqliteConnection, { sql }: Query, error: unknown): Promise<never> {
  // It fails where SQLite has rolled back itself.
  if (/^COMMIT/i.test(sql)) await connection.run('ROLLBACK', [], false).catch(() => {});
  throw error;
}

interface Beginning {
  begin(connection: unknown): unknown;
  query(connection: unknown, sql: string): unknown;
}

function beginImmediate(transaction: Beginning): void {
  transaction.begin = (connection) => transaction.query(connection, 'BEGIN IMMEDIATE');
}

/** As knex decides it: a deletion is answered by its count. */
function wantsRows({ method, returning }: Query): boolean {
  if (method === 'counter' || method === 'del') return false;
  return (method !== 'insert' && method !== 'update') || Boolean(returning);
}
