/**
 * An organization's tree as operators see it: every file and folder below a path, the state of each upload, and the
 * interrupted uploads that can be resumed.
 */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { pathOf } from './treelayout.js';
import type { UploadState } from './uploads.js';

export interface StoredFile {
  path: string;
  kind: 'file' | 'dir';
  /** Plaintext bytes. */
  size: number;
  mtimeMs: number;
  createdAt: number;
  /** null for folders, and for files that no client sent (reports). */
  state: FileState | null;
}

/** partial: cut off; a complete file of the same name hides it. */
export type FileState = UploadState | 'partial';

/** Where a page ended. */
export type FilePlace = Pick<Row, 'dir' | 'name'>;

interface Row {
  dir: string;
  name: string;
  kind: 'file' | 'dir';
  size: number;
  mtime_ms: number;
  created_at: number;
  state: FileState | null;
}

/** Everything below a folder, page by page, folder by folder in the order of their paths. */
export async function* listFiles(
  db: Queryable,
  org: string,
  folder: string,
  pageSize = 1000,
): AsyncGenerator<StoredFile> {
  const below = folder === '/' ? '/' : `${folder}/`;
  let after: FilePlace | null = null;
  for (;;) {
    const rows: Row[] = await selectFiles(db, org)
      .where((either) => either.where('dir', folder).orWhereRaw('substr(dir, 1, ?) = ?', [[...below].length, below]))
      .modify((query) => {
        if (after !== null) query.whereRaw('(dir, name) > (?, ?)', [after.dir, after.name]);
      })
      .orderBy(['dir', 'name'])
      .limit(pageSize);
    for (const row of rows) yield fromRow(row);
    if (rows.length < pageSize) return;
    after = rows.at(-1)!;
  }
}

/** null: nothing has this path. */
export async function findFile(db: Queryable, org: string, path: string): Promise<StoredFile | null> {
  const slash = path.lastIndexOf('/');
  const row: Row | undefined = await selectFiles(db, org)
    .where({ dir: path.slice(0, slash) || '/', name: path.slice(slash + 1) })
    .first();
  return row === undefined ? null : fromRow(row);
}

function selectFiles(db: Queryable, org: string): Knex.QueryBuilder {
  const columns = (of: string) => ['dir', 'name', 'size', 'mtime_ms'].map((column) => `${of}.${column}`);
  const entries = db('entries')
    .leftJoin('uploads', 'uploads.id', 'entries.upload_id')
    .where('entries.org_id', org)
    .select(...columns('entries'), 'entries.kind', 'entries.created_at', 'uploads.state');
  const partials = db('partials')
    .where({ 'partials.org_id': org, 'partials.state': 'kept' })
    .whereNotExists(
      db('entries')
        .select(db.raw('1'))
        .whereRaw('org_id = partials.org_id AND dir = partials.dir AND name = partials.name'),
    )
    .select(...columns('partials'), db.raw("'file' AS kind"), 'partials.begun_at', db.raw("'partial' AS state"));
  return db.from(entries.unionAll(partials).as('files'));
}

function fromRow(row: Row): StoredFile {
  return {
    path: pathOf(row),
    kind: row.kind,
    size: row.size,
    mtimeMs: row.mtime_ms,
    createdAt: row.created_at,
    state: row.state,
  };
}
