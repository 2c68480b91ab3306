/** The key of a sealed directory.db, itself sealed to the master key: an armored age file. */
import type { Queryable } from '../connection.js';

const only = { id: 1 };

/** null: directory.db is not sealed. */
export async function findDirectoryKey(db: Queryable): Promise<string | null> {
  const row = await db('directory_key').where(only).first('sealed_key');
  return row?.sealed_key ?? null;
}

/** The key that is recorded then: this one, unless another process was first. */
export async function recordDirectoryKey(db: Queryable, sealedKey: string, now: number): Promise<string> {
  await db('directory_key')
    .insert({ ...only, sealed_key: sealedKey, made_at: now })
    .onConflict('id')
    .ignore();
  return (await findDirectoryKey(db))!;
}

/** The same key, sealed to another master key. */
export async function replaceDirectoryKey(db: Queryable, sealedKey: string): Promise<void> {
  await db('directory_key').where(only).update({ sealed_key: sealedKey });
}

export async function deleteDirectoryKey(db: Queryable): Promise<void> {
  await db('directory_key').where(only).delete();
}
