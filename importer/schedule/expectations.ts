/** Silence is an alarm: files that an organization expects and that do not come, are much smaller than usual, or never change. */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import {
  type Alarm,
  type AlarmSubject,
  type Arrival,
  findLastAlarm,
  followAlarms,
  listAlarmed,
  listArrivals,
  type Trouble,
} from '../../db/control/alarms.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { readDays, slotDays } from './cadence.js';
import { dateIn, formatLocal, lastSlot } from './calendar.js';
import { type Rounds, startRounds } from './periodic.js';

export interface SilenceDeps {
  control: Db;
  logger: Logger;
  now: () => number;
}

const lookEveryMs = 60_000;
const dayMs = 86_400_000;
/** Files that are looked back at. */
const mostArrivals = 200;
/** Imports that tell what is usual, and how many tell anything. */
const usualRuns = 10;
const fewestRuns = 3;
const standardShare = 0.5;

export function startSilence(deps: SilenceDeps): Rounds {
  return startRounds(async () => {
    await watchSilence(deps).catch((error: Error) =>
      deps.logger.error('nobody looks for missing files', { reason: error.message }),
    );
    return lookEveryMs;
  });
}

/** Looks once at every organization that expects files, or has an alarm. */
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
    const newest = (subject: AlarmSubject) => arrivals.find((arrival) => isOf(arrival, subject))?.id;
    const resolvers = Object.fromEntries(
      (['users', 'teams'] as const).flatMap((subject) => {
        const id = newest(subject);
        return id === undefined ? [] : [[subject, id]];
      }),
    );
    const { opened, resolved } = await control.transact((tx) => followAlarms(tx, org.id, troubles, resolvers, at));
    for (const { kind, subject } of opened) logger.warn('a file is not as expected', { org: org.id, kind, subject });
    for (const { kind, subject } of resolved) logger.info('an alarm is over', { org: org.id, kind, subject });
  }
}

/**
 * What is wrong now.
 * @param arrivals the newest first.
 * @param past the last alarms about missing files that are over.
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

/** What was imported unread by any check may be either; what can't be read is neither. */
function isOf({ type, state }: Arrival, subject: AlarmSubject): boolean {
  return type === subject || (type === null && state === 'imported');
}

/**
 * A file counts for a deadline when it came after the one before. One that came late counts for the deadline that it
 * missed, not for the next one too: late is what resolved an alarm nearer to the deadline before than to the next.
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
export function describeAlarm({ kind, subject, detail }: Trouble, timeZone: string): string {
  const number = (value: number | undefined) => String(Math.round(value ?? 0));
  if (kind === 'missing') return `no ${subject} file came by ${formatLocal(detail.deadline!, timeZone)}`;
  if (kind === 'unchanged')
    return `the ${subject} file has been the same since ${dateIn(timeZone, detail.since!)}: does its export still run?`;
  const { rows, usualRows, bytes, usualBytes } = detail;
  return `the last ${subject} file is much smaller than usual: ${number(rows)} rows of ${number(usualRows)}, ${number(bytes)} bytes of ${number(usualBytes)}`;
}
