/** The interface of a store that keeps sealed files in the place of the folder `blobs`, such as an object store. */
import type { Paths } from '../config/paths.js';
import type { Destination } from './destination.js';
import type { DiskFile } from './disk.js';

/** The folder of sealed files, or the store that has them. */
export type BlobPaths = Pick<Paths, 'blobs'> & StorePaths;

/** The part of the paths that names the store; without it the sealed files are in the data folder. */
export interface StorePaths {
  store?: BlobStore;
  /** Of the place, counted up by each move; default: 0. */
  placeNumber?: number;
}

export interface StoredBlob {
  id: string;
  /** Sealed bytes. */
  size: number;
  /** By the clock of the store, in ms. */
  mtimeMs: number;
}

/** An upload that is neither complete nor aborted: its bytes cannot be read. */
export interface UnfinishedUpload {
  id: string;
  /** The store's own name of it. */
  upload: string;
  begunAtMs: number;
}

/** The file on the local disk that an upload fills before, and while, its bytes are sent to the store. */
export interface Spool {
  file: DiskFile;
  remove(): Promise<void>;
}

/** How long a look at the store may take; default: as long as requests are repeated. */
export interface Look {
  /** Ends it. */
  signal?: AbortSignal;
  /** 0: each request is sent once. */
  retryMs?: number;
}

/** Every method throws StoreError; `ENOENT` as its code: no such blob. */
export interface BlobStore {
  /** For messages: `s3://bucket/prefix`. */
  readonly name: string;
  /** The same store, for the files of one organization: its requests take turns with those of others. */
  of(org: string): BlobStore;
  /** @param owner takes turns with others where the store is for no organization */
  begin(id: string, spool: Spool, owner?: string): Destination;
  /**
   * For reading. It can be read to its end in this process even if it is removed or gets a new header meanwhile.
   * @param signal its reader has left: requests for it end, and later ones fail
   */
  open(id: string, signal?: AbortSignal): Promise<DiskFile>;
  /** null: no such blob. */
  stat(id: string, look?: Look): Promise<{ size: number; mtimeMs: number } | null>;
  /** Succeeds when there is none. */
  remove(id: string): Promise<void>;
  /** Those whose ids begin so; without that all. */
  list(start?: string): AsyncIterable<StoredBlob>;
  /** Puts a new header in the place of the old one; the rest is copied inside the store. `changed`: it has another one by now. */
  replaceHeader(id: string, old: Buffer, header: Buffer): Promise<void>;
  /** Adds a sealed file from the local disk, in the place of one of the same id. `isNew`: there is none. */
  add(id: string, path: string, isNew?: boolean): Promise<void>;
  listUnfinished(): AsyncIterable<UnfinishedUpload>;
  /** Bytes from the start that the store has of an unfinished upload; 0: there is none. */
  measureUnfinished(id: string, look?: Look): Promise<number>;
  /** Makes a blob of the bytes that the store has of an unfinished upload. false: there is none. */
  completeUnfinished(id: string): Promise<boolean>;
  /** false: the upload is there, and no byte of it. */
  hasParts(unfinished: Pick<UnfinishedUpload, 'id' | 'upload'>): Promise<boolean>;
  abortUnfinished(unfinished: Pick<UnfinishedUpload, 'id' | 'upload'>): Promise<void>;
  /** Removes the blob, or what there is of it, of an upload that no server goes on with. */
  forget(id: string, look?: Look): Promise<void>;
  /** The id of the installation that the files belong to; null: none is noted. */
  readInstallation(): Promise<string | null>;
  /** @throws StoreError `foreign` when another one has noted its own meanwhile */
  writeInstallation(id: string): Promise<void>;
  /** Writes, reads, and removes a small object. */
  probe(): Promise<void>;
  /** Removes those that killed processes have left; `before` by the clock of the store, in ms. */
  removeProbes(before: number): Promise<void>;
  /** Ends its connections. */
  close(): void;
}

/**
 * ENOENT: no such blob. denied: it does not accept the credentials. unusable: another answer that trying again does not change.
 * left: its reader has left. foreign: its files belong to another installation.
 */
export type StoreErrorCode =
  | 'ENOENT'
  | 'denied'
  | 'unusable'
  | 'unavailable'
  | 'changed'
  | 'unsupported'
  | 'left'
  | 'foreign';

export class StoreError extends Error {
  override name = 'StoreError';
  constructor(
    readonly code: StoreErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Each id begins with one of them. */
export const idStarts: readonly string[] = [...'0123456789abcdef'];

/** The same places, for the files of one organization. */
export function placesOf<Places extends StorePaths>(paths: Places, org: string): Places {
  return paths.store === undefined ? paths : { ...paths, store: paths.store.of(org) };
}
