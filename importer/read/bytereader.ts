/** Takes exact numbers of bytes from a stream of chunks, and holds no more of it than was asked for. */

export class ByteReader {
  /** Bytes taken from the stream so far, without those that wait here. */
  consumed = 0;
  #ahead: Buffer[] = [];
  #aheadBytes = 0;
  readonly #chunks: AsyncIterator<Buffer>;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes, without taking them: fewer than `length` only at the end of the stream. */
  async peek(length: number): Promise<Buffer> {
    while (this.#aheadBytes < length && (await this.#pull()));
    if (this.#ahead.length > 1 && (this.#ahead[0]?.length ?? 0) < length) this.#ahead = [Buffer.concat(this.#ahead)];
    return (this.#ahead[0] ?? Buffer.alloc(0)).subarray(0, length);
  }

  /** null: the stream ends before. */
  async take(length: number): Promise<Buffer | null> {
    const bytes = await this.peek(length);
    if (bytes.length < length) return null;
    this.#drop(length);
    return bytes;
  }

  /** The next chunk, of at most `most` bytes; null: the stream has ended. */
  async next(most = Number.POSITIVE_INFINITY): Promise<Buffer | null> {
    while (this.#aheadBytes === 0) if (!(await this.#pull())) return null;
    const chunk = this.#ahead[0]!.subarray(0, most);
    this.#drop(chunk.length);
    return chunk;
  }

  /** Puts back bytes that were taken last. */
  unread(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#ahead.unshift(bytes);
    this.#aheadBytes += bytes.length;
    this.consumed -= bytes.length;
  }

  async *rest(): AsyncGenerator<Buffer> {
    for (let chunk = await this.next(); chunk !== null; chunk = await this.next()) yield chunk;
  }

  /** Ends the stream, also before its end. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #pull(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done === true) return false;
    if (value.length > 0) this.#ahead.push(value);
    this.#aheadBytes += value.length;
    return true;
  }

  #drop(length: number): void {
    const first = this.#ahead[0];
    if (first === undefined || length === 0) return;
    if (first.length === length) this.#ahead.shift();
    else this.#ahead[0] = first.subarray(length);
    this.#aheadBytes -= length;
    this.consumed += length;
  }
}
