/**
 * knex's PostgreSQL client, for a server that may fail over, restart, stand still, or be behind a pooler: it finds the server that
 * can be written to, ends the transaction of a process that stands still, and needs no state of a session where there is none.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import BaseClient from 'knex/lib/dialects/postgres/index.js';
import type pg from 'pg';
import { type Connection, openConnection } from './connect.js';
import { fillingMark } from './fillingmark.js';
import { isWaitCancelled, waitCancelled } from './replication.js';
import type { ConnectionWatch } from './watch.js';

interface ClientOptions {
  schema: string;
  /** A pooler that gives each transaction any of its connections. */
  isPooled: boolean;
  /** A transaction of a process that stands still for so long is ended, so that its locks hold up nobody else, in ms. */
  idleMs: number;
  /** Its connections fill a database that refuses writes of all others. */
  isFilled?: boolean;
  Client: typeof pg.Client;
  urls: readonly string[];
  watch: ConnectionWatch;
}

interface Query {
  sql: string;
}

/** The parts of knex's client that its types leave out. */
interface Base {
  version: string | undefined;
  checkVersion(connection: Connection): Promise<string>;
  _query(connection: Connection, query: Query): Promise<Query>;
}

/** A server that starts, or has no connection to spare, is asked again for so long. */
const patienceMs = 10_000;
const retryMs = 250;
/** cannot_connect_now, too_many_connections. */
const passing: readonly unknown[] = ['57P03', '53300'];
/** read_only_sql_transaction: the server has become a standby. */
const readOnly = '25006';

/** Without JIT: it costs each large statement of an import, which runs once, more than it saves. */
export function createClient(options: ClientOptions): typeof Knex.Client {
  const { urls, schema, isPooled, idleMs, isFilled = false, watch } = options;
  const path = `SET LOCAL search_path TO "${schema}"; SET LOCAL jit = off${isFilled ? `; SET LOCAL ${fillingMark} = 'on'` : ''}`;
  const limits = isPooled ? `${path}; SET LOCAL idle_in_transaction_session_timeout = ${idleMs}` : null;
  /** The server that had the last good connection is asked first. */
  let last = 0;

  class PostgresClient extends BaseClient {
    override async acquireRawConnection(): Promise<Connection> {
      for (const end = performance.now() + patienceMs; ; await sleep(retryMs)) {
        let failure: unknown;
        for (let n = 0; n < urls.length; n++) {
          const index = (last + n) % urls.length;
          try {
            const connection = await this.#connect(urls[index]!);
            last = index;
            return connection;
          } catch (error) {
            failure = isPassing(failure) ? failure : error;
          }
        }
        if (!isPassing(failure) || performance.now() > end) throw failure;
      }
    }

    async #connect(url: string): Promise<Connection> {
      const connection = openConnection(options.Client, url);
      try {
        await connection.connect();
        if (urls.length > 1) await requirePrimary(connection);
        if (!isPooled)
          await connection.query(
            `SET search_path TO "${schema}"; SET jit = off; SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = ${idleMs}${isFilled ? `; SET ${fillingMark} = 'on'` : ''}`,
          );
        const base = this as unknown as Base;
        base.version ??= await base.checkVersion(connection);
        return connection;
      } catch (error) {
        connection.end().catch(() => {});
        const isLate = (error as Error).message === 'timeout expired';
        if (isLate) throw Object.assign(new Error('the database server does not answer'), { code: 'ETIMEDOUT' });
        // The driver gives no code where the server wants no TLS, or has another password: no connection was made.
        throw Object.assign(error as Error, { code: (error as { code?: unknown }).code ?? '08001' });
      }
    }

    async _query(connection: Connection, query: Query): Promise<Query> {
      const done = watch.begin(connection);
      const run = () => (BaseClient.prototype as unknown as Base)._query.call(this, connection, query);
      let isUnsure = false;
      const note = (notice: { routine?: string | undefined }) => {
        isUnsure ||= isWaitCancelled(notice);
      };
      connection.on('notice', note);
      try {
        const result =
          limits === null || isInTransaction(connection, query) ? await run() : await runAlone(connection, limits, run);
        if (isUnsure) throw waitCancelled();
        return result;
      } catch (error) {
        if ((error as { code?: unknown }).code === readOnly) connection.__knex__disposed = error;
        throw error;
      } finally {
        connection.off('notice', note);
        done();
      }
    }

    override transaction(...args: unknown[]): Knex.Transaction {
      const make = Reflect.get(BaseClient.prototype, 'transaction') as (...all: unknown[]) => Knex.Transaction;
      const transaction = make.apply(this, args);
      beginWith(transaction as unknown as Beginning, isPooled ? path : '', limits ?? '');
      return transaction;
    }

    override destroy(callback?: unknown): Promise<void> {
      watch.stop();
      return Reflect.get(BaseClient.prototype, 'destroy').call(this, callback);
    }
  }
  return PostgresClient;
}

async function requirePrimary(connection: Connection): Promise<void> {
  const { rows } = await connection.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
  if (rows[0]!.standby) throw Object.assign(new Error('the database server is a standby'), { code: '57P03' });
}

function isPassing(error: unknown): boolean {
  return passing.includes((error as { code?: unknown } | undefined)?.code);
}

/** knex itself sends BEGIN, COMMIT and ROLLBACK. */
function isInTransaction({ _txStatus: status }: Connection, { sql }: Query): boolean {
  return status === 'T' || status === 'E' || /^(BEGIN|COMMIT|ROLLBACK|SET TRANSACTION)\b/i.test(sql);
}

/** Behind a pooler each statement is a transaction of its own, which begins with the settings that a session would have. */
async function runAlone<T>(connection: Connection, limits: string, run: () => Promise<T>): Promise<T> {
  await connection.query(`BEGIN; ${limits}`);
  try {
    const result = await run();
    await connection.query('COMMIT');
    return result;
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

interface Beginning {
  isolationLevel?: string;
  readOnly?: boolean;
  begin(connection: unknown): unknown;
  query(connection: unknown, sql: string): unknown;
}

/** A transaction that only reads may rest: it locks nothing. */
function beginWith(transaction: Beginning, path: string, limits: string): void {
  const { isolationLevel, readOnly } = transaction;
  const mode = [isolationLevel && `ISOLATION LEVEL ${isolationLevel}`, readOnly && 'READ ONLY'].filter(Boolean);
  const settings = readOnly ? `${path}; SET LOCAL idle_in_transaction_session_timeout = 0` : limits;
  transaction.begin = (connection) => transaction.query(connection, `BEGIN TRANSACTION ${mode.join(' ')}; ${settings}`);
}
