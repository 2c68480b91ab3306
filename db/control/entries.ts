/** The names of an organization's virtual tree: one row for each file and folder; the root has none. */

import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import { insertLater, type Script } from '../script.js';
import { fitName, foldName, safeName, splitExtension } from './names.js';

export interface NewEntry {
  org: string;
  /** The parent folder's path; `/` is the root. */
  dir: string;
  name: string;
  kind: 'file' | 'dir';
  /** null for folders. */
  blobId: string | null;
  /** null for folders, and for files that the server itself wrote (reports). */
  uploadId: number | null;
  /** Plaintext bytes; 0 for folders. */
  size: number;
  /** Permission bits. */
  mode: number;
  mtimeMs: number;
  atimeMs: number;
  createdAt: number;
}

export interface EntryRow extends NewEntry {
  id: number;
}

export type EntryChange = Partial<Pick<NewEntry, 'dir' | 'name' | 'uploadId' | 'mode' | 'mtimeMs' | 'atimeMs'>>;

/** The entry at an absolute path; null: nothing there, or the root. */
export async function findEntry(db: Queryable, org: string, path: string): Promise<EntryRow | null> {
  return first(db('entries').where(keyOf(org, path)).first());
}

/** As findEntry, and holds the row against other transactions until this one ends. */
export async function lockEntry(tx: Queryable, org: string, path: string): Promise<EntryRow | null> {
  for (;;) {
    const entry = await lockUnlessReplaced(tx, org, path);
    if (entry !== null || dialectOf(tx) === 'sqlite') return entry;
    if ((await findEntry(tx, org, path)) === null) return null;
  }
}

/**
 * As lockEntry, with one statement: null also for a path whose entry another transaction was just replacing. For a caller that then adds
 * an entry: the unique index refuses it.
 */
export async function lockUnlessReplaced(tx: Queryable, org: string, path: string): Promise<EntryRow | null> {
  return first(tx('entries').where(keyOf(org, path)).forUpdate().first());
}

/** The entry that points to an upload; null: its name was removed, or points to a newer one. */
export async function findEntryOfUpload(db: Queryable, org: string, uploadId: number): Promise<EntryRow | null> {
  return first(db('entries').where({ org_id: org, upload_id: uploadId }).first());
}

/** The new entry's id. Fails on the unique index when the name is taken. */
export async function insertEntry(db: Queryable, entry: NewEntry): Promise<number> {
  const [row] = await db('entries').insert(entryColumns(entry)).returning<{ id: number }[]>('id');
  return row!.id;
}

/** As insertEntry, with the next query of the transaction, or its COMMIT. */
export function insertEntryLater(tx: Queryable, entry: NewEntry): Promise<void> {
  return insertLater(tx, 'entries', { ...entryColumns(entry) });
}

export async function updateEntry(db: Queryable, id: number, change: EntryChange): Promise<void> {
  const row = Object.fromEntries(Object.entries(entryColumns(change)).filter(([, value]) => value !== undefined));
  if (Object.keys(row).length > 0) await db('entries').where({ id }).update(row);
}

/** Moves an entry with the other statements of the script. */
export async function moveEntryLater(
  script: Script,
  id: number,
  { dir, name }: Pick<NewEntry, 'dir' | 'name'>,
): Promise<void> {
  const row = { id, dir, name, folded: foldName(name) };
  await script.run('UPDATE entries SET dir = :dir, name = :name, folded_name = :folded WHERE id = :id', row);
}

export async function deleteEntry(db: Queryable, id: number): Promise<void> {
  await db('entries').where({ id }).delete();
}

/** Entries of a folder in the byte order of their names, from after `afterName`; at most `limit`. */
export async function listEntries(
  db: Queryable,
  org: string,
  dir: string,
  afterName: string | null,
  limit: number,
): Promise<EntryRow[]> {
  const name = byteOrdered(db, 'name');
  const rows: StoredEntry[] = await db('entries')
    .where({ org_id: org, dir })
    .whereRaw(`${name} > ?`, [afterName ?? ''])
    .orderByRaw(name)
    .limit(limit);
  return rows.map(readEntry);
}

export async function hasEntries(db: Queryable, org: string, dir: string): Promise<boolean> {
  return (await db('entries').where({ org_id: org, dir }).first('id')) !== undefined;
}

/**
 * Creates the folders of a path that are missing, and holds the last one until the transaction ends, so that no one
 * removes it meanwhile. Returns false, and may have created some, when one of them is a file.
 */
export async function ensureFolders(tx: Queryable, org: string, path: string, now: number): Promise<boolean> {
  if (path === '/') return true;
  for (;;) {
    const found = await lockUnlessReplaced(tx, org, path);
    if (found !== null) return found.kind === 'dir';
    const { dir, name } = splitEntryPath(path);
    if (!(await ensureFolders(tx, org, dir, now))) return false;
    const folder: NewEntry = {
      org,
      dir,
      name,
      kind: 'dir',
      blobId: null,
      uploadId: null,
      size: 0,
      mode: 0o755,
      mtimeMs: now,
      atimeMs: now,
      createdAt: now,
    };
    await tx('entries').insert(entryColumns(folder)).onConflict(['org_id', 'dir', 'name']).ignore();
  }
}

/** Whether a name of this path, the file's or a folder's, differs only by case from another one in the same folder. */
export async function hasTwin(db: Queryable, org: string, path: string): Promise<boolean> {
  for (let at = path; at !== '/'; at = splitEntryPath(at).dir) {
    const { dir, name } = splitEntryPath(at);
    const twins = db('entries')
      .where({ org_id: org, dir, folded_name: foldName(name) })
      .whereNot({ name });
    if ((await twins.first('id')) !== undefined) return true;
  }
  return false;
}

/**
 * The safe form of `name`, or `users-2.csv`, `users-3.csv`, … if the folder has it already, or one that Windows takes for the same.
 * @param taken names that the caller has given, folded
 */
export async function freeName(
  db: Queryable,
  org: string,
  dir: string,
  name: string,
  taken: ReadonlySet<string> = new Set(),
): Promise<string> {
  const safe = safeName(name);
  const { stem, extension } = splitExtension(safe);
  const nameOf = (turn: number) => (turn === 1 ? safe : fitName(stem, `-${turn}${extension}`));
  /** Those of the turns whose names are taken. */
  const findTaken = async (turns: readonly number[]): Promise<Set<number>> => {
    const names = turns.map(nameOf);
    const rows: Pick<StoredEntry, 'name' | 'folded_name'>[] = await db('entries')
      .where({ org_id: org, dir })
      // The folded names of rows from earlier versions are those of ASCII letters only.
      .where((same) => same.whereIn('folded_name', names.map(foldName)).orWhereIn('name', names))
      .select('name', 'folded_name');
    const found = new Set(rows.flatMap((row) => [row.name, row.folded_name]));
    const isTaken = (used: string) => taken.has(foldName(used)) || found.has(used) || found.has(foldName(used));
    return new Set(turns.filter((_, index) => isTaken(names[index]!)));
  };
  if (!(await findTaken([1])).has(1)) return safe;
  // Names are taken in their order: powers of two, then sixteenths of what is between two of them, find the end of thousands.
  let used = 1;
  let free = Number.POSITIVE_INFINITY;
  while (free - used > 1) {
    const turns = turnsBetween(used, free);
    const found = await findTaken(turns);
    free = turns.find((turn) => !found.has(turn)) ?? free;
    used = turns.findLast((turn) => turn < free) ?? used;
  }
  return nameOf(free);
}

const turnsAtOnce = 15;

/** Some turns after `used`, and before `free`, in their order. */
function turnsBetween(used: number, free: number): number[] {
  if (free === Number.POSITIVE_INFINITY)
    return Array.from({ length: turnsAtOnce }, (_, index) => used * 2 ** (index + 1));
  const step = Math.ceil((free - used) / (turnsAtOnce + 1));
  return Array.from({ length: turnsAtOnce }, (_, index) => used + step * (index + 1)).filter((turn) => turn < free);
}

/** A row as the database has it. */
export interface StoredEntry {
  id: number;
  org_id: string;
  dir: string;
  name: string;
  folded_name: string;
  kind: 'file' | 'dir';
  blob_id: string | null;
  upload_id: number | null;
  size: number;
  mode: number;
  mtime_ms: number;
  atime_ms: number;
  created_at: number;
}

function keyOf(org: string, path: string) {
  return { org_id: org, ...splitEntryPath(path) };
}

export function splitEntryPath(path: string): { dir: string; name: string } {
  const slash = path.lastIndexOf('/');
  return { dir: path.slice(0, slash) || '/', name: path.slice(slash + 1) };
}

/** PostgreSQL sorts text by the database's locale; SQLite, and a listing that continues after a name, by bytes. */
function byteOrdered(db: Queryable, column: string): string {
  return dialectOf(db) === 'postgres' ? `${column} COLLATE "C"` : column;
}

async function first(query: PromiseLike<StoredEntry | undefined>): Promise<EntryRow | null> {
  const row = await query;
  return row === undefined ? null : readEntry(row);
}

/** Its columns, by name; `undefined` where it is not given. */
export function entryColumns(entry: Partial<NewEntry>): Partial<StoredEntry> {
  return {
    org_id: entry.org!,
    dir: entry.dir!,
    name: entry.name!,
    folded_name: entry.name === undefined ? (undefined as never) : foldName(entry.name),
    kind: entry.kind!,
    blob_id: entry.blobId!,
    upload_id: entry.uploadId!,
    size: entry.size!,
    mode: entry.mode!,
    mtime_ms: entry.mtimeMs!,
    atime_ms: entry.atimeMs!,
    created_at: entry.createdAt!,
  };
}

export function readEntry(row: StoredEntry): EntryRow {
  return {
    id: row.id,
    org: row.org_id,
    dir: row.dir,
    name: row.name,
    kind: row.kind,
    blobId: row.blob_id,
    uploadId: row.upload_id,
    size: row.size,
    mode: row.mode,
    mtimeMs: row.mtime_ms,
    atimeMs: row.atime_ms,
    createdAt: row.created_at,
  };
}
