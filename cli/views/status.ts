/** The state of the installation, for people and as JSON. */
import { describeWait } from '../../operations/doctor/databaseserver.js';
import { formatBytes, formatTime } from '../../operations/format.js';
import type { Status } from '../../operations/status.js';
import type { Tint, Tints } from '../color.js';
import { renderRecord, wrapRecords } from '../output.js';
import { cutText, displayWidth } from '../width.js';

/** Longer ago than an importer that runs ever is silent. */
const silentMs = 10 * 60_000;
const hourMs = 3_600_000;

/** A screen has 24 lines, and the prompt takes one. */
const screen = { columns: 80, lines: 23 };
interface Room {
  /** Cells of each list; 0: only the number of its items. */
  list: number;
  /** Of a message that may be long; `--json` has it whole. */
  message: number;
}

/** The more the better: the first with which all is on one screen. */
const rooms: readonly Room[] = [
  { list: 400, message: 200 },
  { list: 200, message: 120 },
  { list: 110, message: 120 },
  { list: 50, message: 50 },
  { list: 0, message: 50 },
];
/** The connections of more processes are counted together. */
const listedWorkers = 6;

/** On one screen of 80 columns, however much is held or wrong. @param now in ms */
export function renderStatus(status: Status, sessions: number, now: number): string {
  const texts = rooms.map((room) => renderWith(status, sessions, now, room));
  const fits = (text: string) => wrapRecords(text, screen.columns).split('\n').length <= screen.lines;
  return texts.find(fits) ?? texts.at(-1)!;
}

/** The names of values are painted. */
export function statusTints(status: Status, now: number): Tints {
  const { importerSeenAt: seenAt, disk, store, scheduledBackups: schedule } = status;
  const states: [name: string, tint: Tint, isOn: boolean][] = [
    ['Database:', 'red', describeDatabase(status) !== null],
    ['Importer:', 'yellow', seenAt === null || now - seenAt > silentMs],
    ['Runs:', 'red', status.runs.failedLastDay > 0],
    ['Held:', 'yellow', status.held.length > 0],
    ['Alarms:', 'yellow', status.alarms.length > 0],
    ['Object store:', 'red', store !== null && store.fault !== null],
    ['Disk:', 'red', disk.freeBytes < disk.minFreeBytes],
    ['Backup:', 'yellow', status.isBackupOverdue],
    ['Backup schedule:', 'red', schedule !== null && schedule.failedAt !== null],
    ['Keys:', 'yellow', status.expiringKeys.length > 0],
  ];
  return Object.fromEntries(states.filter(([, , isOn]) => isOn).map(([name, tint]) => [name, tint]));
}

/** null: nothing is wrong with it. */
function describeDatabase({ commitWait, writeFault }: Status): string | null {
  return commitWait === null ? writeFault : describeWait(commitWait);
}

function renderWith(status: Status, sessions: number, now: number, room: Room): string {
  const { organizations, queue, runs, disk } = status;
  const database = describeDatabase(status);
  const oldest = queue.oldestAt === null ? '' : `, the oldest since ${formatTime(queue.oldestAt)}`;
  const held = status.held.map(({ run, org }) => `run ${run} of ${org}`);
  const alarms = status.alarms.map(({ org, message }) => `${org}: ${message}`);
  const slots = status.nextSlots.map(({ org, at }) => `${org} ${formatTime(at)}`);
  const keys = status.expiringKeys.map(
    ({ org, fingerprint, expiresAt }) => `${org} ${fingerprint.slice(0, 15)} expires ${formatTime(expiresAt)}`,
  );
  return renderRecord([
    ['Dropslot', `${status.version}, ${status.database === 'sqlite' ? 'SQLite' : 'PostgreSQL'}`],
    ...(database === null ? [] : [['Database', `PROBLEM: ${database}`] as [string, string]]),
    ['Organizations', `${organizations.all}, ${organizations.enabled} of them enabled`],
    ['Sessions', `${sessions} open`],
    ...(status.workers.length === 0 ? [] : [['Processes', describeWorkers(status.workers)] as [string, string]]),
    ['Importer', describeImporter(status.importerSeenAt, now)],
    ['Queue', `${count(queue.files, 'file')}${oldest}`],
    ['Runs', `${runs.running} running, ${runs.open} waiting, ${runs.failedLastDay} failed in the last 24 hours`],
    ['Held', listSome(held, room, { none: 'none', all: runs.held, how: 'dropslot runs list --state held' })],
    ['Alarms', listSome(alarms, room, { none: 'none', all: status.openAlarms, how: 'dropslot alarms list' })],
    ['Next slots', listSome(slots, room, { none: 'none', all: slots.length, how: null })],
    ...(status.store === null ? [] : [['Object store', describeStore(status.store, room)] as [string, string]]),
    ['Disk', `${formatBytes(disk.freeBytes)} of ${formatBytes(disk.totalBytes)} free${describeLow(disk)}`],
    ['Backup', describeBackup(status, now)],
    ['Backup schedule', describeSchedule(status.scheduledBackups, room)],
    [
      'Keys',
      listSome(keys, room, {
        none: 'none expires within 30 days',
        all: status.allExpiringKeys,
        how: 'dropslot keys list ORG',
      }),
    ],
  ]);
}

function describeWorkers(workers: Status['workers']): string {
  const running = workers.filter(({ pid }) => pid !== null).length;
  const restarts = workers.reduce((sum, worker) => sum + worker.restarts, 0);
  const each = workers.map((worker) => worker.connections);
  const connections = each.length <= listedWorkers ? each.join(', ') : each.reduce((sum, one) => sum + one, 0);
  const again = restarts === 0 ? '' : `; started again ${count(restarts, 'time')}`;
  return `${running} of ${workers.length} for connections run, with ${connections} connections${again}`;
}

function describeImporter(seenAt: number | null, now: number): string {
  if (seenAt === null) return 'has not run yet: start "dropslot serve"';
  const seen = `last active ${formatTime(seenAt)}`;
  return now - seenAt > silentMs ? `${seen}: does "dropslot serve" run?` : seen;
}

function describeStore({ name, fault }: NonNullable<Status['store']>, room: Room): string {
  return fault === null ? `${name} answers` : `PROBLEM: ${cutText(fault, room.message)}`;
}

function describeLow({ freeBytes, minFreeBytes }: Status['disk']): string {
  return freeBytes < minFreeBytes ? `: less than minFreeBytes (${formatBytes(minFreeBytes)}), no new work begins` : '';
}

function describeBackup({ lastBackupAt: at, isBackupOverdue, scheduledBackups }: Status, now: number): string {
  if (at === null) return scheduledBackups === null ? 'none was made: dropslot backup DIR' : 'none was made yet';
  return `${formatTime(at)}, ${describeAge(now - at)} ago${isBackupOverdue ? ': overdue' : ''}`;
}

function describeSchedule(schedule: Status['scheduledBackups'], room: Room): string | null {
  if (schedule === null) return null;
  const { to, keep, nextAt, failedAt, failure } = schedule;
  const next = nextAt === null ? 'the next one is due now' : `the next one at ${formatTime(nextAt)}`;
  const last =
    failedAt === null
      ? ''
      : `. The last attempt failed at ${formatTime(failedAt)}: ${cutText(failure ?? '', room.message)}`;
  return `to ${to}, ${keep} kept, ${next}${last}`;
}

function describeAge(ms: number): string {
  const hours = Math.floor(ms / hourMs);
  if (hours < 1) return 'less than an hour';
  return hours < 48 ? count(hours, 'hour') : count(Math.floor(hours / 24), 'day');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

interface ListForm {
  none: string;
  /** The number of all items, of which only the first may be known. */
  all: number;
  /** The command that lists all; null: the first ones are enough. */
  how: string | null;
}

/** The first items, as many as have room, and how many others there are. */
function listSome(items: readonly string[], room: Room, { none, all, how }: ListForm): string {
  const [first, ...others] = items;
  if (first === undefined) return none;
  if (room.list === 0 && how !== null) return `${all}: ${how}`;
  let text = cutText(first, room.message);
  let left = Math.max(all, items.length) - 1;
  for (const item of others) {
    if (displayWidth(`${text} · ${item}`) > room.list) break;
    text += ` · ${item}`;
    left--;
  }
  return left === 0 || how === null ? text : `${text} · and ${left} more: ${how}`;
}
