/** Writes pieces to a file one after the other, staying a bounded number of bytes behind whoever pushes them. */
import type { DiskFile } from './disk.js';

/** What may wait while a batch of at most as much is being written: both together are all that is kept. */
const maxWaitingBytes = 2 * 1024 * 1024;

interface Piece {
  bytes: Buffer;
  /** Called once, when nothing reads its memory any more. */
  release: () => void;
}

export class Sink {
  readonly #file: DiskFile;
  #waiting: Piece[] = [];
  #waitingBytes = 0;
  #batch: Promise<void> | null = null;
  #failure: Error | null = null;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** Takes bytes in order, and keeps them until they are written or given up: until `release` nobody may change them. */
  push(bytes: Buffer, release: () => void = () => {}): void {
    if (this.#failure !== null) {
      release();
      return;
    }
    this.#waiting.push({ bytes, release });
    this.#waitingBytes += bytes.length;
    this.#batch ??= this.#writeBatch();
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
      const { bytesWritten } = await this.#file.writev(pieces.map((piece) => piece.bytes));
      if (bytesWritten < bytes) throw new Error(`the disk took ${bytesWritten} of ${bytes} bytes`);
    } catch (cause) {
      this.#failure ??= cause as Error;
    }
    for (const piece of pieces) piece.release();
    if (this.#failure !== null) for (const piece of this.#waiting.splice(0)) piece.release();
    this.#batch = this.#waiting.length > 0 ? this.#writeBatch() : null;
  }
}
