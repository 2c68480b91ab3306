/** Serves the requests on files: open, read, write, close, and attributes and sync of an open handle. */
import { createHash } from 'node:crypto';
import { type Entry, type Reader, SpaceError } from '../../storage/types.js';
import { type GivenAttributes, readAttributes } from './attributes.js';
import { SftpError } from './error.js';
import { type Handle, newReaderHandle, newUploadHandle, type UploadHandle } from './handles.js';
import { replyAttributes, replyData, replyHandle, replyStatus } from './reply.js';
import type { Context, Handler } from './request.js';
import { endStatus, okStatus } from './status.js';
import { TaskLock } from './tasklock.js';

/** The longest READ answer, and the longest WRITE advertised: as OpenSSH's server, and the fastest measured. */
export const mostTransferBytes = 255 * 1024;

/** draft-ietf-secsh-filexfer-02, section 6.3. */
const openFlags = { write: 0x2, append: 0x4, create: 0x8, truncate: 0x10, exclusive: 0x20, read: 0x1 } as const;

interface OpenArgs {
  path: string;
  flags: number;
  given: GivenAttributes;
}

export function opensForWriting({ flags }: OpenArgs): boolean {
  return (flags & (openFlags.write | openFlags.append)) !== 0;
}

/** Also true for CREAT without WRITE, which makes an empty file if there is none. */
export function mayCreate(args: OpenArgs): boolean {
  return opensForWriting(args) || (args.flags & openFlags.create) !== 0;
}

export const openFile: Handler<OpenArgs> = {
  read: (packet) => ({ path: packet.path(), flags: packet.u32(), given: readAttributes(packet) }),
  async run(context, args, id) {
    const { handles, intake } = context;
    handles.requireFreeHandle();
    const { path, flags, given } = args;
    const isSet = (flag: number) => (flags & flag) !== 0;
    if (!opensForWriting(args)) {
      const own = isSet(openFlags.exclusive) ? null : handles.findUpload(path);
      const reader = own === null ? await openReader(context, args) : await openView(own);
      return replyHandle(id, handles.add(newReaderHandle(reader, own?.lock)));
    }
    const upload = await intake.begin(path, {
      truncate: isSet(openFlags.truncate),
      exclusive: isSet(openFlags.exclusive),
      create: isSet(openFlags.create),
      append: isSet(openFlags.append),
      attributes: given.attributes,
    });
    // Two uploads of one path end in the order of their CLOSEs: the later one is the file.
    const lock = handles.findUpload(path)?.lock ?? new TaskLock();
    return replyHandle(id, handles.add(newUploadHandle(upload, lock, isSet(openFlags.read))));
  },
};

/** A session reads its own uploads in progress, after the writes that came before. */
function openView({ lock, upload }: UploadHandle): Promise<Reader> {
  return lock.exclusive(() => Promise.resolve(upload.openView()));
}

/** Without WRITE, CREAT makes an empty file where there is none, as OpenSSH's server does: `open(path, O_RDONLY | O_CREAT)`. */
async function openReader(context: Context, args: OpenArgs): Promise<Reader> {
  const { path, flags } = args;
  if ((flags & openFlags.create) === 0) return context.space.openRead(path, context.left);
  if ((flags & openFlags.exclusive) !== 0) return createEmpty(context, args);
  try {
    return await context.space.openRead(path, context.left);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return createEmpty(context, args);
  }
}

async function createEmpty({ handles, intake, tally }: Context, { path, given }: OpenArgs): Promise<Reader> {
  if (handles.findUpload(path) !== null) throw new SpaceError('exists', `${path} is being uploaded in this session`);
  const options = { truncate: false, exclusive: true, create: true, append: false };
  const upload = await intake.begin(path, { ...options, attributes: given.attributes });
  await upload.finish();
  tally.filesReceived++;
  const entry = upload.entry();
  return { entry, read: async () => Buffer.alloc(0), checksum: async () => emptySha256, close: async () => {} };
}

const emptySha256 = createHash('sha256').digest('hex');

export const readFile: Handler<{ handle: Handle; offset: number; length: number }> = {
  read: (packet, { handles }) => ({
    handle: handles.find(packet.string()),
    offset: packet.u64(),
    length: Math.min(packet.u32(), mostTransferBytes),
  }),
  async run({ tally }, { handle, offset, length }, id) {
    const content = await readHandle(handle, offset, length);
    if (content.length === 0) return replyStatus(id, endStatus);
    tally.bytesSent += content.length;
    return replyData(id, content);
  },
};

/** Up to `length` bytes; none at the end. Throws SftpError `wrong_handle` on a handle that was not opened for reading. */
export async function readHandle(handle: Handle, offset: number, length: number): Promise<Buffer> {
  if (handle.kind === 'reader') {
    const content = await handle.reader.read(offset, length);
    handle.bytesRead += content.length;
    return content;
  }
  if (handle.kind === 'upload' && handle.readable) return handle.upload.read(offset, length);
  throw new SftpError('wrong_handle', 'READ on a handle that was not opened for reading');
}

export const writeFile: Handler<{ handle: Handle; offset: number; content: Buffer }> = {
  read: (packet, { handles }) => ({
    handle: handles.find(packet.string()),
    offset: packet.u64(),
    content: packet.string(),
  }),
  async run({ tally }, { handle, offset, content }, id) {
    await asUpload(handle, 'WRITE').upload.write(offset, content);
    tally.bytesReceived += content.length;
    return replyStatus(id, okStatus);
  },
};

export const closeFile: Handler<{ handle: Handle }> = {
  read: (packet, { handles }) => ({ handle: handles.take(packet.string()) }),
  async run({ tally, handles, isAborted }, { handle }, id) {
    if (handle.kind === 'reader') {
      await handle.reader.close();
      if (handle.bytesRead > 0) tally.filesSent++;
    } else if (handle.kind === 'upload') {
      const { upload } = handle;
      await (upload.isRemoved ? upload.abort() : upload.finish(() => !isAborted())).finally(() =>
        handles.forget(handle),
      );
      if (!upload.isRemoved) tally.filesReceived++;
    }
    return replyStatus(id, okStatus);
  },
};

export const statHandle: Handler<{ handle: Handle }> = {
  read: (packet, { handles }) => ({ handle: handles.find(packet.string()) }),
  run: async (context, { handle }, id) => replyAttributes(id, await entryOf(context, handle)),
};

export async function entryOf({ space }: Context, handle: Handle): Promise<Entry> {
  if (handle.kind === 'reader') return handle.reader.entry;
  return handle.kind === 'upload' ? handle.upload.entry() : space.stat(handle.path);
}

export const setHandleAttributes: Handler<{ handle: Handle; given: GivenAttributes }> = {
  read: (packet, { handles }) => ({ handle: handles.find(packet.string()), given: readAttributes(packet) }),
  async run(context, { handle, given }, id) {
    if (handle.kind === 'upload') {
      await setUploadAttributes(handle, given);
    } else {
      const { path, size } = await entryOf(context, handle);
      if (given.size !== null && given.size !== size)
        throw new SftpError('wrong_handle', 'FSETSTAT of the size on a handle that was not opened for writing');
      await context.space.setAttributes(path, given.attributes).catch(ignoreGone);
    }
    return replyStatus(id, okStatus);
  },
};

/** Another request may have removed the name of an open file: then its attributes no longer matter. */
function ignoreGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

function isNotFound(error: unknown): boolean {
  return error instanceof SpaceError && error.code === 'not_found';
}

/** Call it while holding the handle's task lock. */
export async function setUploadAttributes(handle: UploadHandle, { size, attributes }: GivenAttributes): Promise<void> {
  if (size !== null) await handle.upload.setSize(size);
  handle.upload.setAttributes(attributes);
}

/** fsync@openssh.com. */
export const syncFile: Handler<{ handle: Handle }> = {
  read: (packet, { handles }) => ({ handle: handles.find(packet.string()) }),
  async run(_context, { handle }, id) {
    await asUpload(handle, 'fsync').upload.sync();
    return replyStatus(id, okStatus);
  },
};

export function asUpload(handle: Handle, request: string): UploadHandle {
  if (handle.kind === 'upload') return handle;
  throw new SftpError('wrong_handle', `${request} on a handle that was not opened for writing`);
}
