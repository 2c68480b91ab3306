/** Checks login keys: usable and unused keys, expiry dates, and the folder `keys.d`, its permissions and changes not yet applied. */
import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { planFolder } from '../../keys/folder/plan.js';
import { type FolderReading, readKeyFolder } from '../../keys/folder/read.js';
import { formatTime } from '../format.js';
import { remarkKeys, stateOfKey } from '../keyterms.js';
import type { Workplace } from '../workplace.js';
import { type Finding, reporter } from './finding.js';
import type { OrgRows } from './orgrows.js';

type Report = ReturnType<typeof reporter>;

const soonMs = 30 * 24 * 60 * 60 * 1000;

export function examineLoginKeys(now: number, org: Org, { loginKeys: keys, sources }: OrgRows, report: Report): void {
  const usable = keys.filter((key) => stateOfKey(key, now) === 'usable');
  if (usable.length === 0 && sources.length === 0)
    report('warning', `no key can log in: dropslot keys add ${org.id} FILE`);
  for (const remark of remarkKeys(keys, now)) report('warning', remark.replace(/\.$/, ''));
  for (const key of usable) {
    const { fingerprint, expiresAt, lastUsedAt, createdAt, replacedBy } = key;
    if (expiresAt !== null && replacedBy === null && expiresAt - now < soonMs)
      report('warning', `the key ${fingerprint} expires at ${formatTime(expiresAt)}`);
    if (lastUsedAt === null && now - createdAt > soonMs)
      report('warning', `the key ${fingerprint} was never used since ${formatTime(createdAt)}: is it needed?`);
  }
}

/** Reports the problems and changes that the server would find in `keys.d`, and applies nothing. No folder: no findings. */
export async function examineKeyFolder(workplace: Workplace): Promise<Finding[]> {
  const { control, paths, now, settings } = workplace;
  const findings: Finding[] = [];
  if (settings.role === 'import') return findings;
  const zones = new Map((await listOrgs(control.read)).map((org) => [org.id, org.timeZone]));
  const reading = await readKeyFolder(paths.loginKeys, { now, zoneOf: (org) => zones.get(org) ?? 'utc' });
  const { actions, problems } = await planFolder(control.read, reading, null);
  for (const { file, message } of problems)
    reporter(findings, 'login_keys', file === '' ? paths.loginKeys : `${paths.loginKeys}/${file}`)('wrong', message);
  for (const path of pathsIn(paths.loginKeys, reading)) {
    const others = findWriters(path, paths.data);
    if (others !== null) reporter(findings, 'login_keys', path)('warning', others);
  }
  const report = reporter(findings, 'login_keys', paths.loginKeys);
  if (actions.length > 0)
    report('warning', `changes that are not applied: ${actions.length}; is "dropslot serve" running?`);
  if (findings.length === 0 && reading.state === 'read') {
    const count = [...reading.orgs.values()].reduce((sum, { keys }) => sum + keys.length, 0);
    report('ok', `applied: ${count} login keys of ${reading.orgs.size} organizations`);
  }
  return findings;
}

/** The paths whose content grants logins: the folder, those of organizations, and their files, also those that can't be used now. */
function pathsIn(root: string, { state, orgs }: FolderReading): string[] {
  if (state === 'empty') return [root];
  if (state !== 'read') return [];
  const names = [...orgs].flatMap(([org, { keys, broken }]) => [
    org,
    ...new Set([...keys.map(({ file }) => file), ...broken]),
  ]);
  return [root, ...names.map((name) => join(root, name))];
}

/** Who else can add a login key there, and the command that prevents it; null: only the owner, root and the data folder's owner. */
export function findWriters(
  path: string,
  data: string,
  statFile: (path: string) => Pick<Stats, 'mode' | 'uid' | 'gid'> | undefined = (one) =>
    statSync(one, { throwIfNoEntry: false }),
): string | null {
  const found = statFile(path);
  if (found === undefined || isReadOnly(path)) return null;
  const { mode, uid, gid } = found;
  if ((mode & 0o002) !== 0) return `any user of this machine can add a login key there: chmod o-w ${path}`;
  if ((mode & 0o020) !== 0)
    return `every member of the group ${gid} can add a login key there: chmod g-w ${path}, unless that is intended`;
  const owner = statFile(data)?.uid;
  if (uid === 0 || uid === owner) return null;
  return `it belongs to user ${uid}, who can add a login key there: chown ${owner} ${path}, unless that is intended`;
}

/** Kubernetes mounts secrets with every right, and read-only. */
function isReadOnly(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS';
  }
}
