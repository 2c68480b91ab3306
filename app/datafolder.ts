/** Whether there is data in the data folder; a folder that this user may not look into is not taken for an empty one. */
import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemUser, userName } from '../config/environment.js';
import type { Paths } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { OperationError } from '../operations/error.js';

/**
 * PostgreSQL's schemas are made where they are missing.
 * @throws OperationError `unavailable` when another user owns the folder, and this one may not open it
 */
export function hasData({ database }: Pick<Settings, 'database'>, paths: Pick<Paths, 'control' | 'data'>): boolean {
  const control = look(paths.control);
  if (control === 'denied') throw denied(paths.data);
  if (control !== null) requireAccess(control, paths);
  return database !== 'sqlite' || control !== null;
}

/** Only the owner can open the databases, which are private: root can open all. */
function requireAccess({ uid, mode }: Stats, { data }: Pick<Paths, 'data'>): void {
  const own = process.geteuid?.() ?? uid;
  if (own !== 0 && own !== uid && (mode & 0o006) !== 0o006) throw denied(data);
}

function denied(data: string): OperationError {
  const [path, owner] = findOwner(data);
  const name = owner === null ? null : userName(owner.uid);
  const own = systemUser();
  const reason =
    name === null ? `${own} may not look into ${path}` : `${path} belongs to ${name}, and this command runs as ${own}`;
  const advice =
    name === null || name === own
      ? 'change its mode'
      : `run it as ${name}, for example with "sudo -u ${name} dropslot …"`;
  return new OperationError('unavailable', `can't open the data in ${data}: ${reason}; ${advice}`);
}

/** The folder itself, or the one above it that can be seen. */
function findOwner(path: string): [path: string, owner: Stats | null] {
  const found = look(path);
  if (found !== null && found !== 'denied') return [path, found];
  return dirname(path) === path ? [path, null] : findOwner(dirname(path));
}

/** null: no such file. `denied`: a folder above it is closed to this user. */
function look(path: string): Stats | 'denied' | null {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') return 'denied';
    if (code === 'ENOTDIR') return null;
    throw error;
  }
}
