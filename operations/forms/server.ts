/** The state of the installation as JSON: status, alarms, penalties, host keys. The command line and the API give the same. */
import type { ShownAlarm } from '../alarms.js';
import { isoTime } from '../format.js';
import type { HostKeyView } from '../hostkeys.js';
import type { Penalty } from '../penalties.js';
import type { Status } from '../status.js';

export function statusToJson(status: Status) {
  const { importerSeenAt, queue, nextSlots, lastBackupAt, scheduledBackups, expiringKeys, ...rest } = status;
  return {
    ...rest,
    importerSeenAt: isoTime(importerSeenAt),
    queue: { files: queue.files, oldestAt: isoTime(queue.oldestAt) },
    nextSlots: nextSlots.map(({ org, at }) => ({ org, at: isoTime(at) })),
    lastBackupAt: isoTime(lastBackupAt),
    scheduledBackups: scheduledBackups === null ? null : scheduleToJson(scheduledBackups),
    expiringKeys: expiringKeys.map((key) => ({ ...key, expiresAt: isoTime(key.expiresAt) })),
  };
}

function scheduleToJson({ begunAt, failedAt, nextAt, ...rest }: NonNullable<Status['scheduledBackups']>) {
  return { ...rest, begunAt: isoTime(begunAt), failedAt: isoTime(failedAt), nextAt: isoTime(nextAt) };
}

export function alarmToJson({ openedAt, resolvedAt, ...alarm }: ShownAlarm) {
  return { ...alarm, openedAt: isoTime(openedAt), resolvedAt: isoTime(resolvedAt) };
}

export function penaltyToJson({ source, until, strikes, cause, beganAt }: Penalty) {
  return { source, until: isoTime(until), inARow: strikes, cause, beganAt: isoTime(beganAt) };
}

export function hostKeyToJson({ since, ...key }: HostKeyView) {
  return { ...key, since: isoTime(since) };
}
