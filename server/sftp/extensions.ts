/** Owns the table of the extensions that are advertised and served: OpenSSH's (its PROTOCOL document, section 4), and checksums. */
import { checkHandle, checkPath, hashedBytes } from './checksum.js';
import { PacketWriter } from './codec.js';
import { copyBytes, copyData } from './copy.js';
import { mostTransferBytes, syncFile } from './files.js';
import { longestPacket } from './frame.js';
import { expandPath, findHome, nameOwners } from './homes.js';
import { looksInsideReadOnly, renamePath, setPathAttributes } from './paths.js';
import { replyNumbers } from './reply.js';
import { type AnyRequest, atOnce, byBoth, byHandle, byPath, type Handler, type Request } from './request.js';
import { measureHandle, measurePath } from './statvfs.js';

export type Extension = AnyRequest & { readonly version: string };

/** OpenSSH 8.5 and later ask once, and then read and write in these sizes. */
const replyLimits: Handler<null> = {
  read: () => null,
  run: ({ handles }, _args, id) =>
    Promise.resolve(
      new PacketWriter(replyNumbers.extended)
        .u32(id)
        .u64(longestPacket)
        .u64(mostTransferBytes)
        .u64(mostTransferBytes)
        .u64(handles.most)
        .finish(),
    ),
};

/** By name. There are no links, so that lsetstat is SETSTAT. */
export const extensions: ReadonlyMap<string, Extension> = new Map([
  row('1', {
    name: 'posix-rename@openssh.com',
    writes: true,
    order: byPath,
    handler: renamePath({ overwrite: true }),
  }),
  row('2', {
    name: 'statvfs@openssh.com',
    writes: false,
    reads: looksInsideReadOnly,
    order: byPath,
    handler: measurePath,
  }),
  row('2', { name: 'fstatvfs@openssh.com', writes: false, order: byHandle, handler: measureHandle }),
  row('1', { name: 'fsync@openssh.com', writes: true, order: byHandle, handler: syncFile }),
  row('1', { name: 'lsetstat@openssh.com', writes: true, order: byPath, handler: setPathAttributes }),
  row('1', { name: 'limits@openssh.com', writes: false, order: atOnce, handler: replyLimits }),
  row('1', { name: 'expand-path@openssh.com', writes: false, order: atOnce, handler: expandPath }),
  row('1', {
    name: 'copy-data',
    writes: true,
    reads: true,
    order: byBoth,
    handler: copyData,
    costBytes: () => copyBytes,
  }),
  row('1', { name: 'home-directory', writes: false, order: atOnce, handler: findHome }),
  row('1', { name: 'users-groups-by-id@openssh.com', writes: false, order: atOnce, handler: nameOwners }),
  row('1', {
    name: 'check-file',
    writes: false,
    reads: true,
    order: byHandle,
    handler: checkHandle({ echo: true }),
    costBytes: () => hashedBytes,
  }),
  row('1', {
    name: 'check-file-handle',
    writes: false,
    reads: true,
    order: byHandle,
    handler: checkHandle({ echo: false }),
    costBytes: () => hashedBytes,
  }),
  row('1', {
    name: 'check-file-name',
    writes: false,
    reads: true,
    order: byPath,
    handler: checkPath,
    costBytes: () => hashedBytes,
  }),
]);

function row<A>(version: string, request: Request<A>): [string, Extension] {
  return [request.name, { ...(request as AnyRequest), version }];
}
