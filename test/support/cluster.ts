/** PostgreSQL servers of Debian's packages, which a test kills, restarts and lets fail over. */
import { join } from 'node:path';
import pg from 'pg';
import { until } from './session.js';
import type { Scope } from './temporary.js';

export interface Cluster {
  port: number;
  url: string;
  pid(): number;
  /** At once, as a crash does. */
  kill(): Promise<void>;
  /** As an administrator does: open transactions are ended. */
  shutDown(): Promise<void>;
  restart(): Promise<void>;
  promote(): Promise<unknown>;
  stop(): Promise<void>;
  /** A standby of this server. */
  follow(flags?: readonly string[]): Promise<Cluster>;
}

export interface ClusterOptions {
  /** The folder that gets its folder. */
  parent?: string;
}

interface Script {
  findPrograms(version: number): string | null;
  startCluster(programs: string, flags?: readonly string[], options?: ClusterOptions): Promise<Cluster>;
}

/** Not through types: the runner of the tests is no TypeScript. */
const script: Script = await import(join(import.meta.dirname, '../../scripts/cluster.mjs'));

const programs = script.findPrograms(15);

/** Why a test is skipped; false: it is there. */
export const lacksCluster = programs === null ? 'needs PostgreSQL 15 (Debian package: postgresql-15)' : false;

/** Why a test on another major version is skipped; false: it is there. */
export function lacksVersion(version: number): string | false {
  return script.findPrograms(version) === null && `PostgreSQL ${version} is NOT UNPACKED: scripts/postgres-versions.sh`;
}

export async function startCluster(
  scope: Scope,
  flags: readonly string[] = [],
  version = 15,
  options: ClusterOptions = {},
): Promise<Cluster> {
  const cluster = await script.startCluster(script.findPrograms(version)!, flags, options);
  scope.after(() => cluster.stop());
  return cluster;
}

/** While `work` runs, the standby receives nothing and confirms nothing; `goOn` ends that sooner, `end` for good: it loses what it has not read. */
export async function holdStandby<T>(
  standby: Cluster,
  work: (hold: { goOn(): void; end(): void }) => Promise<T>,
): Promise<T> {
  const pid = await findReceiver(standby);
  let isHeld = true;
  const signal = (name: NodeJS.Signals) => {
    if (isHeld) process.kill(pid, name);
  };
  const goOn = () => signal('SIGCONT');
  signal('SIGSTOP');
  try {
    return await work({
      goOn,
      end: () => {
        signal('SIGKILL');
        isHeld = false;
      },
    });
  } finally {
    goOn();
  }
}

async function findReceiver({ url }: Cluster): Promise<number> {
  return (await askServer(url, 'SELECT pid FROM pg_stat_wal_receiver'))[0]!.pid!;
}

/** A standby whose receiver was ended starts again first: until it is the primary it is asked again. */
export async function promoteStandby(standby: Cluster): Promise<void> {
  const isPromoted = async () => {
    const [state] = await askServer<{ waits: boolean }>(standby.url, 'SELECT pg_is_in_recovery() AS waits');
    if (state!.waits) await standby.promote();
    return !state!.waits;
  };
  await until(() => isPromoted().catch(() => false), 'the standby is the primary', 300_000);
}

/** One statement, of the superuser; its rows. */
export async function askServer<Row = Record<string, number>>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

export async function followCluster(scope: Scope, primary: Cluster): Promise<Cluster> {
  const standby = await primary.follow();
  scope.after(() => standby.stop());
  return standby;
}
