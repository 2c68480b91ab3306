/** The code of a sealing thread: seals and hashes blocks of uploads in memory that it shares with the thread that asks. */
import { createHash, type Hash } from 'node:crypto';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { sealChunks } from './chunk.js';

/** `upload` numbers the uploads of one thread. Jobs of one upload are answered in their order. */
export type Job =
  | { kind: 'begin'; upload: number; key: Uint8Array; memory: SharedArrayBuffer }
  /** `from` and `length`: where the sealed chunks will lie. */
  | { kind: 'seal'; upload: number; from: number; length: number; first: number; isLast: boolean }
  | { kind: 'digest'; upload: number }
  | { kind: 'end'; upload: number };

/** To each `seal` and `digest`. */
export interface Answer {
  upload: number;
  /** Of the plaintext, hex; null: sealed. */
  sha256: string | null;
}

function work(port: MessagePort): void {
  const uploads = new Map<number, { key: Buffer; memory: Buffer; hash: Hash }>();
  port.on('message', (job: Job) => {
    if (job.kind === 'begin')
      return uploads.set(job.upload, {
        key: Buffer.from(job.key),
        memory: Buffer.from(job.memory),
        hash: createHash('sha256'),
      });
    if (job.kind === 'end') return uploads.delete(job.upload);
    const { key, memory, hash } = uploads.get(job.upload)!;
    let sha256: string | null = null;
    if (job.kind === 'digest') sha256 = hash.digest('hex');
    else sealChunks(key, memory.subarray(job.from, job.from + job.length), job.first, job.isLast, hash);
    return port.postMessage({ upload: job.upload, sha256 } satisfies Answer);
  });
}

if (parentPort !== null) work(parentPort);
