/**
 * Partials: the files of uploads that were cut off, which a later upload resumes. Each is read back with its own payload key,
 * which the control database holds sealed to this node's key alone; the file's header is sealed to the organization.
 */
import { join } from 'node:path';
import { armor, Decrypter, Encrypter } from 'age-encryption';
import type { Paths } from '../config/paths.js';
import type { Db } from '../db/connection.js';
import { findPartial, listPartials, type PartialRow } from '../db/control/partials.js';
import { loadNodeKey, type NodeKey } from '../keys/master/nodekey.js';
import { parseIdentity, parseRecipient } from '../keys/master/x25519.js';
import { type Disk, systemDisk } from './disk.js';
import { BlobReader } from './sealedreader.js';
import { SpaceError } from './types.js';

export interface PartialPlace {
  control: Db;
  paths: Pick<Paths, 'partials' | 'nodeKey'>;
  disk?: Disk;
}

export function partialPath(paths: Pick<Paths, 'partials'>, id: string): string {
  return join(paths.partials, id);
}

/** The partial at a path that this node can resume; null: none. */
export async function findOwnPartial(place: PartialPlace, org: string, path: string): Promise<PartialRow | null> {
  const row = await findPartial(place.control.read, org, path);
  return row !== null && row.node === (await nodeOf(place)) ? row : null;
}

/** As listPartials, those of this node. */
export async function listOwnPartials(
  place: PartialPlace,
  org: string,
  dir: string,
  afterName: string | null,
  limit: number,
): Promise<PartialRow[]> {
  const rows = await listPartials(place.control.read, org, dir, afterName, limit);
  if (rows.length === 0) return rows;
  const node = await nodeOf(place);
  return rows.filter((row) => row.node === node);
}

/**
 * Opens a kept partial; for an upload that was in progress when its server died, the complete chunks of the file.
 * @throws SpaceError `damaged`, `failed`; KeyError
 */
export async function openPartial(place: PartialPlace, row: PartialRow): Promise<BlobReader> {
  const { paths, disk = systemDisk } = place;
  const node = await loadNodeKey(paths);
  if (node === null) throw new SpaceError('damaged', `partial ${row.id} is sealed to a node key that no longer exists`);
  const payloadKey = await unsealKey(row, node);
  const file = await disk.open(partialPath(paths, row.id)).catch((cause: NodeJS.ErrnoException) => {
    const code = cause.code === 'ENOENT' ? 'damaged' : 'failed';
    throw new SpaceError(code, `partial ${row.id} can't be opened: ${cause.message}`, { cause });
  });
  const size = row.state === 'kept' ? row.size : null;
  return BlobReader.openPartial(row.id, file, { payloadKey, headerBytes: row.headerBytes }, size);
}

/** Removes the partials that exist. */
export async function removePartials(
  paths: Pick<Paths, 'partials'>,
  ids: readonly string[],
  disk: Disk = systemDisk,
): Promise<void> {
  for (const id of ids) await disk.remove(partialPath(paths, id));
}

/** Armored age, which only the node's key opens. */
export async function sealPayloadKey(payloadKey: Buffer, node: NodeKey): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(parseRecipient(node.recipient));
  return armor.encode(await encrypter.encrypt(payloadKey));
}

async function unsealKey(row: PartialRow, node: NodeKey): Promise<Buffer> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(parseIdentity(node.identity));
  try {
    return Buffer.from(await decrypter.decrypt(armor.decode(row.payloadKey)));
  } catch (cause) {
    throw new SpaceError('damaged', `partial ${row.id} does not open with this node's key`, { cause });
  }
}

async function nodeOf({ paths }: PartialPlace): Promise<string | null> {
  return (await loadNodeKey(paths))?.recipient ?? null;
}
