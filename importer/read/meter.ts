/** Measures how much has been read of the file that is read now, for the progress. */
import type { Progress } from '../types.js';
import type { Source } from './source.js';

export class ReadMeter {
  #read = 0;
  #bytes = 0;

  /** The source, packed and encrypted as it was sent: only its size is known beforehand. */
  watch(source: Source): Source {
    return { ...source, open: () => this.#count(source) };
  }

  /** With the share of the file, in the phases that read it. */
  measure(progress: Progress): Progress {
    const isReading = progress.phase === 'reading' || progress.phase === 'staging';
    if (!isReading || this.#bytes === 0) return progress;
    return { ...progress, share: Math.round((1000 * Math.min(this.#read, this.#bytes)) / this.#bytes) / 1000 };
  }

  async *#count(source: Source): AsyncGenerator<Buffer> {
    this.#read = 0;
    this.#bytes = source.bytes;
    for await (const piece of source.open()) {
      this.#read += piece.length;
      yield piece;
    }
  }
}
