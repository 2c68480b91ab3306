/** Opens one schema of a PostgreSQL database, and makes the schema where it is missing. */
import type { Knex } from 'knex';
import { openKnex } from '../knex.js';
import { createClient } from './client.js';
import { readHosts } from './hosts.js';
import { listenForRuns } from './notices.js';
import { watchConnections } from './watch.js';

export interface SchemaOptions {
  /** One server, or several of which one can be written to. */
  url: string;
  schema: string;
  /** The most connections that are open at once. */
  connections: number;
  /** A pooler that gives each transaction any of its connections. */
  isPooled: boolean;
  /** A transaction of a process that stands still for so long is ended, so that its locks hold up nobody else, in ms. */
  idleMs: number;
  /** A move fills it: it refuses writes of all other connections. */
  isFilled?: boolean;
}

export interface Schema {
  instance: Knex;
  /** Calls `onRun` soon after a run was opened on any node, until the function that comes back is called; undefined: a pooler forbids it. */
  onRun: ((onRun: () => void) => () => void) | undefined;
  /** A connection beside the others, which may all be in use; destroy it. */
  openAside(): Knex;
}

export async function openSchema(options: SchemaOptions): Promise<Schema> {
  const { url, schema, connections, isPooled, idleMs, isFilled = false } = options;
  // Loaded here only: it takes a tenth of a second, and each session behind an sshd starts a process.
  const { default: pg } = await import('pg');
  // int8 (20) holds identifiers, sizes and milliseconds here: all below 2^53.
  pg.types.setTypeParser(20, Number);
  const urls = readHosts(url);
  const openPool = (max: number) =>
    openKnex({
      client: createClient({
        ...{ Client: pg.Client, urls, schema, isPooled, idleMs, isFilled },
        watch: watchConnections(pg.Client, urls),
      }),
      connection: {},
      pool: { min: 0, max },
    });
  // A migration takes a second one; behind a pooler no lock belongs to the first.
  const instance = openPool(isPooled ? Math.max(connections, 2) : connections);
  try {
    await instance.raw('CREATE SCHEMA IF NOT EXISTS ??', [schema]);
  } catch (error) {
    // Two processes that start together may both try; the loser finds the schema.
    if ((error as { code?: string }).code !== '23505') {
      await instance.destroy();
      throw error;
    }
  }
  const onRun = isPooled ? undefined : (listener: () => void) => listenForRuns(pg.Client, urls, listener);
  return { instance, onRun, openAside: () => openPool(1) };
}
