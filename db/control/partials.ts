/** Interrupted uploads (partials): their path, their resumable size, and the sealed key that reads them back. */

import type { Queryable } from '../connection.js';
import { databaseNow } from '../databaseclock.js';
import { dialectOf } from '../dialect.js';
import type { Beginning } from './uploads.js';

export interface NewPartial extends Beginning {
  /** Of the file in the folder of partials; the blob that it would have become. */
  id: string;
  org: string;
  dir: string;
  name: string;
  /** The partial that this upload continues; null: none, or it overwrote that one's bytes. */
  basedOn: string | null;
  /** `age1…` of the node whose key opens `payloadKey`. */
  node: string;
  /** The key of the file's payload, sealed to the node (armored age). */
  payloadKey: string;
  /** Where the payload begins. */
  headerBytes: number;
  mode: number;
  mtimeMs: number;
  atimeMs: number;
  updatedAt: number;
  /** The process that receives it; null: not known. */
  process: string | null;
}

export interface PartialRow extends NewPartial {
  /** open: an upload in progress, or one whose server died. kept: cut off, may be resumed. */
  state: 'open' | 'kept';
  /** Plaintext bytes that can be read back; 0 while it is open. */
  size: number;
}

export type PartialChange = Partial<Pick<NewPartial, 'mode' | 'mtimeMs' | 'atimeMs'>>;

/** Notes an upload in progress, so that a crash leaves something to resume. A row of its blob that is there stays as it is. */
export async function insertOpenPartial(db: Queryable, partial: NewPartial): Promise<void> {
  const row = { ...toStored(partial), state: 'open', size: 0, beat_at: databaseNow(db) };
  await db('partials').insert(row).onConflict('id').ignore();
}

/**
 * Keeps the received bytes of an interrupted upload, in place of older partials of its path; but one that this
 * upload resumed and has not caught up with yet is kept too. Returns the forgotten partials: their files may be deleted.
 */
export async function keepPartial(tx: Queryable, partial: NewPartial, size: number): Promise<string[]> {
  await tx('partials').where({ id: partial.id }).delete();
  const { org, dir, name } = partial;
  const older: Stored[] = await tx('partials').where({ org_id: org, dir, name, state: 'kept' });
  const base = older.find((row) => row.id === partial.basedOn);
  if (size === 0 || (base !== undefined && base.size >= size)) {
    // An upload from the start that has nothing to keep still replaces the older partial.
    if (partial.basedOn !== null) return [partial.id];
    return [partial.id, ...(await deletePartials(tx, older))];
  }
  const forgotten = await deletePartials(tx, older);
  await tx('partials').insert({ ...toStored(partial), state: 'kept', size });
  return forgotten;
}

/** The newest partial that is kept at a path; null: none. */
export async function findPartial(db: Queryable, org: string, path: string): Promise<PartialRow | null> {
  const row = await keptAt(db, org, path).orderBy('updated_at', 'desc').first();
  return row === undefined ? null : fromStored(row);
}

/** Partials of a folder in the byte order of their names, from after `afterName`; at most `limit`, one for each name. */
export async function listPartials(
  db: Queryable,
  org: string,
  dir: string,
  afterName: string | null,
  limit: number,
): Promise<PartialRow[]> {
  const name = dialectOf(db) === 'postgres' ? 'name COLLATE "C"' : 'name';
  const rows: Stored[] = await db('partials')
    .where({ org_id: org, dir, state: 'kept' })
    .whereRaw(`${name} > ?`, [afterName ?? ''])
    .orderByRaw(name)
    .limit(limit);
  return rows.map(fromStored).filter((row, index, all) => row.name !== all[index - 1]?.name);
}

/** Uploads in progress whose servers have not renewed them for so long. */
export async function listSilentPartials(
  db: Queryable,
  where: { org_id: string; dir: string; name?: string },
  silentMs: number,
): Promise<PartialRow[]> {
  const open = db<Stored>('partials').where({ ...where, state: 'open' });
  const rows: Stored[] = await open.where('beat_at', '<', databaseNow(db, silentMs)).orderBy('updated_at');
  return rows.map(fromStored);
}

/** Forgets the partials of a path; returns those whose files may be deleted. */
export async function forgetPartials(tx: Queryable, org: string, path: string): Promise<string[]> {
  return deletePartials(tx, await keptAt(tx, org, path));
}

/** Forgets all that there is of an organization, uploads in progress included; the partials whose files may go. */
export async function forgetAllPartials(tx: Queryable, org: string): Promise<string[]> {
  return deletePartials(tx, await tx('partials').where({ org_id: org }).select('id'));
}

/** As forgetAllPartials, those that were cut off before a time (ms). */
export async function forgetPartialsBefore(tx: Queryable, org: string, before: number): Promise<string[]> {
  const kept = tx('partials').where({ org_id: org, state: 'kept' }).where('updated_at', '<', before);
  return deletePartials(tx, await kept.select('id'));
}

export async function deletePartial(db: Queryable, id: string): Promise<void> {
  await db('partials').where({ id }).delete();
}

export async function updatePartial(db: Queryable, id: string, change: PartialChange): Promise<void> {
  const row = Object.fromEntries(Object.entries(toStored(change)).filter(([, value]) => value !== undefined));
  if (Object.keys(row).length > 0) await db('partials').where({ id }).update(row);
}

/** All that one node's key opens, or of one organization, whatever their state. */
export async function listAllPartials(
  db: Queryable,
  of: { node: string; process?: string } | { org: string },
): Promise<PartialRow[]> {
  const rows: Stored[] = await db('partials')
    .where('node' in of ? of : { org_id: of.org })
    .orderBy('id');
  return rows.map(fromStored);
}

/** The ids of all that there are, of every node. */
export async function listPartialIds(db: Queryable): Promise<string[]> {
  return (await db('partials').select('id')).map((row: { id: string }) => row.id);
}

/** The oldest that are kept and were cut off before a time, and those in progress that began before another. */
export async function listExpiredPartials(
  db: Queryable,
  before: { kept: number; open: number },
  limit: number,
): Promise<PartialRow[]> {
  const rows: Stored[] = await db('partials')
    .where((either) =>
      either
        .where((kept) => kept.where('state', 'kept').where('updated_at', '<', before.kept))
        .orWhere((open) =>
          open
            .where('state', 'open')
            .where('begun_at', '<', before.open)
            .where((silent) => silent.whereNull('beat_at').orWhere('beat_at', '<', before.open)),
        ),
    )
    .orderBy('updated_at')
    .limit(limit);
  return rows.map(fromStored);
}

interface Stored {
  id: string;
  org_id: string;
  dir: string;
  name: string;
  state: 'open' | 'kept';
  size: number;
  based_on: string | null;
  node: string;
  payload_key: string;
  header_bytes: number;
  mode: number;
  mtime_ms: number;
  atime_ms: number;
  begun_at: number;
  last_upload: number | null;
  updated_at: number;
  process: string | null;
}

function keptAt(db: Queryable, org: string, path: string) {
  const slash = path.lastIndexOf('/');
  const place = { dir: path.slice(0, slash) || '/', name: path.slice(slash + 1) };
  return db<Stored>('partials').where({ org_id: org, ...place, state: 'kept' });
}

/** Returns their ids. */
export async function deletePartials(tx: Queryable, rows: readonly { id: string }[]): Promise<string[]> {
  const ids = rows.map(({ id }) => id);
  if (ids.length > 0) await tx('partials').whereIn('id', ids).delete();
  return ids;
}

function toStored(partial: Partial<NewPartial>): Partial<Stored> {
  return {
    id: partial.id!,
    org_id: partial.org!,
    dir: partial.dir!,
    name: partial.name!,
    based_on: partial.basedOn!,
    node: partial.node!,
    payload_key: partial.payloadKey!,
    header_bytes: partial.headerBytes!,
    mode: partial.mode!,
    mtime_ms: partial.mtimeMs!,
    atime_ms: partial.atimeMs!,
    begun_at: partial.begunAt!,
    last_upload: partial.lastUpload!,
    updated_at: partial.updatedAt!,
    process: partial.process!,
  };
}

function fromStored(row: Stored): PartialRow {
  return {
    id: row.id,
    org: row.org_id,
    dir: row.dir,
    name: row.name,
    state: row.state,
    size: row.size,
    basedOn: row.based_on,
    node: row.node,
    payloadKey: row.payload_key,
    headerBytes: row.header_bytes,
    mode: row.mode,
    mtimeMs: row.mtime_ms,
    atimeMs: row.atime_ms,
    begunAt: row.begun_at,
    lastUpload: row.last_upload,
    updatedAt: row.updated_at,
    process: row.process,
  };
}
