/**
 * Owns the leases of a process's writers that do not truncate: an OPEN fails where a writer of another process has the file
 * and one of the two holds no key. Where no server without keys was seen lately, no lease is written.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db, Queryable } from '../db/connection.js';
import {
  deleteWriterLeases,
  insertWriterLease,
  isKeylessSeen,
  leaseMs,
  moveWriterLease,
  notedMs,
  noteKeyless,
  renewWriterLeases,
} from '../db/control/writerleases.js';
import { SpaceError } from '../storage/types.js';
import type { GroupCommit } from './groupcommit.js';

interface Deps {
  control: Db;
  commits: GroupCommit;
  now: () => number;
  /** It opens no published version: `serve --role intake`. */
  isKeyless: boolean;
  warn: (message: string, cause: unknown) => void;
  /** Names this process in the database. */
  process: string;
  /** Between two looks at the leases; default: two seconds. */
  everyMs?: number;
}

/** Of one open writer. */
export interface WriterLease {
  readonly id: string;
  readonly org: string;
  path: string;
  isKeyless: boolean;
  /** false: no server without keys is known, and no row is written. */
  isWritten: boolean;
  /** The transaction that ends it has begun: its row is not written again. */
  isFreed: boolean;
}

/** How long a server with keys believes that it is among its own kind, and looks at its open writers again. */
const defaultEveryMs = 2000;
const renewMs = leaseMs / 4;

export class WriterLeases {
  readonly #deps: Deps;
  readonly #everyMs: number;
  readonly #open = new Set<WriterLease>();
  #isKeyless: boolean;
  /** Its own time, which no change of the clock moves. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #isNeeded = false;
  #renewedAt = 0;
  #noted: { at: number; done: Promise<void> } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> | null = null;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#everyMs = deps.everyMs ?? defaultEveryMs;
    this.#isKeyless = deps.isKeyless;
  }

  /** A version could not be opened for want of a key. */
  noteWithoutKey(): void {
    this.#isKeyless = true;
  }

  /** Tells servers with keys ahead of the first writer that this one has none. */
  announce(): void {
    if (this.#isKeyless) void this.#noteKeyless().catch(() => {});
  }

  /** @throws SpaceError `written_elsewhere` */
  async take(org: string, path: string): Promise<WriterLease> {
    const isKeyless = this.#isKeyless;
    const lease = { id: randomBytes(8).toString('hex'), org, path, isKeyless, isWritten: false, isFreed: false };
    if (isKeyless) await this.#noteKeyless();
    if ((isKeyless || (await this.#look(false))) && !(await this.#write(lease))) throw writtenElsewhere(path);
    this.#open.add(lease);
    this.#timer ??= setInterval(() => this.#tick(), this.#everyMs).unref();
    return lease;
  }

  /** The file gets another name in the transaction. @throws SpaceError `written_elsewhere` */
  async move(tx: Queryable, lease: WriterLease, path: string): Promise<void> {
    if (!lease.isWritten) return;
    if (!(await moveWriterLease(tx, this.#row({ ...lease, path }), this.#deps.now()))) throw writtenElsewhere(path);
  }

  /** The writer has ended; its row was deleted, or could not be: then it ends by itself. */
  forget(lease: WriterLease): void {
    this.#open.delete(lease);
    if (this.#open.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Ends a lease that no writer has got. */
  async free(lease: WriterLease): Promise<void> {
    this.forget(lease);
    if (lease.isWritten) await this.#deps.commits.run((tx) => freeWriterLease(tx, lease));
  }

  /** false: another writer has the file. Commits of this process follow one another, so that none writes a row that one has freed. */
  #write(lease: WriterLease): Promise<boolean> {
    return this.#deps.commits.run(async (tx) => {
      if (lease.isFreed) return true;
      const isTaken = await insertWriterLease(tx, this.#row(lease), this.#deps.now());
      lease.isWritten ||= isTaken;
      return isTaken;
    });
  }

  #row({ id, org, path, isKeyless }: WriterLease) {
    return { id, process: this.#deps.process, org, path, isKeyless };
  }

  /** Where servers with keys did not know of one without, they get the time to learn of it. */
  #noteKeyless(): Promise<void> {
    const at = performance.now();
    if (this.#noted !== null && at - this.#noted.at < notedMs) return this.#noted.done;
    const { control, now } = this.#deps;
    const noted = {
      at,
      done: (async () => {
        if (!(await noteKeyless(control.write, now()))) await sleep(3 * this.#everyMs);
      })(),
    };
    this.#noted = noted;
    noted.done.catch(() => {
      this.#noted = null;
    });
    return noted.done;
  }

  /** Whether leases are needed. */
  async #look(isAnew: boolean): Promise<boolean> {
    if (this.#isNeeded && !isAnew) return true;
    const at = performance.now();
    if (isAnew || at - this.#lookedAt >= this.#everyMs) {
      this.#isNeeded = await isKeylessSeen(this.#deps.control.read, this.#deps.now());
      this.#lookedAt = at;
    }
    return this.#isNeeded;
  }

  #tick(): void {
    this.#round ??= this.#renew()
      .catch((cause) => this.#deps.warn('could not renew the leases of open files; will retry', cause))
      .finally(() => {
        this.#round = null;
      });
  }

  async #renew(): Promise<void> {
    const { control, now } = this.#deps;
    // Where another writer has the file, one of the two CLOSEs will fail.
    if (await this.#look(true)) for (const lease of [...this.#open]) if (!lease.isWritten) await this.#write(lease);
    const written = [...this.#open].filter(({ isWritten }) => isWritten);
    if (written.length === 0 || performance.now() - this.#renewedAt < renewMs) return;
    const ids = written.map(({ id }) => id);
    const found = await renewWriterLeases(control.write, ids, now());
    this.#renewedAt = performance.now();
    for (const lease of written) if (!found.has(lease.id)) await this.#write(lease);
  }
}

/** In the transaction that ends the writer. */
export async function freeWriterLease(tx: Queryable, lease: WriterLease | null): Promise<void> {
  if (lease === null) return;
  lease.isFreed = true;
  if (lease.isWritten) await deleteWriterLeases(tx, [lease.id]);
}

function writtenElsewhere(path: string): SpaceError {
  return new SpaceError('written_elsewhere', `${path} is open for writing on another server`);
}
