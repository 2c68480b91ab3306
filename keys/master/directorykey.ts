/** Owns the key of a sealed directory.db: random, and kept in the control database, sealed to the master key. */
import { randomBytes } from 'node:crypto';
import type { Queryable } from '../../db/connection.js';
import { findDirectoryKey, recordDirectoryKey, replaceDirectoryKey } from '../../db/control/directorykey.js';
import { KeyError } from '../error.js';
import type { MasterKey } from './master.js';
import { openText, sealText } from './sealedtext.js';

const keyBytes = 32;

/** Opens the key, 64 hexadecimal digits. null: there is none. @throws KeyError `refused` when another master key sealed it */
export async function openDirectoryKey(db: Queryable, master: MasterKey): Promise<string | null> {
  const sealed = await findDirectoryKey(db);
  return sealed === null ? null : unseal(master, sealed);
}

/** The key, made where there is none. @throws KeyError `refused` */
export async function makeDirectoryKey(db: Queryable, master: MasterKey, now: number): Promise<string> {
  const found = await openDirectoryKey(db, master);
  if (found !== null) return found;
  const made = await sealText(master.recipient, randomBytes(keyBytes).toString('hex'));
  return unseal(master, await recordDirectoryKey(db, made, now));
}

/**
 * Seals the key to the newest master key, where an older one sealed it, in the caller's transaction. false: nothing to do.
 * @throws KeyError `refused` when none of them opens it
 */
export async function resealDirectoryKey(
  tx: Queryable,
  newest: MasterKey,
  older: readonly MasterKey[],
): Promise<boolean> {
  const sealed = await findDirectoryKey(tx);
  if (sealed === null) return false;
  const isDone = await unseal(newest, sealed).then(
    () => true,
    () => false,
  );
  if (isDone) return false;
  const key = await unseal({ ...newest, identity: older.map(({ identity }) => identity).join('\n') }, sealed);
  await replaceDirectoryKey(tx, await sealText(newest.recipient, key));
  return true;
}

async function unseal(master: MasterKey, sealed: string): Promise<string> {
  try {
    return await openText(master.identity, sealed);
  } catch (cause) {
    const message = `the master key ${master.recipient} does not open the key of directory.db: another one sealed it, or it was changed`;
    throw new KeyError('refused', message, { cause });
  }
}
