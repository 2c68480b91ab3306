/**
 * The leases of open writers that do not truncate their file. A server without keys can't lay its changes over a version of
 * another process, and no other process may publish one below it: so such writers exclude each other at their OPEN.
 */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';

/** A writer of a process that died, or that does not reach the database, excludes others for this long. */
export const leaseMs = 20_000;
/** Servers with keys write leases for this long after a server without keys was seen. */
const keylessMs = 24 * 3_600_000;
/** A server without keys says so again after this long. */
export const notedMs = 3_600_000;
/** SQLite takes a bounded number of values in one statement. */
const chunk = 200;

export interface WriterLeaseRow {
  id: string;
  process: string;
  org: string;
  path: string;
  isKeyless: boolean;
}

/** false: a writer of another process excludes it. One transaction at a time decides about a path. */
export async function insertWriterLease(tx: Queryable, row: WriterLeaseRow, now: number): Promise<boolean> {
  if (!(await admits(tx, row, now))) return false;
  const { id, process, org, path, isKeyless } = row;
  const lease = { id, process, org_id: org, path, is_keyless: isKeyless ? 1 : 0, until_at: timeOf(tx, now, leaseMs) };
  await tx('writer_leases').insert(lease).onConflict('id').ignore();
  return true;
}

/** As insertWriterLease, for a writer whose file was renamed. */
export async function moveWriterLease(tx: Queryable, row: WriterLeaseRow, now: number): Promise<boolean> {
  if (!(await admits(tx, row, now))) return false;
  await tx('writer_leases').where({ id: row.id }).update({ path: row.path });
  return true;
}

export async function deleteWriterLeases(tx: Queryable, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await tx('writer_leases').whereIn('id', ids).delete();
}

/** Of a process that has ended. */
export async function deleteLeasesOf(db: Queryable, process: string): Promise<void> {
  await db('writer_leases').where({ process }).delete();
}

/** For the only process on the database, which starts now. */
export async function deleteAllWriterLeases(db: Queryable): Promise<void> {
  await db('writer_leases').delete();
}

/** Renews leases of a process. Returns the ids of those that there are: one that had ended may have been removed. */
export async function renewWriterLeases(db: Queryable, ids: readonly string[], now: number): Promise<Set<string>> {
  const found = new Set<string>();
  for (let at = 0; at < ids.length; at += chunk) {
    const some = db('writer_leases').whereIn('id', ids.slice(at, at + chunk));
    const until = { until_at: timeOf(db, now, leaseMs) };
    for (const { id } of await some.update(until).returning<{ id: string }[]>('id')) found.add(id);
  }
  return found;
}

/**
 * Says that a server without keys is there; false: servers with keys did not know of one, and learn it when they look again.
 * Removes leases that ended.
 */
export async function noteKeyless(db: Queryable, now: number): Promise<boolean> {
  const wasSeen = await isKeylessSeen(db, now);
  if (wasSeen && (await isKeylessSeen(db, now, notedMs))) return true;
  await db('writer_leases')
    .where('until_at', '<=', timeOf(db, now, 0))
    .delete();
  await db('keyless_servers')
    .insert({ id: 1, seen_at: timeOf(db, now, 0) })
    .onConflict('id')
    .merge();
  return wasSeen;
}

/** Whether a server without keys was there lately. */
export async function isKeylessSeen(db: Queryable, now: number, withinMs = keylessMs): Promise<boolean> {
  return (
    (await db('keyless_servers')
      .where('seen_at', '>', timeOf(db, now, -withinMs))
      .first('id')) !== undefined
  );
}

async function admits(tx: Queryable, row: WriterLeaseRow, now: number): Promise<boolean> {
  const { org, path, process, isKeyless } = row;
  // SQLite has one writing transaction at a time. The lock ends with the transaction.
  if (dialectOf(tx) === 'postgres')
    await tx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [`writer ${org} ${path}`]);
  const there = () => tx('writer_leases').where({ org_id: org, path });
  await there()
    .where('until_at', '<=', timeOf(tx, now, 0))
    .delete();
  const others = there().whereNot({ process });
  if (!isKeyless) others.where({ is_keyless: 1 });
  return (await others.first('id')) === undefined;
}

/** On PostgreSQL the database's clock: those of the nodes differ. */
function timeOf(db: Queryable, now: number, plusMs: number): number | Knex.Raw {
  if (dialectOf(db) === 'sqlite') return now + plusMs;
  return db.raw('CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) + CAST(? AS bigint)', [plusMs]);
}
