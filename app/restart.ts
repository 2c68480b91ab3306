/** When a process that has ended starts again: soon after a long life, later and later after short ones. */

const longestDelayMs = 30_000;
/** After a process that ran this long, the next one starts after the shortest delay. */
const settledMs = 60_000;

export class Restart {
  readonly #firstDelayMs: number;
  #delayMs: number;
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;

  constructor(firstDelayMs: number) {
    this.#firstDelayMs = firstDelayMs;
    this.#delayMs = firstDelayMs;
  }

  /** No process starts any more. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /**
   * The delay before the next start, in ms, after a process that started at `startedAt` of the steady clock has ended; null: its work
   * was at fault, and not the process.
   */
  delayAfter(startedAt: number | null): number {
    const isShort = startedAt !== null && performance.now() - startedAt < settledMs;
    this.#delayMs = isShort ? Math.min(this.#delayMs * 2, longestDelayMs) : this.#firstDelayMs;
    return this.#delayMs;
  }

  /** Calls `start` after the last delay, if nothing stops it before. */
  again(start: () => void): void {
    if (!this.#isStopped) this.#timer = setTimeout(start, this.#delayMs);
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
