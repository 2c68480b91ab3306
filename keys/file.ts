/** Reads and writes private files: only their owner can read them, and they are on the disk whole or not at all. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyError } from './error.js';

/**
 * Creates a file of mode 0600 (its folder 0700 where that is missing), which survives a power cut once this resolves.
 * Never replaces: false when the path exists already, because two processes that start together must end with one key.
 * @throws KeyError `unreadable`
 */
export async function createPrivateFile(path: string, content: string): Promise<boolean> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeSynced(temporary, content);
    try {
      await publish(temporary, path);
    } finally {
      await unlink(temporary).catch(ignoreMissing);
    }
    await syncFoldersAbove(path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new KeyError('unreadable', `private file ${path} can't be written: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Replaces the file at `path`, if any, by one of mode 0600: a reader finds the old content or the new.
 * @throws KeyError `unreadable`
 */
export async function replacePrivateFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    await writeSynced(temporary, content);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await unlink(temporary).catch(() => {}); // the first failure is reported
    throw new KeyError('unreadable', `private file ${path} can't be written: ${(cause as Error).message}`, { cause });
  }
}

/**
 * The content of a private file; null: there is no such file.
 * @throws KeyError `unreadable`
 */
export async function readPrivateFile(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new KeyError('unreadable', `private file ${path} can't be read: ${(cause as Error).message}`, { cause });
  }
}

/** Makes the names in a folder survive a power cut: syncing a file alone does not keep its name. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Also those that were made with it: a key in `keys/host/` is lost with the name `keys` in the data folder. */
async function syncFoldersAbove(path: string): Promise<void> {
  await syncFolder(dirname(path));
  for (const above of [dirname(dirname(path)), dirname(dirname(dirname(path)))])
    await syncFolder(above).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error; // another user's folder: it existed before
    });
}

async function writeSynced(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A link fails where the name is taken, a rename would replace it; some network file systems have no links. */
async function publish(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
    await rename(temporary, path);
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
