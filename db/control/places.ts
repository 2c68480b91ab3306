/**
 * Places many files of one organization in a transaction: looks for their folders and for the names that are taken together, and
 * writes their rows in few calls.
 */
import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import { insertRows, openScript, type Script } from '../script.js';
import { type BlobRow, blobColumns } from './blobs.js';
import { entryColumns, freeName, type NewEntry, splitEntryPath } from './entries.js';
import { ensureAllFolders, findTakenNames } from './manyentries.js';
import { foldName, safeName } from './names.js';

/** A file that gets its first name. */
export type PlacedFile = Pick<NewEntry, 'blobId' | 'uploadId' | 'size' | 'mtimeMs'>;

/** Rows of one statement: SQLite and PostgreSQL limit the values that it may have. */
const batchRows = 200;

export class Places {
  readonly #tx: Queryable;
  readonly #org: string;
  /** Names that the database has or that were given here, as they are and folded, by folder. */
  readonly #taken: Map<string, Set<string>>;
  #blobs: ReturnType<typeof blobColumns>[] = [];
  #entries: ReturnType<typeof entryColumns>[] = [];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** More statements of the transaction, which run with those that write the rows. */
  readonly script: Script;

  private constructor(tx: Queryable, org: string, now: number, taken: Map<string, Set<string>>) {
    this.#tx = tx;
    this.#org = org;
    this.now = now;
    this.#taken = taken;
    this.script = openScript(tx, dialectOf(tx));
  }

  /** @param paths of all files that will be placed: their folders exist from here on. */
  static async open(tx: Queryable, org: string, paths: readonly string[], now: number): Promise<Places> {
    const names = new Map<string, string[]>();
    for (const path of new Set(paths)) {
      const { dir, name } = splitEntryPath(path);
      const others = names.get(dir) ?? [];
      names.set(dir, others);
      others.push(safeName(name));
    }
    await ensureAllFolders(tx, org, [...names.keys()], now);
    return new Places(tx, org, now, await findTakenNames(tx, org, names));
  }

  /** The place that a file gets: the path in its safe form, or with another name where that one is taken. */
  async take(path: string): Promise<{ dir: string; name: string }> {
    const { dir, name } = splitEntryPath(path);
    const taken = this.#taken.get(dir) ?? new Set();
    const safe = safeName(name);
    const isTaken = taken.has(safe) || taken.has(foldName(safe));
    const free = isTaken ? await freeName(this.#tx, this.#org, dir, name, taken) : safe;
    this.#taken.set(dir, taken.add(foldName(free)));
    return { dir, name: free };
  }

  /** Its row is written by `write`. */
  addBlob(blob: Omit<BlobRow, 'org' | 'createdAt'>): void {
    this.#blobs.push(blobColumns({ ...blob, org: this.#org, createdAt: this.now }));
  }

  /** Gives a file a name; the path that it gets. Its row is written by `write`. */
  async add(path: string, file: PlacedFile): Promise<string> {
    const place = await this.take(path);
    const times = { atimeMs: file.mtimeMs, createdAt: this.now };
    this.#entries.push(entryColumns({ org: this.#org, ...place, kind: 'file', mode: 0o644, ...file, ...times }));
    return `${place.dir}/${place.name}`;
  }

  /** Runs the script, and writes the rows. */
  async write(): Promise<void> {
    for (const [table, rows] of [
      ['blobs', this.#blobs],
      ['entries', this.#entries],
    ] as const)
      for (let from = 0; from < rows.length; from += batchRows)
        await insertRows(this.script, table, rows.slice(from, from + batchRows));
    this.#blobs = [];
    this.#entries = [];
    await this.script.flush();
  }
}
