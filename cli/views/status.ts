/** The state of the installation, for people and as JSON. */
import { describeWait } from '../../operations/doctor/databaseserver.js';
import { formatBytes, formatTime } from '../../operations/format.js';
import type { Status } from '../../operations/status.js';
import { renderRecord } from '../output.js';

/** Longer ago than an importer that runs ever is silent. */
const silentMs = 10 * 60_000;
const hourMs = 3_600_000;

/** @param now in ms */
export function renderStatus(status: Status, sessions: number, now: number): string {
  const { organizations, queue, runs, disk } = status;
  const oldest = queue.oldestAt === null ? '' : `, the oldest since ${formatTime(queue.oldestAt)}`;
  return renderRecord([
    ['Dropslot', `${status.version}, ${status.database === 'sqlite' ? 'SQLite' : 'PostgreSQL'}`],
    ...(status.commitWait === null
      ? []
      : [['Database', `PROBLEM: ${describeWait(status.commitWait)}`] as [string, string]]),
    ['Organizations', `${organizations.all}, ${organizations.enabled} of them enabled`],
    ['Sessions', `${sessions} open`],
    ...(status.workers.length === 0 ? [] : [['Processes', describeWorkers(status.workers)] as [string, string]]),
    ['Importer', describeImporter(status.importerSeenAt, now)],
    ['Queue', `${count(queue.files, 'file')}${oldest}`],
    ['Runs', `${runs.running} running, ${runs.open} waiting, ${runs.failedLastDay} failed in the last 24 hours`],
    [
      'Held',
      listOr(
        'none',
        status.held.map(({ run, org }) => `run ${run} of ${org}`),
      ),
    ],
    [
      'Alarms',
      listOr(
        'none',
        status.alarms.map(({ org, message }) => `${org}: ${message}`),
      ),
    ],
    [
      'Next slots',
      listOr(
        'none',
        status.nextSlots.map(({ org, at }) => `${org} ${formatTime(at)}`),
      ),
    ],
    ...(status.store === null ? [] : [['Object store', describeStore(status.store)] as [string, string]]),
    ['Disk', `${formatBytes(disk.freeBytes)} of ${formatBytes(disk.totalBytes)} free${describeLow(disk)}`],
    ['Backup', describeBackup(status, now)],
    ['Backup schedule', describeSchedule(status.scheduledBackups)],
    [
      'Keys',
      listOr(
        'none expires within 30 days',
        status.expiringKeys.map(
          ({ org, fingerprint, expiresAt }) => `${org} ${fingerprint.slice(0, 15)} expires ${formatTime(expiresAt)}`,
        ),
      ),
    ],
  ]);
}

function describeWorkers(workers: Status['workers']): string {
  const running = workers.filter(({ pid }) => pid !== null).length;
  const restarts = workers.reduce((sum, worker) => sum + worker.restarts, 0);
  const connections = workers.map((worker) => worker.connections).join(', ');
  const again = restarts === 0 ? '' : `; started again ${count(restarts, 'time')}`;
  return `${running} of ${workers.length} for connections run, with ${connections} connections${again}`;
}

function describeImporter(seenAt: number | null, now: number): string {
  if (seenAt === null) return 'has not run yet: start "dropslot serve"';
  const seen = `last active ${formatTime(seenAt)}`;
  return now - seenAt > silentMs ? `${seen}: does "dropslot serve" run?` : seen;
}

function describeStore({ name, fault }: NonNullable<Status['store']>): string {
  return fault === null ? `${name} answers` : `PROBLEM: ${fault}`;
}

function describeLow({ freeBytes, minFreeBytes }: Status['disk']): string {
  return freeBytes < minFreeBytes ? `: less than minFreeBytes (${formatBytes(minFreeBytes)}), no new work begins` : '';
}

function describeBackup({ lastBackupAt: at, isBackupOverdue, scheduledBackups }: Status, now: number): string {
  if (at === null) return scheduledBackups === null ? 'none was made: dropslot backup DIR' : 'none was made yet';
  return `${formatTime(at)}, ${describeAge(now - at)} ago${isBackupOverdue ? ': overdue' : ''}`;
}

function describeSchedule(schedule: Status['scheduledBackups']): string | null {
  if (schedule === null) return null;
  const { to, keep, nextAt, failedAt, failure } = schedule;
  const next = nextAt === null ? 'the next one is due now' : `the next one at ${formatTime(nextAt)}`;
  const last = failedAt === null ? '' : `. The last attempt failed at ${formatTime(failedAt)}: ${failure}`;
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

/** One line each, below one another. */
function listOr(none: string, items: readonly string[]): string {
  return items.length === 0 ? none : items.join(' · ');
}
