/** A pool of threads that seal large uploads, so that the thread that serves clients does not wait for ciphers and hashes. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Block } from './block.js';
import { sealedChunkBytes } from './chunk.js';
import type { Sealer } from './sealer.js';
import type { Answer, Job } from './sealingthread.js';

/** One block is filled while another is sealed and a third one written; up to 6 MiB for each upload. */
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
  readonly #spare: ArrayBuffer[] = [];
  #uploads = 0;

  constructor({ start = startThread, threads }: SealingThreadsOptions = {}) {
    this.#start = start;
    this.#count = threads ?? Math.min(maxThreads, availableParallelism() - 1);
  }

  /** null: the pool is full, or the system has no room for a thread, and the caller seals by itself. */
  begin(key: Buffer): Sealer | null {
    if (this.#count === 0 || this.#uploads >= maxUploads) return null;
    const thread = this.#pick();
    if (thread === null) return null;
    this.#uploads++;
    return thread.begin(key, {
      allocate: () => this.#spare.pop() ?? new ArrayBuffer(blockMemoryBytes),
      onEnd: (memories) => {
        this.#uploads--;
        this.#spare.push(...memories);
      },
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.stop()));
  }

  /** The thread with the fewest uploads. Threads are started when they are needed, and again after they died. */
  #pick(): Thread | null {
    const idle = this.#threads.find((thread) => thread.uploads === 0);
    if (idle !== undefined) return idle;
    if (this.#threads.length < this.#count) {
      let worker: Worker;
      try {
        worker = this.#start();
      } catch {
        return null;
      }
      const thread: Thread = new Thread(worker, () => this.#threads.splice(this.#threads.indexOf(thread), 1));
      this.#threads.push(thread);
      return thread;
    }
    return this.#threads.reduce((least, thread) => (thread.uploads < least.uploads ? thread : least));
  }
}

interface Pool {
  allocate(): ArrayBuffer;
  /** Called once, with the memory that the upload no longer needs. */
  onEnd(memories: readonly ArrayBuffer[]): void;
}

class Thread {
  readonly #worker: Worker;
  readonly #uploads = new Map<number, ThreadSealer>();
  #next = 0;

  constructor(worker: Worker, onEnd: () => void) {
    this.#worker = worker;
    worker.unref(); // a process that has nothing else to do ends
    worker.on('message', (answer: Answer) => this.#uploads.get(answer.upload)?.settle(answer));
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

  begin(key: Buffer, { allocate, onEnd }: Pool): Sealer {
    const upload = this.#next++;
    const post = (job: Job) => this.#worker.postMessage(job, job.kind === 'seal' ? [job.memory] : []);
    const pool: Pool = {
      allocate,
      onEnd: (memories) => {
        this.#uploads.delete(upload);
        onEnd(memories);
      },
    };
    const sealer = new ThreadSealer(upload, post, pool);
    this.#uploads.set(upload, sealer);
    post({ kind: 'begin', upload, key });
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
  readonly #pool: Pool;
  readonly #blocks: Block[] = [];
  readonly #free: Block[] = [];
  readonly #takers: Waiting<Block>[] = [];
  readonly #asked: Waiting<Answer>[] = [];
  #failure: Error | null = null;
  #hasEnded = false;

  constructor(upload: number, post: (job: Job) => void, pool: Pool) {
    this.#upload = upload;
    this.#post = post;
    this.#pool = pool;
  }

  async take(): Promise<Block> {
    if (this.#failure !== null) throw this.#failure;
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#blocks.length < blocksPerUpload) {
      const block = new Block(Buffer.from(this.#pool.allocate()));
      this.#blocks.push(block);
      return block;
    }
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
  }

  async seal(block: Block, first: number, isLast: boolean): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const { length } = block.sealed;
    const { memory } = await this.#ask({
      kind: 'seal',
      upload: this.#upload,
      memory: block.detach(),
      length,
      first,
      isLast,
    });
    block.attach(memory!);
  }

  give(block: Block): void {
    block.clear();
    const taker = this.#takers.shift();
    if (taker === undefined) this.#free.push(block);
    else taker.resolve(block);
  }

  async digest(): Promise<string> {
    return (await this.#ask({ kind: 'digest', upload: this.#upload })).sha256!;
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#post({ kind: 'end', upload: this.#upload });
    // A thread that died has kept what it had.
    this.#pool.onEnd(this.#blocks.filter((block) => block.isAttached).map((block) => block.detach()));
  }

  /** Answers the oldest job without an answer. */
  settle(answer: Answer): void {
    this.#asked.shift()?.resolve(answer);
  }

  /** Rejects every job without an answer, and all later ones. */
  fail(failure: Error): void {
    this.#failure ??= failure;
    for (const { reject } of [...this.#asked.splice(0), ...this.#takers.splice(0)]) reject(failure);
  }

  async #ask(job: Job): Promise<Answer> {
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
