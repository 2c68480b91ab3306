/** What an OPEN and a CLOSE look up about a path: on SQLite, where a call costs more than its rows, as one query each. */
import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import { readAhead } from '../script.js';
import { dataVersion } from '../sqlite/ahead.js';
import { rememberHead } from './audittransaction.js';
import { splitEntryPath } from './entries.js';
import { type Org, type OrgRow, readOrg } from './orgs.js';

export interface PublishPlace {
  /** null: there is no such organization. */
  org: Org | null;
  /** The folder is there. */
  hasFolder: boolean;
  /** No file, no folder and no trace of an earlier upload has the path. */
  isFree: boolean;
  /** Of the next upload. */
  uploadId: number;
}

export interface OpenPlace {
  /** A file or a folder has the path. */
  hasEntry: boolean;
  /** An upload to the path was cut off, or is in progress. */
  hasPartial: boolean;
  /** null: there is none. */
  folderKind: 'file' | 'dir' | null;
  /** `age1…`; null: the organization takes no files. */
  recipient: string | null;
  /** The highest id of an upload; 0: there is none. */
  lastUpload: number;
}

/** null: not on PostgreSQL, where a call costs no more than its rows. */
export async function findOpenPlace(db: Queryable, org: string, path: string): Promise<OpenPlace | null> {
  if (dialectOf(db) !== 'sqlite') return null;
  const { dir, name } = splitEntryPath(path);
  const folder = splitEntryPath(dir);
  const [row] = await readAhead<{
    entry: number;
    partial: number;
    folder: 'file' | 'dir' | null;
    recipient: string | null;
    last_upload: number | null;
  }>(db, openQuery, [org, dir, name, org, dir, name, org, folder.dir, folder.name, org]);
  const { entry, partial, folder: folderKind, recipient, last_upload: lastUpload } = row!;
  return { hasEntry: entry === 1, hasPartial: partial === 1, folderKind, recipient, lastUpload: lastUpload ?? 0 };
}

const openQuery = `SELECT EXISTS (SELECT 1 FROM entries WHERE org_id = ? AND dir = ? AND name = ?) AS entry,
  EXISTS (SELECT 1 FROM partials WHERE org_id = ? AND dir = ? AND name = ?) AS partial,
  (SELECT kind FROM entries WHERE org_id = ? AND dir = ? AND name = ?) AS folder,
  (SELECT recipient FROM orgs WHERE id = ? AND sealed_identity IS NOT NULL) AS recipient,
  (SELECT max(id) FROM uploads) AS last_upload`;

/** As findOpenPlace, on any database: only the columns that every new upload needs. */
export async function findBeginning(db: Queryable, org: string): Promise<Pick<OpenPlace, 'recipient' | 'lastUpload'>> {
  const row: { recipient: string | null; last_upload: number | null } | undefined = await db('orgs')
    .where({ id: org })
    .whereNotNull('sealed_identity')
    .first('recipient', db('uploads').max('id').as('last_upload'));
  return { recipient: row?.recipient ?? null, lastUpload: row?.last_upload ?? 0 };
}

interface Found extends OrgRow {
  folder_kind: 'file' | 'dir' | null;
  entry_id: number | null;
  has_earlier: number;
  last_upload: number | null;
  /** null: the trail is damaged. */
  head_count: number | null;
  head_hash: string;
}

/** What this transaction has published: its rows may still wait for their call. */
interface Published {
  names: Set<string>;
  lastUpload: number;
}

const published = Symbol('files published in this transaction');

/**
 * null: not on PostgreSQL, where each of the rows must be locked. A transaction of SQLite that has begun is the only one that writes.
 * @param tx a transaction of `Db.transact` on the control database
 */
export async function findPublishPlace(tx: Queryable, org: string, path: string): Promise<PublishPlace | null> {
  if (dialectOf(tx) !== 'sqlite' || tx.isTransaction !== true) return null;
  const own = (Reflect.get(tx, published) as Published | undefined) ?? { names: new Set(), lastUpload: 0 };
  Reflect.set(tx, published, own);
  const key = `${org} ${path}`;
  const { dir, name } = splitEntryPath(path);
  const folder = splitEntryPath(dir);
  const values = [org, dir, name, org, dir, name, folder.dir, folder.name, dir, name, org];
  // The row that this transaction has added at the path may be one that still waits.
  const rows = own.names.has(key)
    ? ((await tx.raw(query, values)) as Found[])
    : await readAhead<Found>(tx, query, values);
  own.names.add(key);
  const [row] = rows;
  if (row === undefined) return { org: null, hasFolder: false, isFree: false, uploadId: 0 };
  own.lastUpload = Math.max(own.lastUpload, row.last_upload ?? 0) + 1;
  if (row.head_count !== null) rememberHead(tx, { seq: row.head_count, hash: row.head_hash });
  return {
    org: readOrg(row),
    hasFolder: dir === '/' || row.folder_kind === 'dir',
    isFree: row.entry_id === null && row.has_earlier === 0,
    uploadId: own.lastUpload,
  };
}

const query = `SELECT orgs.*, folder.kind AS folder_kind, entry.id AS entry_id,
  EXISTS (SELECT 1 FROM partials WHERE org_id = ? AND dir = ? AND name = ? AND state = 'kept')
    OR EXISTS (SELECT 1 FROM moved_names WHERE org_id = ? AND dir = ? AND name = ?) AS has_earlier,
  (SELECT seq FROM sqlite_sequence WHERE name = 'uploads') AS last_upload, head.count AS head_count, head.hash AS head_hash,
  ${dataVersion}
  FROM orgs LEFT JOIN audit_head head ON head.id = 1
  LEFT JOIN entries folder ON folder.org_id = orgs.id AND folder.dir = ? AND folder.name = ?
  LEFT JOIN entries entry ON entry.org_id = orgs.id AND entry.dir = ? AND entry.name = ?
  WHERE orgs.id = ?`;
