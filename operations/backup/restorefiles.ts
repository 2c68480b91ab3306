/** Copies the sealed files of a backup, private and synced; those that an interrupted copy has already are left. */
import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../keys/file.js';
import type { BlobStore } from '../../storage/blobstore.js';
import { isSame, look } from './copy.js';
import { syncFile } from './target.js';

const lanes = 4;

/** Sealed files in `blobs/`, without those that a killed backup was copying. */
export async function countFiles(blobs: string): Promise<number> {
  let files = 0;
  for (const folder of await readdir(blobs)) files += (await listIn(join(blobs, folder))).length;
  return files;
}

export async function copyTree(
  from: string,
  to: string,
  onFile: (copied: { files: number; bytes: number }) => void = () => {},
): Promise<{ files: number; bytes: number }> {
  const copied = { files: 0, bytes: 0 };
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const folder of await readdir(from)) {
    const target = join(to, folder);
    await mkdir(target, { recursive: true, mode: 0o700 });
    const names = await listIn(join(from, folder));
    const work = async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        // Not `+= await`: that would read the sum before other lanes add to it.
        const bytes = await copyOne(join(from, folder, name), join(target, name));
        copied.bytes += bytes;
        copied.files++;
        onFile(copied);
      }
    };
    await Promise.all(Array.from({ length: lanes }, work));
    await syncFolder(target);
  }
  await syncFolder(to);
  return copied;
}

/** As copyTree, into an object store; objects of the same size, of an interrupted copy, are left. */
export async function addTree(
  from: string,
  store: BlobStore,
  onFile: (copied: { files: number; bytes: number }) => void = () => {},
): Promise<{ files: number; bytes: number }> {
  const added = { files: 0, bytes: 0 };
  for (const folder of await readdir(from)) {
    const names = await listIn(join(from, folder));
    const work = async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        const path = join(from, folder, name);
        const { size } = await stat(path);
        if ((await store.stat(name))?.size !== size) await store.add(name, path);
        added.bytes += size;
        added.files++;
        onFile(added);
      }
    };
    await Promise.all(Array.from({ length: lanes }, work));
  }
  return added;
}

async function copyOne(from: string, to: string): Promise<number> {
  const source = await stat(from);
  const { size, atime, mtime } = source;
  if (isSame(await look(to), source)) return size;
  const temporary = `${to}.new`;
  await rm(temporary, { force: true });
  await copyFile(from, temporary, constants.COPYFILE_FICLONE);
  await chmod(temporary, 0o600);
  await utimes(temporary, atime, mtime);
  await syncFile(temporary);
  await rename(temporary, to);
  return size;
}

async function listIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => !name.endsWith('.new'));
}
