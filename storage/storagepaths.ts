/** The paths of a data folder, with the object store if the settings name one. */
import { type Paths, pathsOf } from '../config/paths.js';
import type { StorePaths } from './blobstore.js';
import type { StoreSettings } from './s3/openstore.js';

export type StoragePaths = Paths & StorePaths;

/** Loads the modules of object stores only where there is one. @throws StoreError when the client of object stores is not installed */
export async function openStoragePaths(settings: Parameters<typeof pathsOf>[0] & StoreSettings): Promise<StoragePaths> {
  if (settings.blobs === 'folder') return pathsOf(settings);
  const { openStore } = await import('./s3/openstore.js');
  const store = openStore(settings);
  return { ...pathsOf(settings), ...(store !== undefined && { store }) };
}
