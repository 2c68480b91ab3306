/** knex's SQLite client, on a connection of ours in place of a driver's, with transactions that wait for their turn. */
import { createRequire } from 'node:module';
import type { Knex } from 'knex';
import type { SqliteConnection } from './driver.js';

const BaseClient = createRequire(import.meta.url)('knex/lib/dialects/sqlite3/index.js') as typeof Knex.Client;

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
