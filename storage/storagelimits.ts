/** An organization's limits (its own, or else the settings'): stored bytes, files, and the length and depth of its paths. */
import type { Settings } from '../config/settings.js';
import type { Queryable } from '../db/connection.js';
import type { LimitName, Org } from '../db/control/orgs.js';
import { measureUsage, type StoredUsage } from '../db/control/usage.js';
import { hasControl } from './path.js';
import { SpaceError } from './types.js';

export type Limits = Pick<Settings, LimitName>;

export function limitsOf(org: Pick<Org, 'limits'>, settings: Limits): Limits {
  const { maxStoredBytes, maxFileBytes, maxFiles, maxFolderDepth, maxNameBytes } = settings;
  return { maxStoredBytes, maxFileBytes, maxFiles, maxFolderDepth, maxNameBytes, ...org.limits };
}

const nearShare = 0.9;

/** Whether an organization has at least 90 % of its storage, or of its files. */
export function isNearLimits({ bytes, entries }: StoredUsage, { maxStoredBytes, maxFiles }: Limits): boolean {
  return bytes >= nearShare * maxStoredBytes || entries >= nearShare * maxFiles;
}

/**
 * Checks a path before it is created, under a new name too.
 * @throws SpaceError `bad_name`, `control_character`
 */
export function checkPathLimits(path: string, { maxFolderDepth, maxNameBytes }: Limits): void {
  const names = path.split('/').slice(1);
  if (names.length > maxFolderDepth)
    throw new SpaceError('bad_name', `a path of ${names.length} names; ${maxFolderDepth} are allowed`);
  const longest = Math.max(...names.map((name) => Buffer.byteLength(name)));
  if (longest > maxNameBytes)
    throw new SpaceError('bad_name', `a name of ${longest} bytes; ${maxNameBytes} are allowed`);
  if (hasControl(path)) throw new SpaceError('control_character', `${JSON.stringify(path)} has a control character`);
}

/** Checks that there may be one more file or folder. @throws SpaceError `quota` */
export async function checkCount(tx: Queryable, org: Org, { maxFiles }: Limits): Promise<void> {
  if ((await measureUsage(tx, org.id)).entries >= maxFiles)
    throw new SpaceError('quota', `${org.id} has ${maxFiles} files and folders, as many as it may`);
}
