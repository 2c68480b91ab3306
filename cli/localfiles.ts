/** Reads and writes the files that a command line names; a written file is private, and complete or not written at all. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
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
    throw new OperationError(code === 'ENOENT' ? 'not_found' : 'failed', `can't read ${file}: ${message}`, { cause });
  }
}

/** Writes or replaces a file with mode 0600; when `chunks` throws, the old file is unchanged. @returns bytes written @throws OperationError `failed` */
export async function writePrivateFile(path: string, chunks: AsyncIterable<string>): Promise<number> {
  const target = resolve(path);
  const temporary = join(dirname(target), `.dropslot-${randomBytes(6).toString('hex')}`);
  const file = await open(temporary, 'wx', 0o600).catch((cause: Error) => {
    throw new OperationError('failed', `can't write ${path}: ${cause.message}`, { cause });
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
