/** Writes pieces to a file in order, and limits the bytes that wait to be written. */
import type { DiskFile } from './disk.js';

/** Bytes that may wait while a batch of at most as many is being written. */
const maxWaitingBytes = 2 * 1024 * 1024;

interface Piece {
  bytes: Buffer;
  /** Called once, when its memory may be used again. */
  release: () => void;
}

export class FileWriter {
  readonly #file: DiskFile;
  #waiting: Piece[] = [];
  #waitingBytes = 0;
  #batch: Promise<void> | null = null;
  #failure: Error | null = null;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** Takes bytes in order, and calls `release` once they are written or given up: the caller must not change them before. */
  push(bytes: Buffer, release: () => void = () => {}): void {
    if (this.#failure !== null) {
      release();
      return;
    }
    this.#waiting.push({ bytes, release });
    this.#waitingBytes += bytes.length;
    this.#batch ??= this.#writeBatch();
  }

  /** Resolves, mostly at once, when more bytes may be pushed. Throws the error of an earlier write. */
  async room(): Promise<void> {
    while (this.#waitingBytes > maxWaitingBytes && this.#batch !== null) await this.#batch;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves when everything pushed so far was handed to the operating system. Throws the error of a write. */
  async drain(): Promise<void> {
    while (this.#batch !== null) await this.#batch;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves when no write is in progress, whether it succeeded or failed. */
  async settle(): Promise<void> {
    this.#failure ??= new Error('abandoned');
    while (this.#batch !== null) await this.#batch;
  }

  /** One system call for all pieces that were pushed during the last one. */
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
