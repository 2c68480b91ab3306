/** One organization's virtual tree: rows of the control database, with three read-only folders that are always there. */
import type { Paths } from '../config/paths.js';
import type { Db, Queryable } from '../db/connection.js';
import {
  deleteEntry,
  type EntryRow,
  findEntry,
  hasEntries,
  insertEntry,
  listEntries,
  lockEntry,
  updateEntry,
} from '../db/control/entries.js';
import type { Org } from '../db/control/orgs.js';
import { openBlob } from './blob.js';
import { asSpaceError } from './failure.js';
import { checkPath, compareNames, isReadOnly, joinPath, readOnlyRoots, requireWritable, splitPath } from './path.js';
import type { BlobReader } from './reader.js';
import { type Attributes, type Entry, type Reader, type Space, SpaceError } from './types.js';

export interface SpaceDeps {
  control: Db;
  paths: Pick<Paths, 'blobs'>;
  org: Org;
  /** The organization's age identity, as keys/identity opens it; asked for when a file is read. */
  identity: () => Promise<string>;
  now: () => number;
}

export function openSpace(deps: SpaceDeps): Space {
  return new OrgSpace(deps);
}

/** How an entry's row looks to clients; nothing in the read-only folders looks writable. */
export function toEntry(row: EntryRow): Entry {
  const path = joinPath(row.dir, row.name);
  const writable = !isReadOnly(path);
  const { name, kind, size, mtimeMs, atimeMs } = row;
  return { path, name, kind, size, mode: writable ? row.mode : row.mode & ~0o222, mtimeMs, atimeMs, writable };
}

/**
 * Makes sure that a folder is there, and stays while the transaction lasts.
 * @throws SpaceError `not_found`, `not_a_folder`
 */
export async function requireFolder(tx: Queryable, org: string, path: string): Promise<void> {
  if (path === '/') return;
  const row = await lockEntry(tx, org, path);
  if (row === null) throw new SpaceError('not_found', `${path} is not there`);
  if (row.kind !== 'dir') throw new SpaceError('not_a_folder', `${path} is a file`);
}

class OrgSpace implements Space {
  readonly #deps: SpaceDeps;

  constructor(deps: SpaceDeps) {
    this.#deps = deps;
  }

  get org(): string {
    return this.#deps.org.id;
  }

  stat(path: string): Promise<Entry> {
    return asSpaceError(() => this.#stat(path));
  }

  list(path: string, afterName: string | null, limit: number): Promise<Entry[]> {
    return asSpaceError(async () => {
      if ((await this.#stat(path)).kind !== 'dir') throw new SpaceError('not_a_folder', `${path} is a file`);
      const rows = await listEntries(this.#deps.control.read, this.org, path, afterName, limit);
      const entries = rows.map(toEntry);
      return path === '/' ? this.#withRoots(entries, afterName, limit) : entries;
    });
  }

  openRead(path: string): Promise<Reader> {
    return asSpaceError(async () => {
      checkPath(path);
      for (;;) {
        const row = await this.#file(path);
        const identity = await this.#deps.identity();
        try {
          return new EntryReader(toEntry(row), await openBlob(this.#deps.paths, row.blobId!, identity));
        } catch (error) {
          // A newer version may have taken the name since the row was read, and the older one's bytes are gone.
          if ((await this.#file(path)).blobId === row.blobId) throw error;
        }
      }
    });
  }

  mkdir(path: string, attributes: Partial<Attributes>): Promise<void> {
    return asSpaceError(async () => {
      checkPath(path);
      if (path === '/' || readOnlyRoots.includes(path)) throw new SpaceError('exists', `${path} exists`);
      requireWritable(path);
      const now = this.#deps.now();
      const times = { mtimeMs: attributes.mtimeMs ?? now, atimeMs: attributes.atimeMs ?? now, createdAt: now };
      const mode = (attributes.mode ?? 0o755) & 0o777;
      await this.#deps.control.write.transaction(async (tx) => {
        await requireFolder(tx, this.org, splitPath(path).dir);
        const folder = { kind: 'dir' as const, blobId: null, uploadId: null, size: 0, mode, ...times };
        await insertEntry(tx, { org: this.org, ...splitPath(path), ...folder });
      });
    });
  }

  rmdir(path: string): Promise<void> {
    return asSpaceError(async () => {
      if (path === '/') throw new SpaceError('read_only', 'the root stays');
      requireWritable(path);
      await this.#deps.control.write.transaction(async (tx) => {
        const row = await lockEntry(tx, this.org, path);
        if (row === null) throw new SpaceError('not_found', `${path} is not there`);
        if (row.kind !== 'dir') throw new SpaceError('not_a_folder', `${path} is a file`);
        if (await hasEntries(tx, this.org, path)) throw new SpaceError('not_empty', `${path} is not empty`);
        await deleteEntry(tx, row.id);
      });
    });
  }

  /** The root's are fixed, and setting them is let pass: a client that mirrors a folder counts a refusal as a failure. */
  setAttributes(path: string, attributes: Partial<Attributes>): Promise<void> {
    return asSpaceError(async () => {
      if (path === '/') return;
      requireWritable(path);
      const row = await findEntry(this.#deps.control.read, this.org, path);
      if (row === null) throw new SpaceError('not_found', `${path} is not there`);
      const { mode, mtimeMs, atimeMs } = attributes;
      const times = { ...(mtimeMs !== undefined && { mtimeMs }), ...(atimeMs !== undefined && { atimeMs }) };
      await updateEntry(this.#deps.control.write, row.id, {
        ...times,
        ...(mode !== undefined && { mode: mode & 0o777 }),
      });
    });
  }

  async #file(path: string): Promise<EntryRow> {
    const row = await findEntry(this.#deps.control.read, this.org, path);
    if (row === null) throw await this.#absence(path);
    if (row.kind !== 'file') throw new SpaceError('is_a_folder', `${path} is a folder`);
    return row;
  }

  async #stat(path: string): Promise<Entry> {
    checkPath(path);
    if (path === '/') return this.#fixedFolder('/');
    const row = await findEntry(this.#deps.control.read, this.org, path);
    if (row !== null) return toEntry(row);
    if (readOnlyRoots.includes(path)) return this.#fixedFolder(path);
    throw await this.#absence(path);
  }

  /** A name below a file is told apart from a name that is not there. */
  async #absence(path: string): Promise<SpaceError> {
    const { dir } = splitPath(path);
    if (path === '/' || readOnlyRoots.includes(path)) return new SpaceError('is_a_folder', `${path} is a folder`);
    const parent = dir === '/' ? null : await findEntry(this.#deps.control.read, this.org, dir);
    if (parent?.kind === 'file') return new SpaceError('not_a_folder', `${dir} is a file`);
    return new SpaceError('not_found', `${path} is not there`);
  }

  #withRoots(entries: Entry[], afterName: string | null, limit: number): Entry[] {
    const names = new Set(entries.map((entry) => entry.name));
    const roots = readOnlyRoots
      .map((path) => this.#fixedFolder(path))
      .filter((entry) => !names.has(entry.name) && (afterName === null || compareNames(entry.name, afterName) > 0));
    return [...entries, ...roots].sort((one, other) => compareNames(one.name, other.name)).slice(0, limit);
  }

  #fixedFolder(path: string): Entry {
    const writable = path === '/';
    const { createdAt } = this.#deps.org;
    const times = { mtimeMs: createdAt, atimeMs: createdAt };
    return {
      path,
      name: path === '/' ? '/' : splitPath(path).name,
      kind: 'dir',
      size: 0,
      mode: writable ? 0o755 : 0o555,
      ...times,
      writable,
    };
  }
}

class EntryReader implements Reader {
  readonly entry: Entry;
  readonly #blob: BlobReader;

  constructor(entry: Entry, blob: BlobReader) {
    this.entry = entry;
    this.#blob = blob;
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#blob.read(offset, length);
  }

  close(): Promise<void> {
    return this.#blob.close();
  }
}
