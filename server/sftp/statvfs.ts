/** Serves statvfs@openssh.com and fstatvfs@openssh.com: reports the organization's quota as a file system. */
import { isReadOnly } from '../../storage/path.js';
import { PacketWriter } from './codec.js';
import { entryOf } from './files.js';
import type { Handle } from './handles.js';
import { type Reply, replyNumbers } from './reply.js';
import type { Context, Handler } from './request.js';

/** The unit of sizes: a multiple of the unit of `df`. */
const blockBytes = 4096;

/** OpenSSH's PROTOCOL document, section 4.4: f_flag. */
const flags = { readOnly: 1, noSetuid: 2 } as const;

export const measurePath: Handler<{ path: string }> = {
  read: (packet) => ({ path: packet.path() }),
  async run(context, { path }, id) {
    // A client may ask before its first CLOSE.
    if (context.handles.findUpload(path) === null) await context.space.stat(path);
    return measure(context, path, id);
  },
};

export const measureHandle: Handler<{ handle: Handle }> = {
  read: (packet, { handles }) => ({ handle: handles.find(packet.string()) }),
  run: async (context, { handle }, id) => measure(context, (await entryOf(context, handle)).path, id),
};

async function measure({ space, isReadOnly: isReadOnlySession }: Context, path: string, id: number): Promise<Reply> {
  const { maxStoredBytes, storedBytes, maxFiles, files, maxNameBytes } = await space.measure();
  const freeBlocks = Math.floor(Math.max(0, maxStoredBytes - storedBytes) / blockBytes);
  const freeFiles = Math.max(0, maxFiles - files);
  return new PacketWriter(replyNumbers.extended)
    .u32(id)
    .u64(blockBytes)
    .u64(blockBytes)
    .u64(Math.floor(maxStoredBytes / blockBytes))
    .u64(freeBlocks)
    .u64(freeBlocks)
    .u64(maxFiles)
    .u64(freeFiles)
    .u64(freeFiles)
    .u64(0)
    .u64(flags.noSetuid | (isReadOnlySession || isReadOnly(path) ? flags.readOnly : 0))
    .u64(maxNameBytes)
    .finish();
}
