/** The number that grows with every change of who may be logged in: each server looks at it instead of at every key. */
import type { Queryable } from '../connection.js';

/** For the transaction of the change, so that whoever sees the new number sees the change as well. */
export async function bumpAccess(db: Queryable): Promise<void> {
  await db('access_version').where({ id: 1 }).increment('version', 1);
}

export async function readAccess(db: Queryable): Promise<number> {
  const row = await db('access_version').where({ id: 1 }).first('version');
  return row.version;
}
