/** The common operations of sources and watched folders: finding, running, enabling, disabling and removing one. */
import { createSilentLogger, type Logger } from '../config/logger.js';
import type { Queryable } from '../db/connection.js';
import { setDoorAlarm } from '../db/control/alarms.js';
import { recordAudit } from '../db/control/audit.js';
import type { Org } from '../db/control/orgs.js';
import {
  type AfterFetch,
  deleteSource,
  findSource,
  listSources,
  placeOf,
  type Source,
  type SourceConfig,
  type SourceKind,
  updateSource,
  updateUnchangedSource,
  wordOf,
} from '../db/control/sources.js';
import { shareLock } from '../db/lock.js';
import { slotDays } from '../importer/schedule/cadence.js';
import { nextSlot } from '../importer/schedule/calendar.js';
import { makeWorkDeps } from '../sources/parts.js';
import { regularRound } from '../sources/schedule.js';
import { type Ended, type WorkDeps, workOn } from '../sources/work.js';
import { checkPath, isReadOnly } from '../storage/path.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

export type { Source } from '../db/control/sources.js';
export type { Ended } from '../sources/work.js';

/** More of them of one organization would keep the others waiting. */
const mostOfOrg = 50;
const mostPatterns = 20;
/** Longer than a server recovers interrupted uploads at its start. */
const lockWaitMs = 10_000;

/** @throws OperationError `usage` when it is no number, `not_found` */
export async function findDoor(place: Workplace, kind: SourceKind, id: string): Promise<Source> {
  if (!/^\d{1,15}$/.test(id))
    throw new OperationError(
      'usage',
      `"${id}" is not the number of a ${wordOf(kind)}; see "dropslot ${wordOf(kind)}s list"`,
    );
  const found = await findSource(place.control.read, Number(id));
  if (found === null || found.config.kind !== kind)
    throw new OperationError('not_found', `no ${wordOf(kind)} ${id}; see "dropslot ${wordOf(kind)}s list"`);
  return found;
}

/** @throws OperationError `not_found` */
export async function listDoors(place: Workplace, kind: SourceKind, org: string | undefined): Promise<Source[]> {
  if (org !== undefined) await place.org(org);
  return listSources(place.control.read, { kind, ...(org !== undefined && { org }) });
}

export async function requireRoom(place: Workplace, org: Org): Promise<void> {
  if ((await listSources(place.control.read, { org: org.id })).length >= mostOfOrg)
    throw new OperationError('refused', `${org.id} has ${mostOfOrg} sources and folders, and can have no more`);
}

/** Runs a round now, in this process. A disabled one too: its state does not change. @throws OperationError `unavailable`, `refused` */
export async function runDoor(place: Workplace, source: Source, logger: Logger = createSilentLogger()): Promise<Ended> {
  const { id, state } = source;
  if (state === 'unconfirmed')
    throw new OperationError('refused', `the host key is not confirmed: dropslot sources test ${id}`);
  if (state === 'host_key_changed')
    throw new OperationError(
      'refused',
      `the server shows another host key, and the source is stopped: "dropslot sources show ${id}" has the reason and the next step`,
    );
  const { settings, paths } = place;
  // A server that starts now leaves the bytes that arrive here.
  const lock =
    settings.database === 'sqlite' ? await shareLock(paths.sessionsLock, settings.sqliteDriver, lockWaitMs) : null;
  const ended = await workOn(workDepsOf(place, logger), source.id, new AbortController().signal).finally(() =>
    lock?.release(),
  );
  if (ended === null)
    throw new OperationError('unavailable', 'a round of it runs already: see its result when that has ended');
  await auditDoor(place.control.write, place, source, 'run', {
    taken: ended.result?.taken ?? 0,
    failure: ended.failure?.code ?? null,
  });
  return ended;
}

export function workDepsOf(place: Workplace, logger: Logger): WorkDeps {
  const { control, paths, settings, now, identity, master } = place;
  return makeWorkDeps({
    ...{ control, paths, settings, now, identity, logger },
    loadMaster: master,
    nextSlot: nextSlotOf,
  });
}

export function nextSlotOf({ timeZone, slot, options }: Org, after: number): number {
  return nextSlot(timeZone, slot, after, slotDays(options)).at;
}

/** When a source that begins now has its first round: a folder and `every:` at once. */
export function firstRound(place: Workplace, config: SourceConfig, org: Org): number {
  const now = place.now();
  if (config.kind === 'folder' || config.when !== 'before-slot') return now;
  return regularRound(config, org, now, { nextSlot: nextSlotOf, leadMs: place.settings.sourceLeadMinutes * 60_000 });
}

/** @throws OperationError `refused` */
export async function enableDoor(place: Workplace, source: Source): Promise<Source> {
  const { config, id } = source;
  if (source.state !== 'disabled')
    throw new OperationError('refused', `the ${wordOf(config.kind)} ${id} is not disabled`);
  const isConfirmed = config.kind === 'folder' || config.hostKeys.length > 0;
  const state = isConfirmed ? 'active' : 'unconfirmed';
  const nextAt = firstRound(place, config, await place.org(source.org));
  await place.control.transact(async (tx) => {
    const change = { state, nextAt, failures: 0, failure: null, failureCode: null, failedAt: null } as const;
    await requireUnchanged(updateUnchangedSource(tx, source, change), source);
    await auditDoor(tx, place, source, 'enabled', {});
  });
  return { ...source, state, nextAt };
}

/** Another operator, or a round that met another host key, may have changed it since it was read. @throws OperationError `refused` */
export async function requireUnchanged(updating: Promise<boolean>, { id, config }: Source): Promise<void> {
  const word = wordOf(config.kind);
  if (!(await updating))
    throw new OperationError(
      'refused',
      `${word} ${id} has been changed meanwhile: see "dropslot ${word}s show ${id}", then repeat the command`,
    );
}

/** A round that runs ends first. Its alarms are over. @throws OperationError `refused` */
export async function disableDoor(place: Workplace, source: Source): Promise<Source> {
  if (source.state === 'disabled')
    throw new OperationError('refused', `the ${wordOf(source.config.kind)} ${source.id} is disabled already`);
  await place.control.transact(async (tx) => {
    await updateSource(tx, source.id, { state: 'disabled' });
    await endAlarms(tx, place, source);
    await auditDoor(tx, place, source, 'disabled', {});
  });
  return { ...source, state: 'disabled' };
}

/** Files that came from it remain. */
export async function removeDoor(place: Workplace, source: Source): Promise<void> {
  await place.control.transact(async (tx) => {
    await endAlarms(tx, place, source);
    await deleteSource(tx, source.id);
    await auditDoor(tx, place, source, 'removed', {});
  });
}

export async function endAlarms(tx: Queryable, place: Workplace, { id, org, config }: Source): Promise<void> {
  const subject = `${wordOf(config.kind)} ${id}`;
  for (const kind of ['source_failing', 'host_key_changed'] as const)
    await setDoorAlarm(tx, org, { kind, subject, detail: {} }, false, place.now());
}

export async function auditDoor(
  tx: Queryable,
  { now, actor }: Workplace,
  { id, org, config }: Pick<Source, 'id' | 'org' | 'config'>,
  act: string,
  detail: Record<string, unknown>,
): Promise<void> {
  const word = wordOf(config.kind);
  await recordAudit(tx, { at: now(), org, actor, action: `${word}.${act}`, subject: `${word} ${id}`, detail });
}

/** For lists: the word by which commands call it, and where its files are. */
export function describeDoor(source: Source): { word: 'source' | 'folder'; place: string } {
  return { word: wordOf(source.config.kind), place: placeOf(source) };
}

/** `keep`, `delete`, `move` or `move:/done`. @throws OperationError `usage` */
export function readAfter(text: string, kind: SourceKind): AfterFetch {
  if (text === 'keep' || text === 'delete') return { kind: text };
  const to = text.startsWith('move:') ? text.slice('move:'.length) : '';
  if (kind === 'sftp' && to !== '' && !/\p{Cc}/u.test(to)) return { kind: 'move', to };
  if (kind === 'folder' && text === 'move') return { kind: 'move', to: 'imported' };
  const forms = kind === 'sftp' ? 'keep, delete or move:FOLDER' : 'keep, delete or move';
  throw new OperationError('usage', `"${text}" is none of ${forms}`);
}

export function showAfter(after: AfterFetch, kind: SourceKind): string {
  return after.kind === 'move' && kind === 'sftp' ? `move:${after.to}` : after.kind;
}

/** @throws OperationError `usage` */
export function readPatterns(patterns: readonly string[]): string[] {
  const wrong = patterns.find((one) => one === '' || one.length > 200 || one.includes('/') || /\p{Cc}/u.test(one));
  if (wrong !== undefined) throw new OperationError('usage', `"${wrong}" is not a pattern of names such as *.csv`);
  if (patterns.length > mostPatterns) throw new OperationError('usage', `at most ${mostPatterns} patterns`);
  return [...patterns];
}

/** A folder of the organization's tree. @throws OperationError `usage` */
export function readInto(text: string): string {
  const path = text.length > 1 ? text.replace(/\/+$/, '') : text;
  try {
    checkPath(path);
  } catch (cause) {
    throw new OperationError('usage', `"${text}" is not a folder such as / or /full`, { cause });
  }
  if (isReadOnly(path)) throw new OperationError('usage', `files can't enter ${path}: only Dropslot writes there`);
  return path;
}
