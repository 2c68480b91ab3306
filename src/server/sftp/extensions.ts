/** The extensions of OpenSSH that are advertised and served (its PROTOCOL document, section 4). */
import { PacketWriter } from './codec.js';
import { mostTransferBytes, syncFile } from './files.js';
import { longestPacket } from './frame.js';
import { type AnyRequest, atOnce, byHandle, byPath, type Handler, type Request } from './handler.js';
import { renamePath, setPathAttributes } from './paths.js';
import { replyNumbers } from './reply.js';

export type Extension = AnyRequest & { readonly version: string };

/** OpenSSH 8.5 and later ask once, and then read and write in the sizes that they are told. */
const tellLimits: Handler<null> = {
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
  row('1', { name: 'fsync@openssh.com', writes: true, order: byHandle, handler: syncFile }),
  row('1', { name: 'lsetstat@openssh.com', writes: true, order: byPath, handler: setPathAttributes }),
  row('1', { name: 'limits@openssh.com', writes: false, order: atOnce, handler: tellLimits }),
]);

function row<A>(version: string, request: Request<A>): [string, Extension] {
  return [request.name, { ...(request as AnyRequest), version }];
}
