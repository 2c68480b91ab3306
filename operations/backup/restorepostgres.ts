/** Restores the dump of PostgreSQL into an empty database, and knows a database that an interrupted restore has filled. */
import { join } from 'node:path';
import { controlSchema, directorySchema } from '../../db/connection.js';
import { findPair } from '../../db/postgres/pair.js';
import { beginPhase, type OnAdvance } from '../advance.js';
import { OperationError } from '../error.js';
import type { Settings } from '../settings.js';
import { describeDatabase, restoreDump } from './dump.js';
import { type Claim, noteDatabase } from './restorefolder.js';
import { dumpName, type Manifest } from './target.js';

/**
 * Whether an interrupted restore of the same backup has restored the database already; false: the database is empty.
 * @throws OperationError `refused` when it has other data, DatabaseError
 */
export async function isRestored(
  url: string,
  { installation }: Manifest,
  { begunDatabase }: Pick<Claim, 'begunDatabase'>,
): Promise<boolean> {
  const found = await findPair(url, [controlSchema, directorySchema]);
  if (found === null) return false;
  // One transaction restores it: it has all of the backup, or nothing.
  if (begunDatabase === describeDatabase(url) && found.pairId === (installation ?? found.pairId)) return true;
  throw new OperationError('refused', 'the database has data of Dropslot already: restore into an empty one');
}

/** @throws OperationError `refused`, `failed`, `unavailable`; DatabaseError */
export async function restorePostgres(
  { pgDump, database }: Settings,
  from: string,
  manifest: Manifest,
  claim: Claim,
  { onProgress, onStep }: { onProgress: OnAdvance; onStep: (step: 'noted' | 'database') => void },
): Promise<void> {
  if (await isRestored(database, manifest, claim)) {
    onProgress('the database was restored before the interruption');
    return;
  }
  const begunDatabase = describeDatabase(database);
  if (claim.begunDatabase !== begunDatabase) await noteDatabase(claim.data, begunDatabase);
  onStep('noted');
  onProgress(beginPhase('restoring the database of PostgreSQL'));
  await restoreDump(pgDump, join(from, dumpName), database).catch(async (error: Error) => {
    if (!/already exists/.test(error.message)) throw error;
    // The pg_restore of a restore that was killed may have ended meanwhile.
    if (!(await isRestored(database, manifest, claim.isRepeated ? { begunDatabase } : claim))) throw error;
  });
  onStep('database');
}
