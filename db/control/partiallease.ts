/** The leases of uploads in progress on servers that share an object store: whoever finds one that has expired may take it over. */
import type { Queryable } from '../connection.js';
import { databaseNow } from '../databaseclock.js';
import { lockUploadsOf } from './orgs.js';
import { keepPartial, listSilentPartials, type PartialRow } from './partials.js';
import { pathOf } from './treelayout.js';
import { hasNewerUpload } from './uploads.js';

/** How often a server renews the lease of an upload. */
export const beatMs = 5_000;
/** Without a renewal for this long its server counts as dead. */
const deadMs = 20_000;

export async function renewPartial(db: Queryable, id: string): Promise<void> {
  await db('partials')
    .where({ id, state: 'open' })
    .update({ beat_at: databaseNow(db) });
}

/** Uploads of a folder, or at one name in it, whose servers have died. */
export function listDeadPartials(db: Queryable, org: string, dir: string, name?: string): Promise<PartialRow[]> {
  return listSilentPartials(db, { org_id: org, dir, ...(name !== undefined && { name }) }, deadMs);
}

/**
 * Takes an upload over from a dead server, which can publish it no more, and keeps its first `size` bytes. Returns the ids of the
 * partials whose bytes the caller must remove. null: the server lives, or another one was faster.
 */
export async function takeOverPartial(tx: Queryable, row: PartialRow, size: number): Promise<string[] | null> {
  await lockUploadsOf(tx, row.org);
  const taken = await tx('partials')
    .where({ id: row.id, state: 'open' })
    .where('beat_at', '<', databaseNow(tx, deadMs))
    .delete();
  return taken === 0 ? null : keepLocked(tx, row, size);
}

/**
 * As keepPartial, for an upload whose server has died. Its sender may have sent the file again since, to another server: beside that
 * version the older bytes would be shown under its name once it is imported, and be continued with bytes of the next file.
 */
export async function keepLeftPartial(tx: Queryable, row: PartialRow, size: number): Promise<string[]> {
  await lockUploadsOf(tx, row.org);
  return keepLocked(tx, row, size);
}

async function keepLocked(tx: Queryable, row: PartialRow, size: number): Promise<string[]> {
  if (!(await hasNewerUpload(tx, row.org, pathOf(row), row))) return keepPartial(tx, row, size);
  await tx('partials').where({ id: row.id }).delete();
  return [row.id];
}

/** false: another server has taken the upload over. */
export async function deleteOpenPartial(tx: Queryable, id: string): Promise<boolean> {
  return (await tx('partials').where({ id, state: 'open' }).delete()) > 0;
}

/** Whether another server has taken the upload over, and keeps its bytes. */
export async function isTakenOver(tx: Queryable, id: string): Promise<boolean> {
  return (await tx('partials').where({ id, state: 'kept' }).first('id')) !== undefined;
}

/** The identity that all servers share; null: none was made yet. */
export async function findPartialKey(db: Queryable): Promise<string | null> {
  const row = await db('partial_key').where({ id: 1 }).first('identity');
  return row?.identity ?? null;
}

/** Returns the identity of the server that was first. */
export async function keepPartialKey(db: Queryable, identity: string): Promise<string> {
  await db('partial_key').insert({ id: 1, identity }).onConflict('id').ignore();
  return (await findPartialKey(db))!;
}
