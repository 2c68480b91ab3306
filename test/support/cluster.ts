/** PostgreSQL servers of Debian's packages, which a test kills, restarts and lets fail over. */
import { join } from 'node:path';
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

interface Script {
  findPrograms(version: number): string | null;
  startCluster(programs: string, flags?: readonly string[]): Promise<Cluster>;
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

export async function startCluster(scope: Scope, flags: readonly string[] = [], version = 15): Promise<Cluster> {
  const cluster = await script.startCluster(script.findPrograms(version)!, flags);
  scope.after(() => cluster.stop());
  return cluster;
}

export async function followCluster(scope: Scope, primary: Cluster): Promise<Cluster> {
  const standby = await primary.follow();
  scope.after(() => standby.stop());
  return standby;
}
