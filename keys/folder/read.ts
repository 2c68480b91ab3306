/** Reads the folder of login keys that other programs fill: `<organization>/<name>.pub`. */
import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyError } from '../error.js';
import { type ParsedKey, parsePublicKeys } from '../login/publickeys.js';
import { narrow, type Terms } from './narrow.js';

export interface FolderProblem {
  /** Below the folder, `acme/hr.pub`; empty: the folder itself. */
  file: string;
  message: string;
}

export interface FolderKey extends ParsedKey {
  file: string;
}

export interface OrgFolder {
  keys: FolderKey[];
  /** Files that can't be used now: the keys that came from them are kept, and no key gets more rights. */
  broken: ReadonlySet<string>;
  /** Those of them that are being written: until they are complete no key is added either. */
  isBeingWritten: boolean;
  /** Files that were changed in place lately: their writer may pause, so that keys that they lack are kept. */
  resting: ReadonlySet<string>;
  /** The content of the broken files without blanks, to find a key in it. */
  brokenContent: readonly string[];
  /** The folder itself can't be listed: all keys that came from it are kept. */
  isUnreadable: boolean;
}

export interface FolderReading {
  /** absent: it does not exist. empty: it has no entry, as a folder whose volume is not mounted. */
  state: 'absent' | 'empty' | 'unreadable' | 'read';
  orgs: ReadonlyMap<string, OrgFolder>;
  problems: FolderProblem[];
  /** Milliseconds until a file that was written a moment ago has rested; null: all have. */
  restsInMs: number | null;
  /** The inode of each file when it could be used last. */
  inodes: ReadonlyMap<string, number>;
}

export interface ReadOptions {
  now: () => number;
  /** The time zone of an organization, for times in its files. */
  zoneOf(org: string): string;
  /** How long a file must be unchanged before it is read; five times that, before keys that it lacks are revoked. */
  restMs?: number;
  /** `inodes` of the last reading: a file with another one has replaced the old one, and was not written in place. */
  before?: ReadonlyMap<string, number>;
}

const mostBytes = 1024 * 1024;

/** A list of keys that ends at a line's end may be half written: its writer may have paused. */
const defaultRestMs = 2000;
const restFactor = 5;

/** Never throws. */
export async function readKeyFolder(root: string, options: ReadOptions): Promise<FolderReading> {
  const orgs = new Map<string, OrgFolder>();
  const problems: FolderProblem[] = [];
  const inodes = new Map<string, number>();
  const report = (file: string, message: string) => void problems.push({ file, message });
  const entries = await list(root);
  const nothing = { orgs, problems, inodes, restsInMs: null };
  if (!Array.isArray(entries)) {
    if (entries.code === 'ENOENT') return { state: 'absent', ...nothing };
    report('', `can't be read: ${entries.message}`);
    return { state: 'unreadable', ...nothing };
  }
  if (entries.length === 0) return { state: 'empty', ...nothing };
  const waits: number[] = [];
  for (const { name } of entries.filter((entry) => !entry.name.startsWith('.'))) {
    // Follows symbolic links: Kubernetes mounts its secrets by them.
    const found = await stat(join(root, name)).catch(() => null);
    if (found?.isDirectory()) orgs.set(name, await readOrgFolder(root, name, options, { report, inodes, waits }));
    else if (name.endsWith('.pub')) report(name, "is not in an organization's folder");
  }
  return { state: 'read', orgs, problems, inodes, restsInMs: waits.length === 0 ? null : Math.min(...waits) };
}

interface Notes {
  report(file: string, message: string): void;
  inodes: Map<string, number>;
  /** Milliseconds until a file has rested, one for each file that has not. */
  waits: number[];
}

async function readOrgFolder(root: string, org: string, options: ReadOptions, notes: Notes): Promise<OrgFolder> {
  const timeZone = options.zoneOf(org);
  const entries = await list(join(root, org));
  if (!Array.isArray(entries)) notes.report(org, `can't be read: ${entries.message}`);
  const names = Array.isArray(entries) ? entries.map((entry) => entry.name) : [];
  const found = new Map<string, FolderKey>();
  const folder = { broken: new Set<string>(), resting: new Set<string>(), brokenContent: [] as string[] };
  let isBeingWritten = false;
  for (const name of names.filter((one) => one.endsWith('.pub') && !one.startsWith('.')).sort()) {
    const file = `${org}/${name}`;
    let content = Buffer.alloc(0);
    try {
      const state = await readRested(join(root, org, name), file, options, notes);
      ({ content } = state);
      if (state.rest !== 'written') {
        if (state.rest === 'resting') folder.resting.add(file);
        for (const key of parsePublicKeys(content, { timeZone })) addKey(found, { ...key, file }, org);
        notes.inodes.set(file, state.inode);
        continue;
      }
      isBeingWritten = true;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'error';
      notes.report(file, error instanceof KeyError ? error.message : `can't be read: ${code}`);
    }
    const inode = options.before?.get(file);
    if (inode !== undefined) notes.inodes.set(file, inode);
    folder.broken.add(file);
    folder.brokenContent.push(content.toString('latin1').replace(/[\s\0>]/g, ''));
  }
  return { keys: [...found.values()], ...folder, isBeingWritten, isUnreadable: !Array.isArray(entries) };
}

/** written: it changed a moment ago, or while it was read. resting: it was changed in place lately. */
type Rest = 'written' | 'resting' | 'rested';

/** @throws KeyError, and the errors of node:fs */
async function readRested(
  path: string,
  file: string,
  { now, restMs = defaultRestMs, before }: ReadOptions,
  { waits }: Notes,
): Promise<{ content: Buffer<ArrayBuffer>; inode: number; rest: Rest }> {
  const found = await stat(path);
  // Reading a pipe or a device would never end.
  if (!found.isFile()) throw new KeyError('malformed', 'is no file');
  if (found.size > mostBytes) throw new KeyError('malformed', `larger than ${mostBytes} bytes`);
  const content = await readFile(path);
  const after = await stat(path);
  const inode = after.ino;
  const ageMs = now() - after.ctimeMs;
  const isChanging = after.ctimeMs !== found.ctimeMs || after.size !== content.length;
  // A time in the future says nothing.
  if (isChanging || (ageMs >= 0 && ageMs < restMs)) {
    waits.push(isChanging ? restMs : restMs - ageMs);
    return { content, inode, rest: 'written' };
  }
  const isInPlace = before?.get(file) === inode;
  if (!isInPlace || ageMs < 0 || ageMs >= restMs * restFactor) return { content, inode, rest: 'rested' };
  waits.push(restMs * restFactor - ageMs);
  return { content, inode, rest: 'resting' };
}

/** A key that several files have gets the narrowest of their terms. @throws KeyError */
function addKey(keys: Map<string, FolderKey>, key: FolderKey, org: string): void {
  const other = keys.get(key.fingerprint);
  if (other === undefined) {
    keys.set(key.fingerprint, key);
    return;
  }
  if (other.terms.isAuthority !== key.terms.isAuthority)
    throw new KeyError(
      'malformed',
      `the key ${key.fingerprint} is an authority in one of ${other.file} and ${key.file}, and a login key in the other`,
    );
  const { sources, expiresAt, permission, principals } = narrow(statedTerms(other), statedTerms(key), org);
  const terms = {
    ...other.terms,
    sources: sources.length === 0 ? null : sources,
    expiresAt,
    permission: permission ?? null,
    principals: principals ?? null,
  };
  keys.set(key.fingerprint, { ...other, terms });
}

/** The terms that a file states. */
export function statedTerms({ terms }: FolderKey): Terms {
  const { sources, expiresAt, permission, isAuthority, principals } = terms;
  return {
    sources: sources ?? [],
    expiresAt,
    ...(permission !== null && { permission }),
    ...(isAuthority && { principals }),
  };
}

async function list(folder: string): Promise<Dirent[] | NodeJS.ErrnoException> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}
