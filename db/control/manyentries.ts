/** Reads and writes names of the virtual tree by hundreds: for a run, which may have any number of files. */
import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import {
  type EntryRow,
  ensureFolders,
  entryColumns,
  type NewEntry,
  readEntry,
  type StoredEntry,
  splitEntryPath,
} from './entries.js';
import { foldName } from './names.js';

/** Values of one statement: SQLite and PostgreSQL limit them. */
const mostValues = 400;

/** As ensureFolders, of many folders. */
export async function ensureAllFolders(
  tx: Queryable,
  org: string,
  paths: readonly string[],
  now: number,
): Promise<void> {
  // Writers of PostgreSQL hold each folder. SQLite has one writer.
  if (dialectOf(tx) === 'postgres') {
    for (const path of [...paths].sort()) await ensureFolders(tx, org, path, now);
    return;
  }
  const wanted = new Set(paths.flatMap(withParents));
  const found = new Map<string, string>();
  for (const part of parts([...wanted])) {
    const rows: Pick<StoredEntry, 'dir' | 'name' | 'kind'>[] = await tx('entries')
      .where({ org_id: org })
      .whereIn('dir', [...new Set(part.map((path) => splitEntryPath(path).dir))])
      .whereIn('name', [...new Set(part.map((path) => splitEntryPath(path).name))])
      .select('dir', 'name', 'kind');
    for (const { dir, name, kind } of rows) found.set(dir === '/' ? `/${name}` : `${dir}/${name}`, kind);
  }
  const isBelowFile = (path: string) => withParents(path).some((above) => found.get(above) === 'file');
  const missing = [...wanted].filter((path) => !found.has(path) && !isBelowFile(path));
  if (missing.length > 0) await tx('entries').insert(missing.map((path) => folderColumns(org, path, now)));
}

/** Of these names in each folder, those that are taken: as they are and folded. @param names by folder */
export async function findTakenNames(
  db: Queryable,
  org: string,
  names: ReadonlyMap<string, readonly string[]>,
): Promise<Map<string, Set<string>>> {
  const taken = new Map<string, Set<string>>();
  const isFew = [...names.values()].flat().length <= mostValues / 2;
  const groups = isFew ? [[...names.keys()]] : [...names.keys()].map((dir) => [dir]);
  for (const dirs of groups)
    for (const part of parts([...new Set(dirs.flatMap((dir) => names.get(dir)!))])) {
      const inFolders = () =>
        db('entries').where({ org_id: org }).whereIn('dir', dirs).select('dir', 'name', 'folded_name');
      // The folded names of rows from earlier versions are those of ASCII letters only.
      const rows: Pick<StoredEntry, 'dir' | 'name' | 'folded_name'>[] = await inFolders()
        .whereIn('folded_name', part.map(foldName))
        .unionAll(inFolders().whereIn('name', part));
      for (const { dir, name, folded_name: folded } of rows)
        taken.set(dir, (taken.get(dir) ?? new Set()).add(name).add(folded));
    }
  return taken;
}

/**
 * The entries that point to uploads, by upload: those whose names were not removed, nor given to newer ones. Holds them against other
 * transactions until this one ends: a client may be giving one of the names to a newer file at this moment.
 */
export async function lockEntriesOfUploads(
  tx: Queryable,
  org: string,
  uploadIds: readonly number[],
): Promise<Map<number, EntryRow>> {
  const found = new Map<number, EntryRow>();
  for (const part of parts(uploadIds))
    for (const row of await tx<StoredEntry>('entries').where({ org_id: org }).whereIn('upload_id', part).forUpdate())
      found.set(row.upload_id!, readEntry(row));
  return found;
}

/** `/a/b`: `/a` and `/a/b`. */
function withParents(path: string): string[] {
  const names = path.split('/').slice(1);
  return names[0] === '' ? [] : names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}

function folderColumns(org: string, path: string, now: number) {
  const times: Pick<NewEntry, 'mtimeMs' | 'atimeMs' | 'createdAt'> = { mtimeMs: now, atimeMs: now, createdAt: now };
  const none = { blobId: null, uploadId: null, size: 0 };
  return entryColumns({ org, ...splitEntryPath(path), kind: 'dir', ...none, mode: 0o755, ...times });
}

function* parts<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += mostValues) yield all.slice(at, at + mostValues);
}
