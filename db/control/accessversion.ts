/** A version that grows with every change of login rights: servers poll it instead of reading every key. */
import type { Queryable } from '../connection.js';

/** Joins the transaction of the change, so that a reader of the new version sees the change as well. */
export async function bumpAccess(db: Queryable): Promise<void> {
  await db('access_version').where({ id: 1 }).increment('version', 1);
}

export async function readAccess(db: Queryable): Promise<number> {
  const row = await db('access_version').where({ id: 1 }).first('version');
  return row.version;
}
