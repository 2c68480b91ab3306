/** Serves the requests on folders: list, make, remove. */

import { compareNames, splitPath } from '../../storage/path.js';
import { type Entry, SpaceError } from '../../storage/types.js';
import { type GivenAttributes, readAttributes } from './attributes.js';
import { SftpError } from './error.js';
import { type FolderHandle, type Handle, newFolderHandle } from './handles.js';
import { replyEntries, replyHandle, replyStatus } from './reply.js';
import type { Context, Handler } from './request.js';
import { endStatus, okStatus } from './status.js';

/** Entries of one READDIR reply, as OpenSSH's server has it. */
const pageEntries = 100;
/** Its bytes: less than the 34,000 of the shortest packet that a client must take. */
const pageBytes = 32_000;

export const openFolder: Handler<{ path: string }> = {
  read: (packet) => ({ path: packet.path() }),
  async run({ space, handles }, { path }, id) {
    handles.requireFreeHandle();
    const { kind } = await space.stat(path);
    if (kind !== 'dir') throw new SpaceError('not_a_folder', `${path} is not a folder`);
    return replyHandle(id, handles.add(newFolderHandle(path)));
  },
};

export const readFolder: Handler<{ handle: Handle }> = {
  read: (packet, { handles }) => ({ handle: handles.find(packet.string()) }),
  async run(context, { handle }, id) {
    const { space, now } = context;
    if (handle.kind !== 'folder') throw new SftpError('wrong_handle', 'READDIR on a handle that is no folder');
    if (handle.isExhausted) return replyStatus(id, endStatus);
    const stored = await space.list(handle.path, handle.afterName, pageEntries).catch(endOfGone);
    const entries = addUploads(context, handle, stored);
    const page = takePage(entries, space.org);
    handle.isExhausted = page.length === entries.length && stored.length < pageEntries;
    if (page.length === 0) return replyStatus(id, endStatus);
    handle.afterName = page[page.length - 1]!.name;
    return replyEntries(id, page, space.org, now());
  },
};

/** A session sees its own uploads in progress, in the order of the names, as STAT shows them. */
function addUploads({ handles }: Context, { path, afterName }: FolderHandle, stored: Entry[]): Entry[] {
  const own = handles.findUploads((uploaded) => splitPath(uploaded).dir === path);
  if (own.length === 0) return stored;
  const last = stored.length < pageEntries ? null : stored.at(-1)!.name;
  const entries = new Map(stored.map((entry) => [entry.name, entry]));
  for (const { upload } of own) {
    const entry = upload.entry();
    const isLater = last !== null && compareNames(entry.name, last) > 0;
    const isEarlier = afterName !== null && compareNames(entry.name, afterName) <= 0;
    if (!isLater && !isEarlier) entries.set(entry.name, entry);
  }
  return [...entries.values()].sort((one, other) => compareNames(one.name, other.name));
}

/** The listing of a folder that was removed meanwhile ends. */
function endOfGone(error: unknown): Entry[] {
  if (error instanceof SpaceError && (error.code === 'not_found' || error.code === 'not_a_folder')) return [];
  throw error;
}

/** The first entries that fit: each has its name twice, its owner twice, attributes, and the rest of its line. */
function takePage(entries: readonly Entry[], owner: string): readonly Entry[] {
  let bytes = 0;
  const first = entries.findIndex(({ name }) => {
    bytes += 2 * Buffer.byteLength(name) + 2 * owner.length + 120;
    return bytes > pageBytes;
  });
  return first === -1 ? entries : entries.slice(0, first);
}

export const makeFolder: Handler<{ path: string; given: GivenAttributes }> = {
  read: (packet) => ({ path: packet.path(), given: readAttributes(packet) }),
  async run({ space, handles }, { path, given }, id) {
    if (handles.findUpload(path) !== null) throw new SpaceError('exists', `${path} is being uploaded in this session`);
    await space.mkdir(path, given.attributes);
    return replyStatus(id, okStatus);
  },
};

export const removeFolder: Handler<{ path: string }> = {
  read: (packet) => ({ path: packet.path() }),
  async run({ space, handles }, { path }, id) {
    // Its own list of the folder has them.
    const own = handles.findUploads((uploaded) => splitPath(uploaded).dir === path);
    if (own.length > 0) throw new SpaceError('not_empty', `a file in ${path} is being uploaded in this session`);
    await space.rmdir(path);
    return replyStatus(id, okStatus);
  },
};
