/**
 * Partials: the sealed bytes of uploads that were cut off, which a later upload resumes. They are files of this node, or objects of
 * the store, which every server can resume. Each is read back with its own payload key, which the control database holds sealed
 * to the partial key; the header is sealed to the organization.
 */
import { join } from 'node:path';
import type { Paths } from '../config/paths.js';
import type { Db } from '../db/connection.js';
import { findBlob } from '../db/control/blobs.js';
import { listDeadPartials, takeOverPartial } from '../db/control/partiallease.js';
import { findPartial, listPartials, type PartialRow } from '../db/control/partials.js';
import { loadAge } from '../keys/master/agelibrary.js';
import type { NodeKey } from '../keys/master/nodekey.js';
import { loadPartialKey } from '../keys/master/partialkey.js';
import { parseIdentity, parseRecipient } from '../keys/master/x25519.js';
import type { ReadOptions } from './blobs.js';
import { type BlobStore, type Look, StoreError, type StorePaths } from './blobstore.js';
import { chunkBytes, sealedChunkBytes } from './chunk.js';
import { type Disk, type DiskFile, systemDisk } from './disk.js';
import { splitPath } from './path.js';
import { BlobReader } from './sealedreader.js';
import { SpaceError } from './types.js';

/** A listing waits no longer for the store, however many uploads were left in a folder. */
const soonMs = 2_000;

export interface PartialPlace {
  control: Db;
  paths: Pick<Paths, 'partials' | 'nodeKey'> & StorePaths;
  disk?: Disk;
}

export function partialPath(paths: Pick<Paths, 'partials'>, id: string): string {
  return join(paths.partials, id);
}

/** The partial at a path that this node can resume; null: none. @throws StoreError when a dead server has left one, and the store is away */
export async function findOwnPartial(place: PartialPlace, org: string, path: string): Promise<PartialRow | null> {
  const { dir, name } = splitPath(path);
  await takeOver(place, org, {}, dir, name);
  return findTaken(place, org, path);
}

/** As findOwnPartial, for one that is only shown: without those that the store does not answer for now. */
export async function findShownPartial(place: PartialPlace, org: string, path: string): Promise<PartialRow | null> {
  const { dir, name } = splitPath(path);
  await takeOverSoon(place, org, dir, name);
  return findTaken(place, org, path);
}

async function findTaken(place: PartialPlace, org: string, path: string): Promise<PartialRow | null> {
  const row = await findPartial(place.control.read, org, path);
  return row !== null && row.node === (await nodeOf(place)) ? row : null;
}

/** As listPartials, those of this node, without those that the store does not answer for now. */
export async function listOwnPartials(
  place: PartialPlace,
  org: string,
  dir: string,
  afterName: string | null,
  limit: number,
): Promise<PartialRow[]> {
  await takeOverSoon(place, org, dir);
  const rows = await listPartials(place.control.read, org, dir, afterName, limit);
  if (rows.length === 0) return rows;
  const node = await nodeOf(place);
  return rows.filter((row) => row.node === node);
}

/**
 * Opens a kept partial; for an upload that was in progress when its server died, the complete chunks of the file.
 * @throws SpaceError `damaged`, `failed`; KeyError
 */
export async function openPartial(
  place: PartialPlace,
  row: PartialRow,
  { signal, ahead }: Pick<ReadOptions, 'signal' | 'ahead'> = {},
): Promise<BlobReader> {
  const node = await loadPartialKey(place);
  if (node === null) throw new SpaceError('damaged', `partial ${row.id} is sealed to a node key that no longer exists`);
  const payloadKey = await unsealKey(row, node);
  const file = await openBytes(place, row.id, signal).catch((cause: NodeJS.ErrnoException) => {
    const code = cause.code === 'ENOENT' ? 'damaged' : 'failed';
    throw new SpaceError(code, `partial ${row.id} can't be opened: ${cause.message}`, { cause });
  });
  const size = row.state === 'kept' ? row.size : null;
  return BlobReader.openPartial(row.id, file, { payloadKey, headerBytes: row.headerBytes }, size, ahead);
}

/** Removes the partials that exist. Of a file that was published, the store has one object with both: that one stays. */
export async function removePartials(
  {
    control,
    paths,
    disk = systemDisk,
  }: Pick<PartialPlace, 'control' | 'disk'> & { paths: Pick<Paths, 'partials'> & StorePaths },
  ids: readonly string[],
  look: Look = {},
): Promise<void> {
  for (const id of ids) {
    if (paths.store !== undefined && (await findBlob(control.read, id)) === null) await paths.store.forget(id, look);
    await disk.remove(partialPath(paths, id));
  }
}

/**
 * With an object store: keeps the uploads at a path, or in a folder, that servers left which died. Not before their leases have
 * expired: until then such a server may be alive.
 */
async function takeOver(place: PartialPlace, org: string, look: Look, dir: string, name?: string): Promise<void> {
  const { control, paths } = place;
  if (paths.store === undefined) return;
  for (const row of await listDeadPartials(control.read, org, dir, name)) {
    const size = readableBytes(row, await measureStored(paths.store, row.id, look));
    const forgotten = await control.transact((tx) => takeOverPartial(tx, row, size));
    if (forgotten !== null) await removePartials(place, forgotten, look);
  }
}

/** As takeOver, as far as the store answers at once: the rest waits for the next look. Bytes that it can't remove now are left to the daily sweep. */
async function takeOverSoon(place: PartialPlace, org: string, dir: string, name?: string): Promise<void> {
  if (place.paths.store === undefined) return;
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), soonMs);
  try {
    await takeOver(place, org, { signal: end.signal, retryMs: 0 }, dir, name);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Sealed bytes of an unfinished upload, or of the object that it became before its server died. */
async function measureStored(store: BlobStore, id: string, look: Look): Promise<number> {
  const sent = await store.measureUnfinished(id, look);
  return sent > 0 ? sent : ((await store.stat(id, look))?.size ?? 0);
}

/** Plaintext bytes of whole chunks, but of a last one, which was sealed as such where nothing follows it. */
function readableBytes({ headerBytes }: PartialRow, storedBytes: number): number {
  return Math.max(0, Math.ceil((storedBytes - headerBytes) / sealedChunkBytes) - 1) * chunkBytes;
}

/** The bytes that a dead server left are an unfinished upload of the store until they are needed. */
async function openBytes(
  { paths, disk = systemDisk }: PartialPlace,
  id: string,
  signal?: AbortSignal,
): Promise<DiskFile> {
  const { store } = paths;
  if (store === undefined) return disk.open(partialPath(paths, id));
  try {
    return await store.open(id, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !(await store.completeUnfinished(id))) throw error;
    return store.open(id, signal);
  }
}

/** Armored age, which only the node's key opens. */
export async function sealPayloadKey(payloadKey: Buffer, node: NodeKey): Promise<string> {
  const { armor, Encrypter } = await loadAge();
  const encrypter = new Encrypter();
  encrypter.addRecipient(parseRecipient(node.recipient));
  return armor.encode(await encrypter.encrypt(payloadKey));
}

async function unsealKey(row: PartialRow, node: NodeKey): Promise<Buffer> {
  const { armor, Decrypter } = await loadAge();
  const decrypter = new Decrypter();
  decrypter.addIdentity(parseIdentity(node.identity));
  try {
    return Buffer.from(await decrypter.decrypt(armor.decode(row.payloadKey)));
  } catch (cause) {
    throw new SpaceError('damaged', `partial ${row.id} does not open with this node's key`, { cause });
  }
}

async function nodeOf(place: PartialPlace): Promise<string | null> {
  return (await loadPartialKey(place))?.recipient ?? null;
}
