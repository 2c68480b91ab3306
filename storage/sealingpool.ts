/** A pool of threads that seal large uploads, so that the thread that serves clients does not wait for ciphers and hashes. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Block } from './block.js';
import { sealedChunkBytes } from './chunk.js';
import type { Sealer } from './sealer.js';
import type { Answer, Job } from './sealingthread.js';

/** One block is filled while another is sealed and a third one written; 6 MiB for each upload. */
const blocksPerUpload = 3;
const blockMemoryBytes = 32 * sealedChunkBytes;
/** Uploads that the pool seals at once; the thread that receives further uploads seals them. */
const maxUploads = 16;
const maxThreads = 4;

export interface SealingThreadsOptions {
  /** Starts a thread that runs sealingthread.ts. */
  start?: () => Worker;
  /** Default: one for each processor but one, up to four. */
  threads?: number;
}

export class SealingThreads {
  readonly #start: () => Worker;
  readonly #count: number;
  readonly #threads: Thread[] = [];
  /** Memory of ended uploads, to be used again. */
  readonly #spare: SharedArrayBuffer[] = [];
  #uploads = 0;

  constructor({ start = startThread, threads }: SealingThreadsOptions = {}) {
    this.#start = start;
    this.#count = threads ?? Math.min(maxThreads, availableParallelism() - 1);
  }

  /** null: the pool is full, and the caller seals by itself. */
  begin(key: Buffer): Sealer | null {
    if (this.#count === 0 || this.#uploads >= maxUploads) return null;
    this.#uploads++;
    const memory = this.#spare.pop() ?? new SharedArrayBuffer(blocksPerUpload * blockMemoryBytes);
    return this.#pick().begin(key, memory, () => {
      this.#uploads--;
      this.#spare.push(memory);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.stop()));
  }

  /** The thread with the fewest uploads. Threads are started when they are needed, and again after they died. */
  #pick(): Thread {
    const idle = this.#threads.find((thread) => thread.uploads === 0);
    if (idle !== undefined) return idle;
    if (this.#threads.length < this.#count) {
      const thread: Thread = new Thread(this.#start(), () => this.#threads.splice(this.#threads.indexOf(thread), 1));
      this.#threads.push(thread);
      return thread;
    }
    return this.#threads.reduce((least, thread) => (thread.uploads < least.uploads ? thread : least));
  }
}

class Thread {
  readonly #worker: Worker;
  readonly #uploads = new Map<number, ThreadSealer>();
  #next = 0;

  constructor(worker: Worker, onEnd: () => void) {
    this.#worker = worker;
    worker.unref(); // a process that has nothing else to do ends
    worker.on('message', ({ upload, sha256 }: Answer) => this.#uploads.get(upload)?.settle(sha256));
    // One that failed also exits.
    worker.on('error', () => {});
    worker.once('exit', () => {
      onEnd();
      for (const sealer of this.#uploads.values()) sealer.fail(new Error('the sealing thread ended'));
    });
  }

  get uploads(): number {
    return this.#uploads.size;
  }

  begin(key: Buffer, memory: SharedArrayBuffer, onEnd: () => void): Sealer {
    const upload = this.#next++;
    const post = (job: Job) => this.#worker.postMessage(job);
    const sealer = new ThreadSealer(upload, memory, post, () => {
      this.#uploads.delete(upload);
      onEnd();
    });
    this.#uploads.set(upload, sealer);
    post({ kind: 'begin', upload, key, memory });
    return sealer;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

class ThreadSealer implements Sealer {
  readonly #upload: number;
  readonly #post: (job: Job) => void;
  readonly #onEnd: () => void;
  /** The offset of each block in the shared memory. */
  readonly #starts = new Map<Block, number>();
  readonly #free: Block[] = [];
  readonly #takers: Waiting<Block>[] = [];
  readonly #asked: Waiting<string | null>[] = [];
  #failure: Error | null = null;
  #hasEnded = false;

  constructor(upload: number, memory: SharedArrayBuffer, post: (job: Job) => void, onEnd: () => void) {
    this.#upload = upload;
    this.#post = post;
    this.#onEnd = onEnd;
    for (let start = 0; start < memory.byteLength; start += blockMemoryBytes) {
      const block = new Block(Buffer.from(memory, start, blockMemoryBytes));
      this.#starts.set(block, start);
      this.#free.push(block);
    }
  }

  async take(): Promise<Block> {
    if (this.#failure !== null) throw this.#failure;
    return this.#free.pop() ?? new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
  }

  async seal(block: Block, first: number, isLast: boolean): Promise<void> {
    const place = { from: this.#starts.get(block)!, length: block.sealed.length };
    await this.#ask({ kind: 'seal', upload: this.#upload, ...place, first, isLast });
  }

  give(block: Block): void {
    block.clear();
    const taker = this.#takers.shift();
    if (taker === undefined) this.#free.push(block);
    else taker.resolve(block);
  }

  async digest(): Promise<string> {
    return (await this.#ask({ kind: 'digest', upload: this.#upload }))!;
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#post({ kind: 'end', upload: this.#upload });
    this.#onEnd();
  }

  /** Answers the oldest job without an answer. */
  settle(sha256: string | null): void {
    this.#asked.shift()?.resolve(sha256);
  }

  /** Rejects every job without an answer, and all later ones. */
  fail(failure: Error): void {
    this.#failure ??= failure;
    for (const { reject } of [...this.#asked.splice(0), ...this.#takers.splice(0)]) reject(failure);
  }

  async #ask(job: Job): Promise<string | null> {
    if (this.#failure !== null) throw this.#failure;
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.#post(job);
    });
  }
}

function startThread(): Worker {
  return new Worker(new URL('./sealingthread.js', import.meta.url));
}
