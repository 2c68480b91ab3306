/** Opens and resolves alarms about expected files: one is missing at its deadline, much smaller than usual, or unchanged for days. */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import {
  type Alarm,
  type AlarmSubject,
  type Arrival,
  type DoorAlarmKind,
  findLastAlarm,
  followAlarms,
  isFileAlarm,
  listAlarmed,
  listArrivals,
  listOpenAlarms,
  type Trouble,
} from '../../db/control/alarms.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { readDays, slotDays } from './cadence.js';
import { dateIn, formatLocal, lastSlot } from './calendar.js';
import type { Clock } from './clock.js';
import { type Rounds, startRounds } from './periodic.js';

export interface SilenceDeps {
  control: Db;
  logger: Logger;
  now: () => number;
  /** Without it the clock is trusted always. */
  clock?: Clock;
}

const lookEveryMs = 60_000;
const dayMs = 86_400_000;
/** The newest files of an organization that are judged. */
const mostArrivals = 200;
/** The usual size is the median of so many imports, and unknown before there are `fewestRuns`. */
const usualRuns = 10;
const fewestRuns = 3;
const standardShare = 0.5;

export function startSilence(deps: SilenceDeps): Rounds {
  return startRounds(async () => {
    if (deps.clock?.isTrusted() === false) return lookEveryMs;
    await watchSilence(deps).catch((error: Error) =>
      deps.logger.error(`could not check for missing files; will retry in ${lookEveryMs / 1000} s`, {
        reason: error.message,
      }),
    );
    return lookEveryMs;
  });
}

/** Checks every organization that expects files, or has an open alarm, once. */
export async function watchSilence({ control, logger, now }: SilenceDeps): Promise<void> {
  const alarmed = new Set(await listAlarmed(control.read));
  for (const org of await listOrgs(control.read)) {
    const expects = org.enabled && org.options.expectFiles !== undefined;
    if (!expects && !alarmed.has(org.id)) continue;
    const at = now();
    const arrivals = await listArrivals(control.read, org.id, mostArrivals);
    const past = await Promise.all(
      subjectsOf(org).map((subject) => findLastAlarm(control.read, org.id, 'missing', subject)),
    );
    const troubles = expects ? judgeSilence(org, arrivals, past, at) : [];
    // A transaction each minute for every organization would cost more than the alarms.
    if (!isChange(troubles, (await listOpenAlarms(control.read, org.id)).filter(isFileAlarm))) continue;
    const newest = (subject: AlarmSubject) => arrivals.find((arrival) => isOf(arrival, subject))?.id;
    const resolvers = Object.fromEntries(
      (['users', 'teams'] as const).flatMap((subject) => {
        const id = newest(subject);
        return id === undefined ? [] : [[subject, id]];
      }),
    );
    const { opened, resolved } = await control.transact((tx) => followAlarms(tx, org.id, troubles, resolvers, at));
    for (const { kind, subject } of opened) logger.warn('alarm opened', { org: org.id, kind, subject });
    for (const { kind, subject } of resolved) logger.info('alarm resolved', { org: org.id, kind, subject });
  }
}

function isChange(troubles: readonly Trouble[], open: readonly Trouble[]): boolean {
  const nameOf = ({ kind, subject }: Trouble) => `${kind} ${subject}`;
  const names = new Set(open.map(nameOf));
  return troubles.length !== open.length || troubles.some((trouble) => !names.has(nameOf(trouble)));
}

/**
 * The alarms that the organization should have open now.
 * @param arrivals the newest first.
 * @param past the last resolved alarm about a missing file, for each subject.
 */
export function judgeSilence(
  org: Pick<Org, 'timeZone' | 'slot' | 'slotsFrom' | 'expectFrom' | 'options'>,
  arrivals: readonly Arrival[],
  past: readonly (Alarm | null)[],
  now: number,
): Trouble[] {
  return subjectsOf(org).flatMap((subject) => {
    const own = arrivals.filter((arrival) => isOf(arrival, subject));
    const last = past.find((alarm) => alarm?.subject === subject) ?? null;
    return [
      ...judgeMissing(org, subject, own, last, now),
      ...judgeSize(org, subject, own),
      ...judgeChange(org, subject, own),
    ];
  });
}

function subjectsOf({ options }: Pick<Org, 'options'>): AlarmSubject[] {
  return (options.expectFiles?.split(',') ?? []) as AlarmSubject[];
}

/** A file that was imported before any check read it counts as both types; one that can't be read as neither. */
function isOf({ type, state }: Arrival, subject: AlarmSubject): boolean {
  return type === subject || (type === null && state === 'imported');
}

/**
 * A file counts for a deadline when it came after the deadline before. A late file, which resolved an alarm in the first
 * half of the time between two deadlines, counts for the deadline that it missed, and not for the next one.
 */
function judgeMissing(
  {
    timeZone,
    slot,
    slotsFrom,
    expectFrom,
    options,
  }: Pick<Org, 'timeZone' | 'slot' | 'slotsFrom' | 'expectFrom' | 'options'>,
  subject: AlarmSubject,
  own: readonly Arrival[],
  last: Alarm | null,
  now: number,
): Trouble[] {
  const by = options.expectBy ?? slot.split(',')[0]!;
  const days = readDays(options.expectDays ?? '') ?? slotDays(options);
  const deadline = lastSlot(timeZone, by, now, days).at;
  if (deadline < Math.max(slotsFrom, expectFrom)) return [];
  const before = lastSlot(timeZone, by, deadline - 1, days).at;
  const late = own.find(({ id }) => id === last?.resolvedBy);
  const isLate = late !== undefined && late.at > before && late.at < before + (deadline - before) / 2;
  const came = own.some(({ id, at }) => at > before && !(isLate && id <= late.id));
  return came ? [] : [{ kind: 'missing', subject, detail: { deadline } }];
}

function judgeSize({ options }: Pick<Org, 'options'>, subject: AlarmSubject, own: readonly Arrival[]): Trouble[] {
  const newest = own.find(({ rows }) => rows !== null);
  if (newest === undefined) return [];
  const usual = own.filter(({ id, state, rows }) => id < newest.id && state === 'imported' && rows !== null);
  if (usual.length < fewestRuns) return [];
  const recent = usual.slice(0, usualRuns);
  const usualRows = median(recent.map(({ rows }) => rows!));
  const usualBytes = median(recent.map(({ bytes }) => bytes));
  const share = options.smallerThan ?? standardShare;
  const { rows, bytes, at } = newest;
  if (rows! >= share * usualRows && bytes >= share * usualBytes) return [];
  return [{ kind: 'shrunk', subject, detail: { rows: rows!, usualRows, bytes, usualBytes, at } }];
}

function judgeChange({ options }: Pick<Org, 'options'>, subject: AlarmSubject, own: readonly Arrival[]): Trouble[] {
  const [newest] = own;
  if (newest === undefined || options.unchangedDays === undefined) return [];
  const other = own.findIndex(({ sha256 }) => sha256 !== newest.sha256);
  const since = (other === -1 ? own.at(-1)! : own[other - 1]!).at;
  const days = Math.floor((newest.at - since) / dayMs);
  return days < options.unchangedDays ? [] : [{ kind: 'unchanged', subject, detail: { since, days } }];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A sentence for operators. */
export function describeAlarm(
  { kind, subject, detail }: Trouble<Trouble['kind'] | DoorAlarmKind, string>,
  timeZone: string,
): string {
  if (kind === 'source_failing' || kind === 'host_key_changed')
    return describeDoorAlarm(kind, subject, detail, timeZone);
  const number = (value: number | undefined) => String(Math.round(value ?? 0));
  if (kind === 'missing') return `no ${subject} file came by ${formatLocal(detail.deadline!, timeZone)}`;
  if (kind === 'unchanged')
    return `the ${subject} file has been the same since ${dateIn(timeZone, detail.since!)}: does its export still run?`;
  const { rows, usualRows, bytes, usualBytes } = detail;
  return `the last ${subject} file is much smaller than usual: ${number(rows)} rows of ${number(usualRows)}, ${number(bytes)} bytes of ${number(usualBytes)}`;
}

/** @param subject `source 3` or `folder 3` */
function describeDoorAlarm(
  kind: DoorAlarmKind,
  subject: string,
  { since }: Record<string, number>,
  timeZone: string,
): string {
  const see = `see "dropslot ${subject.replace(' ', 's show ')}"`;
  if (kind === 'host_key_changed')
    return `the server of ${subject} shows another host key than the confirmed one, and nothing is fetched from it: ${see}`;
  return `no file can be taken from ${subject} since ${formatLocal(since!, timeZone)}: ${see}`;
}
