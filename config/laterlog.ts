/** Writes lines of the log after the answer to the request that they are about: no client waits for its line. */
import type { Logger } from './logger.js';

export class LaterLog {
  readonly #logger: Pick<Logger, 'info'>;
  #waiting: [message: string, detail: Record<string, unknown>][] = [];

  constructor(logger: Pick<Logger, 'info'>) {
    this.#logger = logger;
  }

  /** The line is written in the turn after the next one of the event loop, or when the process exits before that. */
  info(message: string, detail: Record<string, unknown>): void {
    this.#waiting.push([message, detail]);
    if (this.#waiting.length > 1) return;
    process.once('exit', this.#write);
    // Answers are gathered for one turn, and this line may have been noted before its answer.
    setImmediate(() => setImmediate(this.#write));
  }

  readonly #write = (): void => {
    process.off('exit', this.#write);
    const lines = this.#waiting;
    this.#waiting = [];
    for (const [message, detail] of lines) this.#logger.info(message, detail);
  };
}
