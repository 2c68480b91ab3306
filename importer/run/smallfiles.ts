/** The content of small files that a run has read: it reads each file two or three times, and to open one costs more than to read it. */

/** A larger file is read anew each time. */
export const smallBytes = 64 * 1024;
const mostBytes = 8 * 1024 ** 2;

export class SmallFiles {
  /** By upload, in the order in which they were kept. */
  readonly #kept = new Map<number, Buffer>();
  #bytes = 0;

  find(uploadId: number): Buffer | null {
    return this.#kept.get(uploadId) ?? null;
  }

  /** Forgets the oldest ones past a bound of memory. */
  keep(uploadId: number, content: Buffer): void {
    this.#kept.set(uploadId, content);
    this.#bytes += content.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#bytes <= mostBytes) return;
      this.#kept.delete(oldest);
      this.#bytes -= length;
    }
  }
}
