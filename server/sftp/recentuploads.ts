/**
 * Remembers the uploads that a session has just finished. Clients stat a file and set its times after its CLOSE; an import
 * that began in between has moved it to the archive, and that must not look like a failed upload.
 */
import { isBelow, splitPath } from '../../storage/path.js';
import { type Attributes, type Entry, SpaceError } from '../../storage/types.js';

/** Most clients stat at once; rclone, the slowest, when all files of a batch are sent. */
const rememberMs = 60_000;
const mostEntries = 64;

export class RecentUploads {
  readonly #entries = new Map<string, { entry: Entry; at: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  remember(entry: Entry): void {
    this.#entries.delete(entry.path);
    this.#entries.set(entry.path, { entry, at: this.#now() });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > mostEntries) this.#entries.delete(oldest!);
  }

  /** null: none, or too long ago. */
  find(path: string): Entry | null {
    const found = this.#entries.get(path);
    const age = this.#now() - (found?.at ?? 0);
    return found !== undefined && age >= 0 && age < rememberMs ? found.entry : null;
  }

  /** Its own client has removed it. */
  forget(path: string): void {
    this.#entries.delete(path);
  }

  /** Its own client has renamed it, or a folder above it. */
  move(from: string, to: string): void {
    this.forget(to);
    for (const [path, { entry }] of [...this.#entries]) {
      if (path !== from && !isBelow(path, from)) continue;
      this.forget(path);
      const moved = to + path.slice(from.length);
      this.remember({ ...entry, path: moved, name: splitPath(moved).name });
    }
  }

  /** The result of `stat`; the remembered entry, when the file is gone now. */
  async statOrRecall(path: string, stat: () => Promise<Entry>): Promise<Entry> {
    return stat().catch((error) => {
      const found = isGone(error) ? this.find(path) : null;
      if (found === null) throw error;
      return found;
    });
  }

  /** Runs `set`; for a file that is gone meanwhile the attributes are only remembered. */
  async setOrRemember(path: string, attributes: Partial<Attributes>, set: () => Promise<void>): Promise<void> {
    return set().catch((error) => {
      const found = isGone(error) ? this.find(path) : null;
      if (found === null) throw error;
      this.remember({ ...found, ...attributes });
    });
  }
}

function isGone(error: unknown): boolean {
  return error instanceof SpaceError && error.code === 'not_found';
}
