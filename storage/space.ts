/** One organization's virtual tree: rows of the control database, and four folders that always exist, three of them read-only. */
import type { Paths } from '../config/paths.js';
import type { Db, Queryable } from '../db/connection.js';
import { findBlob } from '../db/control/blobs.js';
import {
  deleteEntry,
  type EntryRow,
  findEntry,
  findEntryOfUpload,
  hasEntries,
  insertEntry,
  listEntries,
  lockEntry,
  updateEntry,
} from '../db/control/entries.js';
import { findMoved, forgetMoved, forgetMovedIn, type MovedName, updateMoved } from '../db/control/movednames.js';
import { findOrg, type Org } from '../db/control/orgs.js';
import { listPartials, type PartialRow, updatePartial } from '../db/control/partials.js';
import { dryRunRoot, readOnlyRoots } from '../db/control/treelayout.js';
import { measureUsage } from '../db/control/usage.js';
import { keyIdsOf } from '../keys/master/orgidentity.js';
import { openBlobOf } from './blobs.js';
import { placesOf, type StorePaths } from './blobstore.js';
import { asSpaceError } from './failure.js';
import { findOwnPartial, findShownPartial, listOwnPartials, openPartial } from './partials.js';
import { checkPath, compareNames, isFixed, isReadOnly, joinPath, requireWritable, splitPath } from './path.js';
import type { AheadShare } from './readahead.js';
import type { BlobReader } from './sealedreader.js';
import { checkCount, checkPathLimits, type Limits, limitsOf } from './storagelimits.js';
import { type Attributes, type Entry, type Reader, type Space, SpaceError, type SpaceUsage } from './types.js';

export interface SpaceDeps {
  control: Db;
  paths: Pick<Paths, 'blobs' | 'partials' | 'nodeKey'> & StorePaths;
  settings: Limits;
  org: Org;
  /** The organization's age identities as they are now, one a line; asked for when a file is read. */
  identity: () => Promise<string>;
  now: () => number;
  /** Memory in which its readers read ahead; default: as much as they need. */
  ahead?: AheadShare;
}

export function openSpace(deps: SpaceDeps): Space {
  return new OrgSpace(deps);
}

/** How an entry's row looks to clients; nothing in the read-only folders looks writable. */
function toEntry(row: EntryRow): Entry {
  const path = joinPath(row.dir, row.name);
  const writable = !isReadOnly(path);
  const { name, kind, size, mtimeMs, atimeMs } = row;
  return { path, name, kind, size, mode: writable ? row.mode : row.mode & ~0o222, mtimeMs, atimeMs, writable };
}

/** How clients see a partial: as a file of the size that a later upload may resume from. */
function toPartialEntry({ dir, name, size, mode, mtimeMs, atimeMs }: PartialRow): Entry {
  return { path: joinPath(dir, name), name, kind: 'file', size, mode, mtimeMs, atimeMs, writable: true };
}

/** How clients see a file that an import has just moved to the archive. */
function toMovedEntry({ dir, name, size, mode, mtimeMs, atimeMs }: MovedName): Entry {
  return { path: joinPath(dir, name), name, kind: 'file', size, mode, mtimeMs, atimeMs, writable: true };
}

/**
 * Makes sure that a folder exists until the transaction ends.
 * @throws SpaceError `not_found`, `not_a_folder`
 */
export async function requireFolder(tx: Queryable, org: string, path: string): Promise<void> {
  if (path === '/') return;
  const row = await lockEntry(tx, org, path);
  if (row === null && isFixed(path)) return;
  if (row === null) throw new SpaceError('not_found', `${path} does not exist`);
  if (row.kind !== 'dir') throw new SpaceError('not_a_folder', `${path} is a file`);
}

/** The archived file that an import has just taken from a name; null: none. */
export async function findJustArchived(
  { control, now }: Pick<SpaceDeps, 'control' | 'now'>,
  org: string,
  path: string,
): Promise<EntryRow | null> {
  const moved = await findMoved(control.read, org, path, now());
  return moved === null ? null : findEntryOfUpload(control.read, org, moved.uploadId);
}

class OrgSpace implements Space {
  readonly #deps: SpaceDeps;

  constructor(deps: SpaceDeps) {
    this.#deps = { ...deps, paths: placesOf(deps.paths, deps.org.id) };
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
      const partials = await listOwnPartials(this.#deps, this.org, path, afterName, limit);
      const entries = mergeEntries(rows.map(toEntry), partials.map(toPartialEntry), limit);
      return path === '/' ? this.#withRoots(entries, afterName, limit) : entries;
    });
  }

  openRead(path: string, signal?: AbortSignal): Promise<Reader> {
    return asSpaceError(async () => {
      checkPath(path);
      const { paths, identity, ahead } = this.#deps;
      for (;;) {
        const row = await this.#file(path);
        if ('state' in row) {
          const partial = await openPartial(this.#deps, row, { signal, ahead });
          return new EntryReader(toPartialEntry(row), partial, async () => null);
        }
        try {
          const blob = await openBlobOf(paths, row.blobId!, identity, { signal, ahead });
          return new EntryReader(toEntry(row), blob, () => this.#checksum(row));
        } catch (error) {
          // A newer version may have taken the name since the row was read, and the older one's bytes are gone.
          const latest = await this.#file(path);
          if ('state' in latest || latest.blobId === row.blobId) throw await this.#explain(row.blobId!, error);
        }
      }
    });
  }

  checksum(path: string): Promise<string | null> {
    return asSpaceError(async () => {
      checkPath(path);
      const row = await this.#file(path);
      return 'state' in row ? null : this.#checksum(row);
    });
  }

  measure(): Promise<SpaceUsage> {
    return asSpaceError(async () => {
      const { control, org, settings } = this.#deps;
      const { bytes: storedBytes, entries: files } = await measureUsage(control.read, org.id);
      const limits = limitsOf((await findOrg(control.read, org.id)) ?? org, settings);
      const { maxStoredBytes, maxFiles, maxNameBytes } = limits;
      return { maxStoredBytes, storedBytes, maxFiles, files, maxNameBytes };
    });
  }

  mkdir(path: string, attributes: Partial<Attributes>): Promise<void> {
    return asSpaceError(async () => {
      checkPath(path);
      if (isFixed(path)) throw new SpaceError('exists', `${path} exists`);
      requireWritable(path);
      const limits = limitsOf(this.#deps.org, this.#deps.settings);
      checkPathLimits(path, limits);
      const now = this.#deps.now();
      const times = { mtimeMs: attributes.mtimeMs ?? now, atimeMs: attributes.atimeMs ?? now, createdAt: now };
      const mode = (attributes.mode ?? 0o755) & 0o777;
      await this.#deps.control.transact(async (tx) => {
        await requireFolder(tx, this.org, splitPath(path).dir);
        await checkCount(tx, this.#deps.org, limits);
        const folder = { kind: 'dir' as const, blobId: null, uploadId: null, size: 0, mode, ...times };
        await insertEntry(tx, { org: this.org, ...splitPath(path), ...folder });
        await forgetMoved(tx, this.org, path);
      });
    });
  }

  rmdir(path: string): Promise<void> {
    return asSpaceError(async () => {
      requireWritable(path);
      if (isFixed(path)) throw new SpaceError('read_only', `${path} can't be removed`);
      await this.#deps.control.transact(async (tx) => {
        const row = await lockEntry(tx, this.org, path);
        if (row === null) throw new SpaceError('not_found', `${path} does not exist`);
        if (row.kind !== 'dir') throw new SpaceError('not_a_folder', `${path} is a file`);
        const isEmpty =
          !(await hasEntries(tx, this.org, path)) && (await listPartials(tx, this.org, path, null, 1)).length === 0;
        if (!isEmpty) throw new SpaceError('not_empty', `${path} is not empty`);
        await deleteEntry(tx, row.id);
        await forgetMovedIn(tx, this.org, path);
      });
    });
  }

  /** Those of folders that are always there are fixed, and setting them is let pass: a client that mirrors a folder counts a refusal as a failure. */
  setAttributes(path: string, attributes: Partial<Attributes>): Promise<void> {
    return asSpaceError(async () => {
      requireWritable(path);
      if (isFixed(path)) return;
      const { mode, mtimeMs, atimeMs } = attributes;
      const change = {
        ...(mtimeMs !== undefined && { mtimeMs }),
        ...(atimeMs !== undefined && { atimeMs }),
        ...(mode !== undefined && { mode: mode & 0o777 }),
      };
      const { read, write } = this.#deps.control;
      const row = await findEntry(read, this.org, path);
      if (row !== null) return updateEntry(write, row.id, change);
      const partial = await findOwnPartial(this.#deps, this.org, path);
      if (partial !== null) return updatePartial(write, partial.id, change);
      const moved = await findMoved(read, this.org, path, this.#deps.now());
      if (moved === null) throw new SpaceError('not_found', `${path} does not exist`);
      await updateMoved(write, moved.id, change);
    });
  }

  async #checksum({ blobId }: EntryRow): Promise<string | null> {
    return (await findBlob(this.#deps.control.read, blobId!))?.sha256 ?? null;
  }

  /** A file that was sealed to a destroyed identity is reported as destroyed, not as damaged. */
  async #explain(blobId: string, error: unknown): Promise<unknown> {
    const { control } = this.#deps;
    const sealedTo = (await findBlob(control.read, blobId))?.sealedTo;
    const org = await findOrg(control.read, this.org);
    if (sealedTo == null || org === null || keyIdsOf(org).includes(sealedTo)) return error;
    return new SpaceError('destroyed', `blob ${blobId} is sealed to an identity that was destroyed`, { cause: error });
  }

  async #file(path: string): Promise<EntryRow | PartialRow> {
    const row = await findEntry(this.#deps.control.read, this.org, path);
    if (row === null) {
      const partial = await findOwnPartial(this.#deps, this.org, path);
      if (partial !== null) return partial;
      const archived = await findJustArchived(this.#deps, this.org, path);
      if (archived !== null) return archived;
      throw await this.#absence(path);
    }
    if (row.kind !== 'file') throw new SpaceError('is_a_folder', `${path} is a folder`);
    return row;
  }

  async #stat(path: string): Promise<Entry> {
    checkPath(path);
    if (path === '/') return this.#fixedFolder('/');
    const row = await findEntry(this.#deps.control.read, this.org, path);
    if (row !== null) return toEntry(row);
    if (isFixed(path)) return this.#fixedFolder(path);
    const partial = await findShownPartial(this.#deps, this.org, path);
    if (partial !== null) return toPartialEntry(partial);
    const moved = await findMoved(this.#deps.control.read, this.org, path, this.#deps.now());
    if (moved !== null) return toMovedEntry(moved);
    throw await this.#absence(path);
  }

  /** A name below a file gets another error than a name that does not exist. */
  async #absence(path: string): Promise<SpaceError> {
    const { dir } = splitPath(path);
    if (isFixed(path)) return new SpaceError('is_a_folder', `${path} is a folder`);
    const parent = dir === '/' ? null : await findEntry(this.#deps.control.read, this.org, dir);
    if (parent?.kind === 'file') return new SpaceError('not_a_folder', `${dir} is a file`);
    return new SpaceError('not_found', `${path} does not exist`);
  }

  #withRoots(entries: Entry[], afterName: string | null, limit: number): Entry[] {
    const names = new Set(entries.map((entry) => entry.name));
    const roots = [...readOnlyRoots, dryRunRoot]
      .map((path) => this.#fixedFolder(path))
      .filter((entry) => !names.has(entry.name) && (afterName === null || compareNames(entry.name, afterName) > 0));
    return [...entries, ...roots].sort((one, other) => compareNames(one.name, other.name)).slice(0, limit);
  }

  #fixedFolder(path: string): Entry {
    const writable = !isReadOnly(path);
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

/** Merges two lists in the order of their names; a complete file hides a partial of the same name. */
function mergeEntries(entries: Entry[], partials: Entry[], limit: number): Entry[] {
  if (partials.length === 0) return entries;
  const names = new Set(entries.map((entry) => entry.name));
  return [...entries, ...partials.filter((entry) => !names.has(entry.name))]
    .sort((one, other) => compareNames(one.name, other.name))
    .slice(0, limit);
}

class EntryReader implements Reader {
  readonly entry: Entry;
  readonly #blob: BlobReader;
  readonly #checksum: () => Promise<string | null>;

  constructor(entry: Entry, blob: BlobReader, checksum: () => Promise<string | null>) {
    this.entry = entry;
    this.#blob = blob;
    this.#checksum = checksum;
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#blob.read(offset, length);
  }

  checksum(): Promise<string | null> {
    return asSpaceError(this.#checksum);
  }

  close(): Promise<void> {
    return this.#blob.close();
  }
}
