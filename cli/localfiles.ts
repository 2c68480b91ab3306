/** Reads and writes the files that a command line names; a written file is private, and complete or not written at all, but for pipes and devices. */
import { randomBytes } from 'node:crypto';
import { constants, createWriteStream, readFileSync, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { OperationError } from '../operations/error.js';

/** The text of a file; `-` is standard input. @throws OperationError `not_found`, `failed` */
export function readInputFile(file: string): string {
  return readInputBytes(file).toString('utf8');
}

/** The same for a file that may be in another encoding. */
export function readInputBytes(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new OperationError(
      code === 'ENOENT' ? 'not_found' : 'failed',
      `can't read ${file}: ${failures[code ?? ''] ?? message}`,
      { cause },
    );
  }
}

const standardOutput = '/dev/stdout';
/** Of this process: the file behind it may be another program's too, and keeps its other bytes. `/dev/shm` has usual files. */
const descriptor = /^\/(dev\/(stdin|stdout|stderr|fd\/)|proc\/)/;

const failures: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
};

export interface Written {
  bytes: number;
  /** false: into a pipe, a terminal or another thing that is no file; the result of the command must not be mixed into it. */
  isFile: boolean;
}

/**
 * Writes or replaces a file with mode 0600, and makes its folder; when `chunks` throws, the old file is unchanged. The target of a link
 * is replaced, not the link. A FIFO, a terminal, `/dev/stdout` and everything else that is no regular file is written to as it is;
 * `-` is standard output.
 * @throws OperationError `refused` for a folder, a socket or a disk; `failed`
 */
export async function writePrivateFile(path: string, chunks: AsyncIterable<string>): Promise<Written> {
  const target = path === '-' ? standardOutput : resolve(path);
  const existing = await stat(target).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return null;
    throw cannotWrite(path, cause);
  });
  const refusal = existing === null ? null : describeRefusal(existing);
  if (refusal !== null) throw new OperationError('refused', `will not write to ${path}: ${refusal}`);
  const isFile = existing === null || (existing.isFile() && !descriptor.test(target));
  return { bytes: isFile ? await replaceFile(path, target, chunks) : await writeInto(path, target, chunks), isFile };
}

/** null: it can be written to. */
function describeRefusal(found: Stats): string | null {
  if (found.isDirectory()) return 'it is a folder; name a file in it';
  if (found.isSocket()) return 'it is a socket; name a file';
  return found.isBlockDevice() ? 'it is a disk; name a file' : null;
}

async function replaceFile(path: string, named: string, chunks: AsyncIterable<string>): Promise<number> {
  await mkdir(dirname(named), { recursive: true }).catch((cause: Error) => {
    throw cannotWrite(path, cause);
  });
  const target = await realpath(named).catch(() => named);
  const temporary = join(dirname(target), `.dropslot-${randomBytes(6).toString('hex')}`);
  const file = await open(temporary, 'wx', 0o600).catch((cause: Error) => {
    throw cannotWrite(path, cause);
  });
  try {
    const bytes = await writeAll(file, chunks);
    await rename(temporary, target);
    return bytes;
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
}

/** Appends: `> FILE` and `>> FILE` of a shell keep their meaning for `/dev/stdout`. */
async function writeInto(path: string, target: string, chunks: AsyncIterable<string>): Promise<number> {
  const stream = createWriteStream(target, { flags: constants.O_WRONLY | constants.O_APPEND } as never);
  let bytes = 0;
  const count = async function* () {
    for await (const chunk of chunks) {
      bytes += Buffer.byteLength(chunk);
      yield chunk;
    }
  };
  await pipeline(count, stream).catch((cause: NodeJS.ErrnoException) => {
    if (cause.syscall === undefined) throw cause;
    // As `| head` may end early on standard output.
    if (cause.code === 'EPIPE' && target === standardOutput) return;
    if (cause.code === 'EPIPE')
      throw new OperationError('failed', `the reader of ${path} ended before everything was written`);
    throw cannotWrite(path, cause);
  });
  return bytes;
}

function cannotWrite(path: string, cause: Error): OperationError {
  return new OperationError('failed', `can't write ${path}: ${cause.message}`, { cause });
}

async function writeAll(file: FileHandle, chunks: AsyncIterable<string>): Promise<number> {
  try {
    let bytes = 0;
    for await (const chunk of chunks) bytes += (await file.write(chunk)).bytesWritten;
    await file.sync();
    return bytes;
  } finally {
    await file.close();
  }
}

/** A text as `writePrivateFile` takes it. */
export async function* once(text: string): AsyncGenerator<string> {
  yield text;
}
