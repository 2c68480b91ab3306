/** One connection to a PostgreSQL server, which notices when it can't be used any more. */
import type pg from 'pg';
import { guardAnswers } from './answers.js';

/** A connection as knex keeps it: it is not used again once `__knex__disposed` is set. */
export type Connection = pg.Client & { __knex__disposed?: unknown; _txStatus?: string | null };

const connectMs = 10_000;
const keepAliveMs = 10_000;

export function openConnection(Client: typeof pg.Client, url: string): Connection {
  const connection: Connection = new Client({
    connectionString: url,
    application_name: 'dropslot',
    connectionTimeoutMillis: connectMs,
    ...{ keepAlive: true, keepAliveInitialDelayMillis: keepAliveMs },
  });
  guardAnswers(connection);
  connection.on('error', (error) => {
    connection.__knex__disposed = error;
  });
  connection.on('end', () => {
    connection.__knex__disposed ??= 'Connection ended unexpectedly';
  });
  return connection;
}
