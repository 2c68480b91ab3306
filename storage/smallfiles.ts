/**
 * Writes and syncs small files by a thread of their own. Each call of the file system goes to a thread and back, and this way costs more
 * than the call: so all calls for a file are one message, and all syncs of a batch.
 */
import { Worker } from 'node:worker_threads';
import { writeFile } from './destination.js';
import type { Disk } from './disk.js';
import type { FileAnswer, FileJob } from './filethread.js';

class ThreadEnded extends Error {
  override name = 'ThreadEnded';
  /** @param wasAsked it may have done the job; false: nobody has */
  constructor(readonly wasAsked: boolean) {
    super('the thread of small files has ended');
  }
}

interface Waiting {
  resolve(answer: FileAnswer): void;
  reject(error: Error): void;
}

export class SmallFiles {
  readonly #start: () => Worker;
  /** Started when it is needed, and again after it died. */
  #thread: Worker | null = null;
  /** false: it has ended without an answer, and is not started again. */
  #isUsable = true;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  /** @param start a thread that runs filethread.ts */
  constructor(start: () => Worker = startThread) {
    this.#start = start;
  }

  /** The disk with these calls. */
  extend(disk: Disk): Disk {
    return {
      ...disk,
      writeWhole: (path, bytes) => this.#write(disk, path, bytes),
      syncFiles: (paths) => this.#sync(paths),
    };
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  async #write(disk: Disk, path: string, bytes: Buffer): Promise<void> {
    const answer = await this.#ask((number) => ({ kind: 'write', number, path, bytes })).catch(asEnded);
    if (answer instanceof ThreadEnded) {
      // It may have made the file.
      if (answer.wasAsked) await disk.remove(path);
      await writeFile(disk, path, bytes);
    } else if (answer.error !== null) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
  }

  /** Of a thread that died nothing is known: one of its syncs may have failed, and the next one would succeed. */
  async #sync(paths: readonly string[]): Promise<string[] | null> {
    const answer = await this.#ask((number) => ({ kind: 'sync', number, paths })).catch(asEnded);
    if (!(answer instanceof ThreadEnded)) return [...answer.failed];
    return answer.wasAsked ? [...paths] : null;
  }

  #ask(make: (number: number) => FileJob): Promise<FileAnswer> {
    const number = this.#next++;
    return new Promise((resolve, reject) => {
      const thread = this.#isUsable ? this.#running() : null;
      if (thread === null) return reject(new ThreadEnded(false));
      this.#waiting.set(number, { resolve, reject });
      thread.ref();
      thread.postMessage(make(number));
    });
  }

  /** null: the system has no room for a thread now. */
  #running(): Worker | null {
    try {
      this.#thread ??= this.#begin();
    } catch {
      return null;
    }
    return this.#thread;
  }

  #begin(): Worker {
    const thread = this.#start();
    let hasAnswered = false;
    thread.on('message', (answer: FileAnswer) => {
      hasAnswered = true;
      this.#waiting.get(answer.number)?.resolve(answer);
      this.#waiting.delete(answer.number);
      // A process that has nothing else to do ends.
      if (this.#waiting.size === 0) thread.unref();
    });
    // One that failed also exits.
    thread.on('error', () => {});
    thread.once('exit', () => {
      this.#thread = null;
      this.#isUsable = hasAnswered;
      for (const { reject } of this.#waiting.values()) reject(new ThreadEnded(true));
      this.#waiting.clear();
    });
    return thread;
  }
}

function asEnded(error: unknown): ThreadEnded {
  if (error instanceof ThreadEnded) return error;
  throw error;
}

function startThread(): Worker {
  return new Worker(new URL('./filethread.js', import.meta.url));
}
