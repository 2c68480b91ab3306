/** Checks that other users of this machine can read no private file, and finds partial files that a dead process left. */
import { readdirSync, type Stats, statSync } from 'node:fs';
import { chmod, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { listPartialIds } from '../../db/control/partials.js';
import { formatBytes } from '../format.js';
import type { Workplace } from '../workplace.js';
import { type Finding, type Mend, reporter } from './finding.js';

/** An upload in progress has a row; one that is just beginning has it within moments. */
const stalePartialMs = 24 * 60 * 60 * 1000;

/** Databases, settings, keys and sealed files must be readable only by the user that the server runs as. */
export function examinePrivateFiles({ paths, settings }: Workplace): Finding[] {
  const findings: Finding[] = [];
  const databases = settings.database === 'sqlite' ? [paths.control, paths.directory] : [];
  const files = [
    ...databases.flatMap((file) => [file, `${file}-wal`, `${file}-shm`]),
    join(paths.data, 'dropslot.json'),
    ...listFolder(paths.partials).map((name) => join(paths.partials, name)),
  ];
  for (const [list, wanted] of [
    [files, 0o600],
    [[paths.keys, paths.hostKeys, paths.blobs, paths.partials, paths.stage], 0o700],
  ] as const) {
    for (const path of list) {
      const found = statOf(path);
      if (found === null || (found.mode & 0o077) === 0) continue;
      const mode = (found.mode & 0o777).toString(8);
      const report = reporter(findings, 'private_files', path);
      report('wrong', `others may read it (mode ${mode}): chmod ${wanted.toString(8)} ${path}`, closing(path, wanted));
    }
  }
  return findings;
}

/** The repair of a private file or folder that others may read; `mode` as its owner needs it. */
export function closing(path: string, mode: number): Mend {
  return { what: `set mode ${mode.toString(8)} on ${path}`, act: () => chmod(path, mode) };
}

/** Partial files without a row: no upload writes to them, and no client can resume them. */
export async function examinePartials({ control, paths, now }: Workplace): Promise<Finding[]> {
  const findings: Finding[] = [];
  const known = new Set(await listPartialIds(control.read));
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
