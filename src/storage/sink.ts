/** Writes pieces to a file one after the other, staying a bounded number of bytes behind whoever pushes them. */
import type { DiskFile } from './disk.js';

/** What may wait while a batch of at most as much is being written: both together are all that is kept. */
const maxWaitingBytes = 2 * 1024 * 1024;

export class Sink {
  readonly #file: DiskFile;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #batch: Promise<void> | null = null;
  #failure: Error | null = null;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** Takes pieces in order, and keeps them until they are written: the caller must not change them. */
  push(pieces: readonly Buffer[]): void {
    for (const piece of pieces) {
      this.#waiting.push(piece);
      this.#waitingBytes += piece.length;
    }
    if (this.#batch === null && this.#failure === null) this.#batch = this.#writeBatch();
  }

  /** Resolves, at once in most cases, when there is room for more. Throws what an earlier write failed with. */
  async room(): Promise<void> {
    while (this.#waitingBytes > maxWaitingBytes && this.#batch !== null) await this.#batch;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves when everything pushed so far was handed to the operating system. Throws what a write failed with. */
  async drain(): Promise<void> {
    while (this.#batch !== null) await this.#batch;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves when no write is under way any more, whether they went well or not. */
  async settle(): Promise<void> {
    this.#failure ??= new Error('abandoned');
    while (this.#batch !== null) await this.#batch;
  }

  /** One system call for everything that came while the one before was under way. */
  async #writeBatch(): Promise<void> {
    const pieces = this.#waiting;
    const bytes = this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    try {
      const { bytesWritten } = await this.#file.writev(pieces);
      if (bytesWritten < bytes) throw new Error(`the disk took ${bytesWritten} of ${bytes} bytes`);
    } catch (cause) {
      this.#failure ??= cause as Error;
      this.#waiting = [];
    }
    this.#batch = this.#waiting.length > 0 && this.#failure === null ? this.#writeBatch() : null;
  }
}
