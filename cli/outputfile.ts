/** Files that commands write: private, and complete or not at all. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** Writes or replaces a file with mode 0600; when `chunks` throws, the old file is unchanged. @returns bytes written */
export async function writePrivateFile(path: string, chunks: AsyncIterable<string>): Promise<number> {
  const target = resolve(path);
  const temporary = join(dirname(target), `.dropslot-${randomBytes(6).toString('hex')}`);
  const file = await open(temporary, 'wx', 0o600);
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
