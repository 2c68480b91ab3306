/** A backup in a folder of an SFTP server, laid out as one in a folder of this machine is. */
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { pathsOf } from '../../config/paths.js';
import { blobPath } from '../../storage/blobs.js';
import { withSchema } from '../format.js';
import { findFault, isSame, lookAtBlob, readBlob, sameTimeMs } from './copy.js';
import { inLanes, type RemoteEntry, type RemoteFiles } from './sftpfiles.js';
import {
  type BlobSource,
  type Copied,
  databaseNames,
  description,
  marker,
  markerText,
  type Target,
  type Wanted,
} from './target.js';

export interface SftpTargetChoice {
  /** The folder of the server that the backup is made in. */
  folder: string;
  /** That of an earlier backup, with which this one shares files; null: there is none. */
  earlier: string | null;
  /** The folder gets this path when the backup is complete. */
  final: string;
  finalUrl: string;
  /** The data folder: databases are copied into a folder of it before they are sent. */
  data: string;
}

/** Requests wait for the network, not for the processor. */
const lanes = 8;
const pieceBytes = 512 * 1024;
/** Listings that are kept: blobs come in the order of their subfolders. */
const mostListings = 16;

/** Makes the folder, or continues in that of an interrupted backup. @throws OperationError */
export async function openSftpTarget(files: RemoteFiles, choice: SftpTargetChoice): Promise<Target> {
  const { folder, earlier, final } = choice;
  const incoming = pathsOf({ data: join(choice.data, 'outgoing') });
  const at = (...names: string[]) => posix.join(folder, ...names);
  const blobs = at('blobs');
  await files.makeFolder(folder);
  await files.remove(at(description));
  await files.put(at(marker), textOf(markerText), null);
  await files.makeFolder(blobs);
  const made = new Set<string>();
  const ensureFolder = async (path: string) => {
    if (path === folder || made.has(path)) return;
    await ensureFolder(posix.dirname(path));
    await files.makeFolder(path);
    made.add(path);
  };
  const copyPrivate = async (from: string, name: string) => {
    if (!existsSync(from)) return;
    await ensureFolder(posix.dirname(at(name)));
    await files.put(at(name), () => createReadStream(from, { highWaterMark: pieceBytes }), null);
  };
  return {
    final: choice.finalUrl,
    incoming,
    reset: async () => {
      await rm(incoming.data, { recursive: true, force: true });
      await mkdir(incoming.data, { mode: 0o700 });
    },
    copyBlobs: (wanted, source) => {
      const to = { files, blobs, earlier: earlier === null ? null : posix.join(earlier, 'blobs'), ensureFolder };
      return copyBlobs(wanted, source, to);
    },
    listSuperfluous: async (isWanted) => {
      const found: string[] = [];
      for (const shard of (await files.list(blobs)) ?? [])
        for (const { name } of (await files.list(posix.join(blobs, shard.name))) ?? [])
          if (!(await isWanted(name))) found.push(posix.join(blobs, shard.name, name));
      return found;
    },
    copyPrivate,
    removePrivate: (name) => files.remove(at(name)),
    publish: async (manifest, superfluous, onStep) => {
      for (const name of databaseNames) await copyPrivate(join(incoming.data, name), name);
      onStep('begun');
      await rm(incoming.data, { recursive: true });
      await inLanes(lanes, superfluous, (path) => files.remove(path));
      await files.put(at(description), textOf(`${JSON.stringify(withSchema({ ...manifest }), null, 2)}\n`), null);
      await files.remove(at(marker));
      onStep('published');
      await files.rename(folder, final);
    },
  };
}

interface BlobsTo {
  files: RemoteFiles;
  blobs: string;
  earlier: string | null;
  ensureFolder(path: string): Promise<void>;
}

async function copyBlobs(wanted: AsyncIterable<Wanted>, source: BlobSource, to: BlobsTo): Promise<Copied> {
  const copied: Copied = { files: 0, sealedBytes: 0, newFiles: 0, newBytes: 0, gone: [], damaged: [] };
  const { files, blobs, earlier, ensureFolder } = to;
  const there = listingOf(files, blobs);
  const before = earlier === null ? async () => null : listingOf(files, earlier);
  let canLink = true;
  const copyBlob = async (blob: Wanted): Promise<void> => {
    const { id } = blob;
    const found = await lookAtBlob(source.from, id);
    if (found === null) {
      copied.gone.push(blob);
      return;
    }
    const remote = blobPath({ blobs }, id);
    const existing = await there(id);
    if (isSame(existing, found)) return count(found.size);
    await ensureFolder(dirname(remote));
    if (canLink && isSame(await before(id), found)) {
      if (existing !== null) await files.remove(remote);
      canLink = await files.link(blobPath({ blobs: earlier! }, id), remote);
      if (canLink) return count(found.size);
    }
    const fault = await findFault(blob, source.from, source, found.size);
    // Only a file without a fault gets the time of its source: the next backup copies and opens any other one again.
    const mtimeMs = fault === null ? found.mtimeMs : found.mtimeMs + 2 * sameTimeMs;
    try {
      await files.put(remote, () => readBlob(source.from, id, pieceBytes), mtimeMs);
    } catch (error) {
      if ((await lookAtBlob(source.from, id)) !== null) throw error;
      copied.gone.push(blob);
      return;
    }
    if (fault !== null) copied.damaged.push({ blob, fault });
    copied.newFiles++;
    copied.newBytes += found.size;
    count(found.size);
  };
  const count = (bytes: number) => {
    copied.files++;
    copied.sealedBytes += bytes;
  };
  await inLanes(lanes, wanted, async (blob) => {
    await copyBlob(blob);
    source.onProgress(copied);
  });
  return copied;
}

/** The entry of a blob below `blobs`; null: there is none. Each subfolder is listed once. */
function listingOf(files: RemoteFiles, blobs: string): (id: string) => Promise<RemoteEntry | null> {
  const listings = new Map<string, Promise<Map<string, RemoteEntry>>>();
  const list = async (folder: string) =>
    new Map(((await files.list(folder)) ?? []).map((entry): [string, RemoteEntry] => [entry.name, entry]));
  return async (id) => {
    const folder = dirname(blobPath({ blobs }, id));
    let listing = listings.get(folder);
    if (listing === undefined) {
      listing = list(folder);
      listings.set(folder, listing);
      if (listings.size > mostListings) listings.delete(listings.keys().next().value!);
    }
    return (await listing).get(id) ?? null;
  };
}

function textOf(text: string): () => AsyncIterable<Buffer> {
  return async function* () {
    yield Buffer.from(text);
  };
}
