/** Serves copy-data (draft-ietf-secsh-filexfer-extensions-00, section 7): copies from one open file into another. */
import type { Upload } from '../../intake/types.js';
import { SftpError } from './error.js';
import { asUpload, entryOf, readHandle } from './files.js';
import type { Handle } from './handles.js';
import { replyStatus } from './reply.js';
import type { Context, Handler } from './request.js';
import { endStatus, okStatus } from './status.js';

/** In memory at once. */
export const copyBytes = 1024 * 1024;

interface CopyArgs {
  from: Handle;
  fromOffset: number;
  /** 0: to the end. */
  length: number;
  to: Handle;
  toOffset: number;
}

/** The copy is sealed under the key of the other file, as any upload, and counts as written by the client. */
export const copyData: Handler<CopyArgs> = {
  read(packet, { handles }) {
    const from = handles.find(packet.string());
    const [fromOffset, length] = [packet.u64(), packet.u64()];
    return { from, fromOffset, length, to: handles.find(packet.string()), toOffset: packet.u64() };
  },
  async run(context, { from, fromOffset, length, to, toOffset }, id) {
    const { upload } = asUpload(to, 'copy-data');
    if (from === to) throw new SftpError('bad_request', 'copy-data within one handle');
    const { size } = await entryOf(context, from);
    const available = Math.max(0, size - fromOffset);
    const wanted = length === 0 ? available : length;
    const copied = await copy(context, from, fromOffset, upload, toOffset, Math.min(wanted, available));
    return replyStatus(id, copied < wanted ? endStatus : okStatus);
  },
};

async function copy(
  { isAborted }: Context,
  from: Handle,
  fromOffset: number,
  upload: Upload,
  toOffset: number,
  length: number,
): Promise<number> {
  // Also where there is nothing to copy: the handle must be open for reading.
  await readHandle(from, fromOffset, 0);
  let copied = 0;
  while (copied < length) {
    if (isAborted()) throw new SftpError('ended', 'copy-data after the session was ended');
    const bytes = await readHandle(from, fromOffset + copied, Math.min(copyBytes, length - copied));
    if (bytes.length === 0) break;
    await upload.write(toOffset + copied, bytes);
    copied += bytes.length;
  }
  return copied;
}
