/** Checks that other users of this machine can read no private file, and finds partial files that a dead process left. */
import { readdirSync, type Stats, statSync } from 'node:fs';
import { chmod, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Paths, pathsOf } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import { listPartialIds } from '../../db/control/partials.js';
import { formatBytes } from '../format.js';
import type { Workplace } from '../workplace.js';
import { type Finding, type Mend, reporter } from './finding.js';

/** An upload in progress has a row; one that is just beginning has it within moments. */
const stalePartialMs = 24 * 60 * 60 * 1000;

/** The mode of each file of the databases, before this process opens them. */
export function readDatabaseModes(settings: Settings): Map<string, number> {
  const modes = new Map<string, number>();
  for (const file of listDatabaseFiles(pathsOf(settings), settings)) {
    const found = statOf(file);
    if (found !== null) modes.set(file, found.mode & 0o777);
  }
  return modes;
}

function listDatabaseFiles({ control, directory }: Paths, { database }: Pick<Settings, 'database'>): string[] {
  if (database !== 'sqlite') return [];
  return [control, directory].flatMap((file) => [file, `${file}-wal`, `${file}-shm`]);
}

/**
 * Databases, settings, keys and sealed files must be readable only by the user that the server runs as, and belong to it.
 * @param modes of the databases, before this process opened them: that closes them to others.
 * @param settingsFile null: there is none.
 */
export function examinePrivateFiles(
  { paths, settings }: Pick<Workplace, 'paths' | 'settings'>,
  modes: ReadonlyMap<string, number>,
  settingsFile: string | null,
  statFile: (path: string) => Pick<Stats, 'mode' | 'uid' | 'gid'> | null = statOf,
): Finding[] {
  const findings: Finding[] = [];
  const { auditLog } = settings;
  const files = new Set([
    ...listDatabaseFiles(paths, settings),
    ...(auditLog === undefined || auditLog === 'log' ? [] : [auditLog]),
    ...[settingsFile ?? join(paths.data, 'dropslot.json'), paths.nodeKey, paths.controlMark],
    ...listFolder(paths.partials).map((name) => join(paths.partials, name)),
  ]);
  const folder = statFile(paths.data);
  const owner = folder?.uid;
  for (const [list, wanted] of [
    [files, 0o600],
    [[paths.keys, paths.hostKeys, paths.blobs, paths.partials, paths.stage], 0o700],
  ] as const) {
    for (const path of list) {
      const found = statFile(path);
      if (found === null) continue;
      const report = reporter(findings, 'private_files', path);
      const mode = found.mode & 0o777;
      const before = modes.get(path) ?? mode;
      if (path === settingsFile && isOfPackage(path, found, paths.data, folder?.gid)) continue;
      const others = (before & 0o022) !== 0 ? 'change' : 'read';
      if ((mode & 0o077) !== 0)
        report(
          'wrong',
          `others may ${others} it (mode ${mode.toString(8)}): chmod ${wanted.toString(8)} ${path}`,
          closing(path, wanted),
        );
      else if ((before & 0o077) !== 0)
        report('mended', `others could ${others} it until now (mode ${before.toString(8)}): who had access before?`);
      // Outside of the data folder an administrator may own it.
      if (found.uid !== owner && path.startsWith(paths.data))
        report(
          'wrong',
          `it belongs to user ${found.uid}, and the data folder to user ${owner}, which may be unable to open it: chown ${owner} ${path}`,
        );
    }
  }
  return findings;
}

/** As a package installs settings outside of the data folder: an administrator's, which the group of the server reads. */
function isOfPackage(
  path: string,
  { mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'>,
  data: string,
  serverGid: number | undefined,
): boolean {
  return !path.startsWith(data) && uid === 0 && gid === serverGid && (mode & 0o137) === 0;
}

/** The repair of a private file or folder that others may read; `mode` as its owner needs it. */
export function closing(path: string, mode: number): Mend {
  return { what: `set mode ${mode.toString(8)} on ${path}`, act: () => chmod(path, mode) };
}

/** Partial files without a row: no upload writes to them, and no client can resume them. */
export async function examinePartials({ control, paths, now }: Workplace): Promise<Finding[]> {
  const findings: Finding[] = [];
  // With an object store the bytes of a partial are in the store, and a file here is one that an upload in progress fills.
  const known = new Set(paths.store === undefined ? await listPartialIds(control.read) : []);
  for (const name of listFolder(paths.partials).filter((one) => !known.has(one))) {
    const path = join(paths.partials, name);
    const found = statOf(path);
    if (found === null || now() - found.mtimeMs < stalePartialMs) continue;
    const report = reporter(findings, 'partials', path);
    report('warning', `an upload that was cut off left ${formatBytes(found.size)}: it may be removed`, {
      what: `remove ${path}`,
      act: () => unlink(path),
    });
  }
  return findings;
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // not made yet
  }
}

/** null: no such file. */
function statOf(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}
