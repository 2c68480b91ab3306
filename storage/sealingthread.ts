/** The code of a sealing thread: seals and hashes blocks of uploads in memory that it gets from the thread that asks, and gives back. */
import { createHash, type Hash } from 'node:crypto';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { sealChunks } from './chunk.js';

/** `upload` numbers the uploads of one thread. Jobs of one upload are answered in their order. */
export type Job =
  | { kind: 'begin'; upload: number; key: Uint8Array }
  /** `length`: of the sealed chunks, at the start of `memory`. */
  | { kind: 'seal'; upload: number; memory: ArrayBuffer; length: number; first: number; isLast: boolean }
  | { kind: 'digest'; upload: number }
  | { kind: 'end'; upload: number };

/** To each `seal` and `digest`. */
export interface Answer {
  upload: number;
  /** Of the plaintext, hex; null: sealed. */
  sha256: string | null;
  /** Of the job; null: it had none. */
  memory: ArrayBuffer | null;
}

function work(port: MessagePort): void {
  const uploads = new Map<number, { key: Buffer; hash: Hash }>();
  port.on('message', (job: Job) => {
    const { kind, upload } = job;
    if (kind === 'begin') return uploads.set(upload, { key: Buffer.from(job.key), hash: createHash('sha256') });
    if (kind === 'end') return uploads.delete(upload);
    const { key, hash } = uploads.get(upload)!;
    if (kind === 'digest')
      return port.postMessage({ upload, sha256: hash.digest('hex'), memory: null } satisfies Answer);
    const { memory, length, first, isLast } = job;
    sealChunks(key, Buffer.from(memory, 0, length), first, isLast, hash);
    return port.postMessage({ upload, sha256: null, memory } satisfies Answer, [memory]);
  });
}

if (parentPort !== null) work(parentPort);
