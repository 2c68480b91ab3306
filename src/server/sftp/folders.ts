/** Requests on folders: list, make, remove. */
import { SpaceError } from '../../storage/types.js';
import { type GivenAttributes, readAttributes } from './attributes.js';
import { SftpError } from './error.js';
import type { Handler } from './handler.js';
import { type Handle, newFolderHandle } from './handles.js';
import { readPath } from './path.js';
import { replyEntries, replyHandle, replyStatus } from './reply.js';
import { endStatus, okStatus } from './status.js';

/** Entries of one READDIR reply: names of 255 bytes, twice each, still fit into the shortest packet a client must take. */
const pageEntries = 50;

export const openFolder: Handler<{ path: string }> = {
  read: (packet) => ({ path: readPath(packet) }),
  async run({ space, handles }, { path }, id) {
    handles.checkRoom();
    const { kind } = await space.stat(path);
    if (kind !== 'dir') throw new SpaceError('not_a_folder', `${path} is not a folder`);
    return replyHandle(id, handles.add(newFolderHandle(path)));
  },
};

export const readFolder: Handler<{ handle: Handle }> = {
  read: (packet, { handles }) => ({ handle: handles.find(packet.string()) }),
  async run({ space, now }, { handle }, id) {
    if (handle.kind !== 'folder') throw new SftpError('wrong_handle', 'READDIR on a handle that is no folder');
    if (handle.isExhausted) return replyStatus(id, endStatus);
    const entries = await space.list(handle.path, handle.afterName, pageEntries);
    handle.isExhausted = entries.length < pageEntries;
    if (entries.length === 0) return replyStatus(id, endStatus);
    handle.afterName = entries[entries.length - 1]!.name;
    return replyEntries(id, entries, space.org, now());
  },
};

export const makeFolder: Handler<{ path: string; given: GivenAttributes }> = {
  read: (packet) => ({ path: readPath(packet), given: readAttributes(packet) }),
  async run({ space }, { path, given }, id) {
    await space.mkdir(path, given.attributes);
    return replyStatus(id, okStatus);
  },
};

export const removeFolder: Handler<{ path: string }> = {
  read: (packet) => ({ path: readPath(packet) }),
  async run({ space }, { path }, id) {
    await space.rmdir(path);
    return replyStatus(id, okStatus);
  },
};
