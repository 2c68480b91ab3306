/** Where a sealed file is written, and how it gets its place; here of those in the data folder. */
import { dirname } from 'node:path';
import type { Disk, DiskFile } from './disk.js';

/** Calls come one after the other. Every method throws the errors of its disk or store. */
export interface Destination {
  /** Of the blob. */
  readonly id: string;
  /** Gets the sealed bytes in order, and gives them back. */
  readonly file: DiskFile;
  /** Puts the synced file in its place, so that it survives a power cut, and closes it. */
  publish(): Promise<void>;
  /** Keeps the synced file for a later upload to resume from, and closes it. */
  park(): Promise<void>;
  /** Closes it, and removes everything that was written; after a failed `publish` too. */
  discard(): Promise<void>;
}

export interface FilePlace {
  id: string;
  partialPath: string;
  blobPath: string;
  disk: Disk;
}

/** A file among the partials, which `publish` moves to the blobs. */
export function fileDestination(place: FilePlace, file: DiskFile): Destination {
  const { id, partialPath, disk } = place;
  return {
    id,
    file,
    publish: async () => {
      await movePartial(place);
      await file.close();
    },
    park: () => file.close(),
    discard: () => file.close().finally(() => disk.remove(partialPath)),
  };
}

/** A new name survives a power cut once its folder is synced; a new folder once the one above is, up to the data folder. */
async function movePartial({ partialPath, blobPath, disk }: FilePlace): Promise<void> {
  const folder = dirname(blobPath);
  const isUnsure = await disk.makeFolder(folder);
  await disk.rename(partialPath, blobPath);
  try {
    await disk.syncFolder(folder);
    if (isUnsure) {
      const blobs = dirname(folder);
      await disk.syncFolder(blobs);
      await disk.syncFolder(dirname(blobs));
    }
  } catch (error) {
    await disk.remove(blobPath);
    throw error;
  }
}
