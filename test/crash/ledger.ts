/** What clients have sent and what they were told: the promises that a server must keep, whatever kills it. */
import { createHash } from 'node:crypto';

export interface Sent {
  /** Under which it is to be imported. */
  path: string;
  /** null: it is sent to its final name at once. */
  temporary: string | null;
  content: Buffer;
  sha256: string;
  /** Users that the file creates; nobody else's file names them. */
  users: number;
  /**
   * sending: the CLOSE is not answered. stored: complete under its temporary name. renaming: the RENAME is not
   * answered. acknowledged: the client was told that it will be imported.
   */
  state: 'sending' | 'stored' | 'renaming' | 'acknowledged';
}

export class Ledger {
  readonly #sent = new Map<string, Sent>();
  #files = 0;

  /** @param domain of its users: with one for each ledger no content is in two of them */
  constructor(readonly domain = 'acme.test') {}

  /** Writes a new file of a random size; `random` gives numbers from 0 to below 1. */
  begin(path: string, temporary: string | null, random: () => number): Sent {
    const file = ++this.#files;
    // Most files are small; some have several sealed chunks.
    const users = random() < 0.08 ? 1000 + Math.floor(random() * 3000) : 1 + Math.floor(random() * 20);
    const rows = Array.from(
      { length: users },
      (_, user) => `f${file}-${user}@${this.domain},Person ${user} of ${file}`,
    );
    const content = Buffer.from(['User Email,User Name', ...rows, ''].join('\n'));
    const sha256 = createHash('sha256').update(content).digest('hex');
    const sent: Sent = { path, temporary, content, sha256, users, state: 'sending' };
    this.#sent.set(sha256, sent);
    return sent;
  }

  /** undefined: nobody sent this content. */
  find(sha256: string): Sent | undefined {
    return this.#sent.get(sha256);
  }

  all(): Iterable<Sent> {
    return this.#sent.values();
  }

  count(...states: Sent['state'][]): number {
    return [...this.#sent.values()].filter(({ state }) => states.includes(state)).length;
  }
}
