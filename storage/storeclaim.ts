/** Notes in an object store which installation its files belong to: another one would take them for orphans, and remove them. */
import type { Db } from '../db/connection.js';
import { hasBlobs, knowsAny, listLiveBlobs } from '../db/control/blobs.js';
import { readControlMarks } from '../db/control/pair.js';
import { type BlobStore, StoreError } from './blobstore.js';

/** Of the files that are compared with the database: ids are random, so that some of so many would be known. */
const mostCompared = 1000;

/**
 * Called by each start, and before anything is removed because no row names it.
 * @throws StoreError `foreign` when the files belong to another installation; others when the store does not answer
 */
export async function claimStore(store: BlobStore, control: Pick<Db, 'read'>): Promise<void> {
  const { pairId } = await readControlMarks(control.read);
  // A node that can't open a sealed directory: the first one that can gives the databases their id.
  if (pairId === null) return;
  const found = await store.readInstallation();
  if (found === pairId) return;
  if (found !== null) throw foreign(store, `of another installation (${found}, and this database is ${pairId})`);
  if (await isStrange(store, control)) throw foreign(store, 'which this database does not know');
  await store.writeInstallation(pairId);
}

/** A store that was used before the note was introduced has files that the database knows. */
async function isStrange(store: BlobStore, { read }: Pick<Db, 'read'>): Promise<boolean> {
  const ids: string[] = [];
  for await (const { id } of store.list()) {
    if (/^[0-9a-f]{32}$/.test(id)) ids.push(id);
    if (ids.length === mostCompared) break;
  }
  if (ids.length === 0 || (await knowsAny(read, ids))) return false;
  // One that has removed all its files, and left an orphan, is no new one.
  return !(await hasBlobs(read)) || (await listLiveBlobs(read, null, 1)).length > 0;
}

function foreign({ name }: BlobStore, whose: string): StoreError {
  return new StoreError(
    'foreign',
    `${name} has files ${whose}: check the settings "database" and "blobs". Each installation needs a bucket or a prefix of its own; to give this prefix to another one, remove the objects under it`,
  );
}
