/** The paths of a data folder, with the object store if the settings name one. */
import { type Paths, pathsOf } from '../config/paths.js';
import type { StorePaths } from './blobstore.js';
import { openStore, type StoreSettings } from './s3/openstore.js';

export type StoragePaths = Paths & StorePaths;

/** @throws StoreError when the client of object stores is not installed */
export function storagePathsOf(settings: Parameters<typeof pathsOf>[0] & StoreSettings): StoragePaths {
  const store = openStore(settings);
  return { ...pathsOf(settings), ...(store !== undefined && { store }) };
}
