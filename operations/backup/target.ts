/** A place that one backup is written to, and the layout of a backup: that of a data folder; a marker file in it says that it is incomplete. */
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Paths } from '../../config/paths.js';
import type { BlobRow } from '../../db/control/blobs.js';
import { syncFolder } from '../../keys/file.js';
import type { BlobPaths } from '../../storage/blobstore.js';

export type Wanted = Pick<BlobRow, 'id' | 'org' | 'size' | 'sha256' | 'sealedSize'>;

export interface Copied {
  files: number;
  sealedBytes: number;
  /** Of these, copied now; an earlier backup copied the others. */
  newFiles: number;
  newBytes: number;
  /** Ids whose files are gone. */
  gone: Wanted[];
  damaged: { blob: Wanted; fault: string }[];
}

/** Where sealed files are copied from. */
export interface BlobSource {
  from: BlobPaths;
  /** The organization's identities; null: there is no key for them here, and only sizes are compared. */
  identityOf: (org: string) => Promise<string | null>;
  onProgress: (copied: Copied) => void;
}

/** Between these a kill can interrupt it: the first database is in its place, and the backup is complete. */
export type PublishStep = 'begun' | 'published';

/** A folder of this machine, or one of an SFTP server. */
export interface Target {
  /** Its place once it is complete: a path, or a URL. */
  final: string;
  /** A folder of this machine: databases are copied here until every file that they refer to is copied. */
  incoming: Paths;
  /** Empties `incoming`, for another snapshot. */
  reset(): Promise<void>;
  /** Copies those that it does not have, each once, and verifies each copy. */
  copyBlobs(wanted: AsyncIterable<Wanted>, source: BlobSource): Promise<Copied>;
  /** Files of an earlier backup that are not wanted now, by the names that `publish` takes. */
  listSuperfluous(isWanted: (id: string) => Promise<boolean>): Promise<string[]>;
  /** Copies a private file where there is one. @param name its path in the backup */
  copyPrivate(from: string, name: string): Promise<void>;
  /** Removes one that an earlier backup may have. */
  removePrivate(name: string): Promise<void>;
  /** Makes the backup complete, with the databases of `incoming`, and moves it to its final place. */
  publish(manifest: Manifest, superfluous: readonly string[], onStep: (step: PublishStep) => void): Promise<void>;
}

/** `backup.json` in the folder of a backup. */
export interface Manifest {
  folder: string;
  at: string;
  files: number;
  sealedBytes: number;
  masterKey: 'included' | 'left out';
  wrong: string[];
  /** Of the pair of databases; older versions wrote none. */
  installation?: string | null;
  database?: 'sqlite' | 'postgres';
}

export const marker = 'INCOMPLETE';
export const markerText = `This folder holds no complete backup yet. Run "dropslot backup" again.\n`;
/** Describes the backup and its time; only the folder of a backup has it. */
export const description = 'backup.json';
export const dumpName = 'database.dump';

/** The databases of a backup, each at its top: of SQLite, or of PostgreSQL. */
export const databaseNames = ['control.db', 'directory.db', dumpName] as const;

/** Copies a private file where there is one, synced; false: there is none. */
export async function copyPrivate(from: string, to: string): Promise<boolean> {
  if (!existsSync(from)) return false;
  await mkdir(join(to, '..'), { recursive: true, mode: 0o700 });
  const temporary = `${to}.new`;
  await rm(temporary, { force: true });
  await copyFile(from, temporary);
  await chmod(temporary, 0o600);
  await syncFile(temporary);
  await rename(temporary, to);
  await syncFolder(join(to, '..'));
  return true;
}

export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function writeSynced(path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  await syncFile(path);
  await syncFolder(join(path, '..'));
}
