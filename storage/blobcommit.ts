/** Seals blobs and commits the rows that name them as one step, after which the blob store has no blob without a row. */
import type { Logger } from '../config/logger.js';
import type { Db } from '../db/connection.js';
import { findBlob } from '../db/control/blobs.js';
import { isOutcomeUnknown } from '../db/error.js';
import { removeBlob } from './blobs.js';
import type { BlobPaths } from './blobstore.js';
import type { Disk } from './disk.js';
import type { SealedBlob } from './sealedwriter.js';

/** Notes a blob as soon as it is sealed, and returns it: `await keep(writeReport(…))`. */
export type Keep = (sealing: SealedBlob | Promise<SealedBlob>) => Promise<SealedBlob>;

export interface BlobCommit<S, T> {
  paths: BlobPaths;
  /** Default: the real one. */
  disk?: Disk;
  /** Warned of blobs that could not be removed; the orphan sweep removes them later. */
  logger?: Pick<Logger, 'warn'>;
  /** Seals the blobs, and gives each of them to `keep`. */
  seal: (keep: Keep) => Promise<S>;
  /**
   * Commits rows that name the blobs. null: it committed none, because the work was no longer this caller's; every blob is
   * removed. With any other result each blob either has a row or is the caller's to remove.
   */
  commit: (sealed: S, blobs: readonly SealedBlob[]) => Promise<T>;
  /** Whether a row that was committed names the blob. Asked after `commit` has thrown. */
  isNamed: (blobId: string) => Promise<boolean>;
}

/**
 * Returns the result of `commit`. Rethrows an error of `seal` or `commit`, after it has removed the blobs: all of them when
 * `seal` failed, those that no row names when `commit` failed, since a commit may take place and its answer get lost.
 */
export async function sealAndCommit<S, T>({ seal, commit, ...store }: BlobCommit<S, T>): Promise<T> {
  const blobs: SealedBlob[] = [];
  const keep: Keep = async (sealing) => {
    const blob = await sealing;
    blobs.push(blob);
    return blob;
  };
  let sealed: S;
  try {
    sealed = await seal(keep);
  } catch (error) {
    await removeAll(store, idsOf(blobs));
    throw error;
  }
  let result: T;
  try {
    result = await commit(sealed, blobs);
  } catch (error) {
    await removeUnnamed(store, idsOf(blobs), error);
    throw error;
  }
  if (result === null) await removeAll(store, idsOf(blobs));
  return result;
}

/** For rows of the control database: `isNamed` of a commit that inserts a row of `blobs` for each blob. */
export function isInControl(control: Db): (blobId: string) => Promise<boolean> {
  return async (blobId) => (await findBlob(control.read, blobId)) !== null;
}

type Store = Pick<BlobCommit<unknown, unknown>, 'paths' | 'disk' | 'logger' | 'isNamed'>;

function idsOf(blobs: readonly SealedBlob[]): string[] {
  return blobs.map(({ id }) => id);
}

async function removeUnnamed(store: Store, ids: readonly string[], error: unknown): Promise<void> {
  const unnamed: string[] = [];
  try {
    for (const id of ids) if (!(await store.isNamed(id))) unnamed.push(id);
  } catch (cause) {
    warn(store, ids, cause);
    return;
  }
  // A row that does not exist yet may exist in a moment: the server is at work on the COMMIT, or what is in the log of SQLite counts
  // at its next start.
  if (unnamed.length > 0 && isOutcomeUnknown(error)) warn(store, unnamed, error);
  else await removeAll(store, unnamed);
}

async function removeAll(store: Store, ids: readonly string[]): Promise<void> {
  for (const [index, id] of ids.entries()) {
    try {
      await removeBlob(store.paths, id, store.disk);
    } catch (cause) {
      warn(store, ids.slice(index), cause);
      return;
    }
  }
}

function warn({ logger }: Store, blobs: readonly string[], cause: unknown): void {
  const message = 'left blobs in the blob store after a failure; the daily sweep will remove those that no row names';
  logger?.warn(message, { blobs, reason: cause instanceof Error ? cause.message : String(cause) });
}
