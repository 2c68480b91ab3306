/**
 * The key that opens uploads which were cut off: of one node if their bytes are in its data folder, and of all servers if they are
 * in an object store, so that any of them can resume an upload. That one is in the control database.
 */
import type { Paths } from '../../config/paths.js';
import type { Db } from '../../db/connection.js';
import { findPartialKey, keepPartialKey } from '../../db/control/partiallease.js';
import { loadAge } from './agelibrary.js';
import { loadNodeKey, loadOrCreateNodeKey, type NodeKey } from './nodekey.js';

export interface PartialKeyPlace {
  control: Pick<Db, 'read' | 'write'>;
  paths: Pick<Paths, 'nodeKey'> & { store?: unknown };
}

/** null: there is none, and so no partial. @throws KeyError */
export async function loadPartialKey({ control, paths }: PartialKeyPlace): Promise<NodeKey | null> {
  if (paths.store === undefined) return loadNodeKey(paths);
  const identity = await findPartialKey(control.read);
  return identity === null ? null : toNodeKey(identity);
}

/** @throws KeyError */
export async function loadOrCreatePartialKey(place: PartialKeyPlace): Promise<NodeKey> {
  if (place.paths.store === undefined) return loadOrCreateNodeKey(place.paths);
  const found = await loadPartialKey(place);
  return (
    found ?? toNodeKey(await keepPartialKey(place.control.write, await (await loadAge()).generateX25519Identity()))
  );
}

async function toNodeKey(identity: string): Promise<NodeKey> {
  return { identity, recipient: await (await loadAge()).identityToRecipient(identity) };
}
