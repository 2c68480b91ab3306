/** Lists and moves whole folders of an organization's virtual tree. */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { keepClosedPath, movableStates, unchecked } from './uploads.js';

/**
 * The paths of all folders below one that the caller holds, in no order. Holds these, the files in them and their uploads against other
 * transactions until this one ends: no file is closed, moved, claimed or returned there meanwhile.
 */
export async function lockBelow(tx: Queryable, org: string, path: string): Promise<string[]> {
  const inside = () => tx('entries').where({ org_id: org }).where(isBelow(path)).orderBy('id').forUpdate();
  let held = 0;
  for (;;) {
    const rows: { dir: string; name: string }[] = await inside().where({ kind: 'dir' }).select('dir', 'name');
    // In a folder that was held before the statement began, no other is made.
    if (rows.length === held) {
      const uploads: number[] = await inside().whereNotNull('upload_id').pluck('upload_id');
      for (let from = 0; from < uploads.length; from += mostIds)
        await tx('uploads')
          .whereIn('id', uploads.slice(from, from + mostIds))
          .orderBy('id')
          .forUpdate()
          .select('id');
      return rows.map((row) => `${row.dir}/${row.name}`);
    }
    held = rows.length;
  }
}

/** As few as one statement takes on each database. */
const mostIds = 500;

/** Renames a folder's inside: entries, waiting uploads, partials and remembered names below `from` now lie below `to`. */
export async function moveEntriesBelow(tx: Queryable, org: string, from: string, to: string): Promise<void> {
  const rest = [...from].length + 1;
  const inside = tx('entries').where({ org_id: org }).whereNotNull('upload_id').where(isBelow(from));
  await tx('uploads')
    .whereIn('id', inside.select('upload_id'))
    .whereIn('state', movableStates)
    .update({ path: tx.raw('? || substr(path, CAST(? AS integer))', [to, rest]), ...keepClosedPath(tx) });
  const moved = tx('entries').where({ org_id: org }).whereNotNull('upload_id').where(isBelow(from));
  await tx('uploads').whereIn('id', moved.select('upload_id')).where({ state: 'queued' }).update(unchecked);
  await tx('moved_names').where({ org_id: org }).where(isBelow(to)).delete();
  for (const table of ['entries', 'partials', 'moved_names'])
    await tx(table)
      .where({ org_id: org })
      .where(isBelow(from))
      .update({ dir: tx.raw('? || substr(dir, CAST(? AS integer))', [to, rest]) });
}

/**
 * Whether `column`, the folder of an entry, is the folder `path` or lies below it. Not LIKE, which ignores case on SQLite;
 * substr counts characters, from 1, on both databases.
 */
export function isBelow(path: string, column = 'dir'): (query: Knex.QueryBuilder) => void {
  const prefix = `${path}/`;
  return (query) =>
    void query
      .where(column, path)
      .orWhereRaw('substr(??, 1, CAST(? AS integer)) = ?', [column, [...prefix].length, prefix]);
}
