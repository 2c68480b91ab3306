/** The access key from the files of the settings: read once in a while, and again when the store refuses the last one. */

export interface AccessKey {
  accessKeyId: string;
  secretAccessKey: string;
}

/** The files are read again after this time. */
const keepMs = 5 * 60_000;

export class AccessKeys {
  readonly #read: () => Promise<AccessKey>;
  readonly #now: () => number;
  #last: AccessKey | null = null;
  #readAt = 0;

  constructor(read: () => Promise<AccessKey>, now: () => number = () => performance.now()) {
    this.#read = read;
    this.#now = now;
  }

  /** null: none was read. */
  get last(): AccessKey | null {
    return this.#last;
  }

  /** @throws as `read` */
  async current(): Promise<AccessKey> {
    if (this.#last !== null && this.#now() - this.#readAt < keepMs) return this.#last;
    return this.#readNow();
  }

  /** Whether the files have another key than `refused`. false where they cannot be read: the refusal is told. */
  async hasOther(refused: AccessKey): Promise<boolean> {
    const found = this.#last === refused ? await this.#readNow().catch(() => null) : this.#last;
    if (found === null) return false;
    return found.accessKeyId !== refused.accessKeyId || found.secretAccessKey !== refused.secretAccessKey;
  }

  async #readNow(): Promise<AccessKey> {
    const readAt = this.#now();
    this.#last = await this.#read();
    this.#readAt = readAt;
    return this.#last;
  }
}
