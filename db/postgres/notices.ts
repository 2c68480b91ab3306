/**
 * Notices between nodes, by PostgreSQL's LISTEN and NOTIFY: a run was opened. They only save time: importers also look for runs once
 * a second, which is all where a pooler allows no LISTEN.
 */
import type { Knex } from 'knex';
import type pg from 'pg';
import { dialectOf } from '../dialect.js';
import { openConnection } from './connect.js';

const channel = 'dropslot_runs';
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;
/** A connection that died without a word is noticed by this. */
const askEveryMs = 30_000;

/** In a transaction: others get it once that has committed. */
export async function announceRun(db: Knex): Promise<void> {
  if (dialectOf(db) === 'postgres') await db.raw('SELECT pg_notify(?, ?)', [channel, '']);
}

/** Calls `onRun` after each notice, and after each connection: some may have been missed. Returns a function that ends that. */
export function listenForRuns(Client: typeof pg.Client, urls: readonly string[], onRun: () => void): () => void {
  let isStopped = false;
  let current: pg.Client | null = null;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  const later = (ms: number, work: () => Promise<void>) => {
    clearTimeout(timer);
    if (!isStopped) timer = setTimeout(() => void work(), ms).unref();
  };
  const again = () => later(Math.min(firstPauseMs * 2 ** failures++, longestPauseMs), connect);
  const ask = async () => {
    try {
      // pg has this option for one query; its types have it for a connection.
      await current!.query({ text: 'SELECT 1', query_timeout: askEveryMs } as pg.QueryConfig);
      later(askEveryMs, ask);
    } catch {
      current?.end().catch(() => {});
    }
  };
  const connect = async () => {
    const client = openConnection(Client, urls[failures % urls.length]!);
    current = client;
    client.once('end', () => current === client && again());
    client.on('notification', onRun);
    try {
      await client.connect();
      await client.query('SET idle_session_timeout = 0');
      // A standby refuses it.
      await client.query(`LISTEN ${channel}`);
      failures = 0;
      onRun();
      later(askEveryMs, ask);
    } catch {
      client.removeAllListeners('end');
      client.end().catch(() => {});
      again();
    }
  };
  void connect();
  return () => {
    isStopped = true;
    clearTimeout(timer);
    current?.end().catch(() => {});
  };
}
