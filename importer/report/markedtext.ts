/** Writes a text into a sealed blob, with a byte order mark before it where it has letters outside ASCII. */
import type { ByteSink } from '../../keys/pgp/encrypt.js';
import { byteOrderMark, hasWideLetters } from './csv.js';

/** As much text waits until its first such letter; a longer text gets the mark in any case. */
const mostWaiting = 1024 * 1024;

export class MarkedText {
  readonly #writer: ByteSink;
  #waiting: string[] | null = [];
  #length = 0;

  /** @param isMarked whether it has the mark in any case. */
  constructor(writer: ByteSink, isMarked: boolean) {
    this.#writer = writer;
    if (isMarked) this.#length = mostWaiting;
  }

  async write(text: string): Promise<void> {
    if (this.#waiting === null) return this.#write(text);
    this.#waiting.push(text);
    this.#length += text.length;
    if (this.#length >= mostWaiting || hasWideLetters(text)) await this.#flush(byteOrderMark);
  }

  /** Call after the last text. */
  async end(): Promise<void> {
    if (this.#waiting !== null) await this.#flush('');
  }

  async #flush(mark: string): Promise<void> {
    const text = (this.#waiting ?? []).join('');
    this.#waiting = null;
    await this.#write(mark + text);
  }

  #write(text: string): Promise<void> {
    return this.#writer.write(Buffer.from(text));
  }
}
