/** The watched folders of organizations: adding one. */
import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { isAbsolute, sep } from 'node:path';
import { type FolderConfig, findSource, insertSource, listSources, type Source } from '../db/control/sources.js';
import { SourceError } from '../sources/error.js';
import { type HolderSight, holderSight } from '../sources/folder/holders.js';
import { examineFolder } from '../sources/folder/place.js';
import { auditDoor, readAfter, readInto, readPatterns, requireRoom } from './doors.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

/** The values as they are written on the command line; undefined: not given. */
export interface FolderChoice {
  afterImport?: string | undefined;
  patterns?: readonly string[] | undefined;
  into?: string | undefined;
  poll?: boolean | undefined;
  marker?: string | undefined;
}

/** @throws OperationError */
export async function addFolder(place: Workplace, orgId: string, dir: string, choice: FolderChoice): Promise<Source> {
  const org = await place.org(orgId);
  await requireRoom(place, org);
  if (!isAbsolute(dir)) throw new OperationError('usage', `name the folder by its whole path: "${dir}" is relative`);
  const found = await examineFolder(dir).catch((error: Error) => {
    throw error instanceof SourceError ? new OperationError('failed', error.message, { cause: error }) : error;
  });
  await requireOwn(place, found.dir);
  const config: FolderConfig = {
    kind: 'folder',
    ...found,
    patterns: readPatterns(choice.patterns ?? []),
    after: readAfter(choice.afterImport ?? 'keep', 'folder'),
    into: readInto(choice.into ?? '/'),
    poll: choice.poll === true,
    marker: choice.marker === undefined ? null : readMarker(choice.marker),
  };
  await requireAccess(config);
  const source = {
    org: org.id,
    config,
    secret: null,
    state: 'active',
    nextAt: place.now(),
    createdAt: place.now(),
  } as const;
  const id = await place.control.transact(async (tx) => {
    const made = await insertSource(tx, source);
    const { after, poll, marker } = config;
    await auditDoor(tx, place, { ...source, id: made }, 'added', { dir: config.dir, after: after.kind, poll, marker });
    return made;
  });
  return (await findSource(place.control.read, id))!;
}

/** How far this machine tells which files are open, in words. */
export function describeSight(sight: HolderSight = holderSight()): string {
  if (sight === 'all') return 'of all processes of this machine';
  if (sight === 'own') return 'only of the processes that run as the same user as Dropslot';
  return 'not known on this system: a file enters when it stops growing';
}

/** Its files would enter two trees, or Dropslot's own files would. */
async function requireOwn({ control, paths }: Workplace, dir: string): Promise<void> {
  const data = await realpath(paths.data).catch(() => paths.data);
  if (overlap(dir, data)) throw new OperationError('refused', `${dir} has Dropslot's own data in it, or is in it`);
  for (const { id, org, config } of await listSources(control.read, { kind: 'folder' }))
    if (config.kind === 'folder' && config.dir === dir)
      throw new OperationError('refused', `${dir} is watched already: it is folder ${id} of ${org}`);
}

function overlap(one: string, other: string): boolean {
  const within = (path: string) => (path.endsWith(sep) ? path : path + sep);
  return within(one).startsWith(within(other)) || within(other).startsWith(within(one));
}

async function requireAccess({ dir, after }: FolderConfig): Promise<void> {
  const mode = constants.R_OK | constants.X_OK | (after.kind === 'keep' ? 0 : constants.W_OK);
  await access(dir, mode).catch((cause: unknown) => {
    const needs = after.kind === 'keep' ? 'read' : 'read and change';
    throw new OperationError('failed', `Dropslot may not ${needs} the folder ${dir}: give its user that right`, {
      cause,
    });
  });
}

function readMarker(marker: string): string {
  if (/^\.[\w.-]{1,30}$/.test(marker)) return marker;
  throw new OperationError('usage', `"${marker}" is not the ending of a marker such as .done`);
}
