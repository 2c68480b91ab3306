/** Reads the folder of login keys that other programs fill: `<organization>/<name>.pub`. */
import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyError } from '../error.js';
import { type ParsedKey, parsePublicKeys } from '../login/publickeys.js';

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
  /** Files that can't be used now: the keys that came from them are kept. */
  broken: ReadonlySet<string>;
  /** The folder itself can't be listed: all keys that came from it are kept. */
  isUnreadable: boolean;
}

export interface FolderReading {
  /** absent: it does not exist. empty: it has no entry, as a folder whose volume is not mounted. */
  state: 'absent' | 'empty' | 'unreadable' | 'read';
  orgs: ReadonlyMap<string, OrgFolder>;
  problems: FolderProblem[];
  /** false: a file was written a moment ago, and may not be whole yet. Read again soon. */
  isSettled: boolean;
}

const mostBytes = 1024 * 1024;

/** A file that changed this recently may be half written: a list of keys that ends at a line's end is no error. */
const settleMs = 250;

/** `zoneOf`: the time zone of an organization, for times in its files. Never throws. */
export async function readKeyFolder(
  root: string,
  { now, zoneOf }: { now: () => number; zoneOf: (org: string) => string },
): Promise<FolderReading> {
  const reading = { orgs: new Map<string, OrgFolder>(), problems: [] as FolderProblem[], isSettled: true };
  const report = (file: string, message: string) => void reading.problems.push({ file, message });
  const entries = await list(root);
  if (!Array.isArray(entries)) {
    if (entries.code === 'ENOENT') return { state: 'absent', ...reading };
    report('', `can't be read: ${entries.message}`);
    return { state: 'unreadable', ...reading };
  }
  if (entries.length === 0) return { state: 'empty', ...reading };
  for (const { name } of entries.filter((entry) => !entry.name.startsWith('.'))) {
    // Follows symbolic links: Kubernetes mounts its secrets by them.
    const found = await stat(join(root, name)).catch(() => null);
    if (found?.isDirectory()) {
      const { folder, isSettled } = await readOrgFolder(root, name, now, zoneOf(name), report);
      reading.orgs.set(name, folder);
      reading.isSettled &&= isSettled;
    } else if (name.endsWith('.pub')) {
      report(name, "is not in an organization's folder");
    }
  }
  return { state: 'read', ...reading };
}

async function readOrgFolder(
  root: string,
  org: string,
  now: () => number,
  timeZone: string,
  report: (file: string, message: string) => void,
): Promise<{ folder: OrgFolder; isSettled: boolean }> {
  const keys = new Map<string, FolderKey>();
  const broken = new Set<string>();
  let isSettled = true;
  const entries = await list(join(root, org));
  if (!Array.isArray(entries)) report(org, `can't be read: ${entries.message}`);
  const names = Array.isArray(entries) ? entries.map((entry) => entry.name) : [];
  for (const name of names.filter((one) => one.endsWith('.pub') && !one.startsWith('.')).sort()) {
    const file = `${org}/${name}`;
    try {
      const path = join(root, org, name);
      const found = await stat(path);
      // Reading a pipe or a device would never end.
      if (!found.isFile()) throw new KeyError('malformed', 'is no file');
      const { size, ctimeMs } = found;
      const ageMs = now() - ctimeMs;
      if (ageMs >= 0 && ageMs < settleMs) {
        isSettled = false;
        broken.add(file);
        continue;
      }
      if (size > mostBytes) throw new KeyError('malformed', `larger than ${mostBytes} bytes`);
      for (const key of parsePublicKeys(await readFile(path), { timeZone }))
        if (!keys.has(key.fingerprint)) keys.set(key.fingerprint, { ...key, file });
    } catch (error) {
      broken.add(file);
      const isKeyError = error instanceof KeyError;
      report(file, isKeyError ? error.message : `can't be read: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
    }
  }
  return { folder: { keys: [...keys.values()], broken, isUnreadable: !Array.isArray(entries) }, isSettled };
}

async function list(folder: string): Promise<Dirent[] | NodeJS.ErrnoException> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}
