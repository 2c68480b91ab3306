/** The code of the thread of small files: each message is all calls of the file system for one file, or for many. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type MessagePort, parentPort } from 'node:worker_threads';

export type FileJob =
  /** Creates a file that only its owner reads and writes. */
  | { kind: 'write'; number: number; path: string; bytes: Uint8Array }
  | { kind: 'sync'; number: number; paths: readonly string[] };

export interface FileAnswer {
  /** Of the job. */
  number: number;
  /** Of a write; null: the file is there. */
  error: { code: string | undefined; message: string } | null;
  /** Of a sync: those that are not there, or whose sync failed. */
  failed: readonly string[];
}

function serve(port: MessagePort): void {
  const answer = (number: number, { error = null, failed = [] }: Partial<FileAnswer> = {}) =>
    port.postMessage({ number, error, failed } satisfies FileAnswer);
  port.on('message', (job: FileJob) => {
    if (job.kind === 'sync') void syncAll(job.paths).then((failed) => answer(job.number, { failed }));
    else answer(job.number, { error: write(job.path, job.bytes) });
  });
}

function write(path: string, bytes: Uint8Array): FileAnswer['error'] {
  try {
    const file = openSync(path, 'wx', 0o600);
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    } finally {
      closeSync(file);
    }
    return null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { code, message };
  }
}

/** A write that arrives meanwhile waits for one sync, and not for all. */
async function syncAll(paths: readonly string[]): Promise<string[]> {
  const failed: string[] = [];
  for (const path of paths) {
    if (!sync(path)) failed.push(path);
    await nextTurn();
  }
  return failed;
}

function sync(path: string): boolean {
  try {
    const file = openSync(path, 'r');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return true;
  } catch {
    return false;
  }
}

if (parentPort !== null) serve(parentPort);
