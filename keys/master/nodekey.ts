/** Owns a node's age identity, which opens the partials of uploads on this node, and no published file. */
import type { Paths } from '../../config/paths.js';
import { KeyError } from '../error.js';
import { createPrivateFile, readPrivateFile } from '../file.js';
import { loadAge } from './agelibrary.js';

export interface NodeKey {
  /** `age1…` */
  recipient: string;
  /** `AGE-SECRET-KEY-1…`; never logged. */
  identity: string;
}

type NodePaths = Pick<Paths, 'nodeKey'>;

/** @throws KeyError `unreadable`, `malformed` */
export async function loadOrCreateNodeKey(paths: NodePaths): Promise<NodeKey> {
  const found = await loadNodeKey(paths);
  if (found !== null) return found;
  const identity = await (await loadAge()).generateX25519Identity();
  const text = `# opens this node's unfinished uploads; losing it loses nothing else\n${identity}\n`;
  if (await createPrivateFile(paths.nodeKey, text)) return parse(paths.nodeKey, identity);
  return loadOrCreateNodeKey(paths); // another process was first
}

/** null: there is none, and so no partial of this node. @throws KeyError `unreadable`, `malformed` */
export async function loadNodeKey(paths: NodePaths): Promise<NodeKey | null> {
  const text = await readPrivateFile(paths.nodeKey);
  return text === null ? null : parse(paths.nodeKey, text);
}

async function parse(path: string, text: string): Promise<NodeKey> {
  const identity = text.split('\n').find((line) => line.startsWith('AGE-SECRET-KEY-1'));
  try {
    return { identity: identity!.trim(), recipient: await (await loadAge()).identityToRecipient(identity!.trim()) };
  } catch (cause) {
    throw new KeyError('malformed', `${path} holds no age identity: remove it, and the server creates a new one`, {
      cause,
    });
  }
}
