/** Routes about the whole server: its state, alarms, and its examination. */
import { z } from 'zod';
import { listAlarmsOf, type ShownAlarm } from '../../../operations/alarms.js';
import { examine } from '../../../operations/doctor/examine.js';
import { alarmToJson, statusToJson } from '../../../operations/forms/server.js';
import { readStatus } from '../../../operations/status.js';
import { count, maybeTime, orgParams, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Route, route } from '../route.js';

const status = z.strictObject({
  version: z.string(),
  database: z.enum(['sqlite', 'postgres']),
  store: z.strictObject({ name: z.string(), fault: z.string().nullable() }).nullable(),
  commitWait: z.strictObject({ commits: count, waitedMs: count }).nullable(),
  writeFault: z.string().nullable(),
  organizations: z.strictObject({ all: count, enabled: count }),
  importerSeenAt: maybeTime,
  queue: z.strictObject({ files: count, oldestAt: maybeTime }),
  runs: z.strictObject({ open: count, running: count, held: count, failedLastDay: count }),
  workers: z.array(
    z.strictObject({
      ...{ server: z.string(), number: count, pid: count.nullable(), connections: count },
      ...{ memoryBytes: count, processorMs: count, restarts: count },
    }),
  ),
  held: z.array(z.strictObject({ run: count, org: z.string() })),
  alarms: z.array(z.strictObject({ org: z.string(), kind: z.string(), subject: z.string(), message: z.string() })),
  openAlarms: count,
  allExpiringKeys: count,
  nextSlots: z.array(z.strictObject({ org: z.string(), at: time })),
  disk: z.strictObject({ freeBytes: count, totalBytes: count, minFreeBytes: count }),
  lastBackupAt: maybeTime,
  isBackupOverdue: z.boolean(),
  scheduledBackups: z
    .strictObject({ keep: count, begunAt: maybeTime, failedAt: maybeTime, nextAt: maybeTime })
    .nullable(),
  expiringKeys: z.array(z.strictObject({ org: z.string(), fingerprint: z.string(), expiresAt: time })),
});

const alarm = z.strictObject({
  id: count,
  org: z.string(),
  kind: z.string(),
  subject: z.string(),
  message: z.string(),
  openedAt: time,
  resolvedAt: maybeTime,
});

const showAlarm = (one: ShownAlarm) => pick(alarm, alarmToJson(one));

const alarmQuery = pageQuery.extend({ all: z.enum(['true', 'false']).default('false') });

export const serverRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/status',
    summary: 'State of the server: importer, queue, runs, alarms, slots, disk, backup, keys',
    right: 'read',
    isOfServer: true,
    answer: status,
    handle: async ({ workplace, version }) => {
      const { disk, scheduledBackups: backups, ...rest } = statusToJson(await readStatus(workplace, version));
      // Folders are for those who have a shell on the machine.
      const { folder: _folder, ...space } = disk;
      const scheduledBackups = backups && {
        ...{ keep: backups.keep, begunAt: backups.begunAt, failedAt: backups.failedAt, nextAt: backups.nextAt },
      };
      return { ...rest, disk: space, scheduledBackups };
    },
  }),
  route({
    method: 'GET',
    path: '/doctor',
    summary: 'Examination of the installation, as "dropslot doctor" without repairs',
    right: 'admin',
    isOfServer: true,
    answer: z.strictObject({
      whole: z.boolean(),
      findings: z.array(
        z.strictObject({
          level: z.enum(['ok', 'mended', 'warning', 'wrong']),
          check: z.string(),
          subject: z.string(),
          message: z.string(),
          mendable: z.boolean(),
        }),
      ),
    }),
    handle: async ({ workplace, open }) => {
      const findings = await examine(workplace.settings, open);
      const rows = findings.map(({ mend, ...finding }) => ({ ...finding, mendable: mend !== undefined }));
      return { whole: findings.every(({ level }) => level !== 'wrong'), findings: rows };
    },
  }),
  route({
    method: 'GET',
    path: '/alarms',
    summary: 'Alarms of all organizations',
    right: 'read',
    isOfServer: true,
    query: alarmQuery,
    answer: pageOf(alarm),
    handle: async ({ workplace, query }) =>
      pageByPlace(await listAlarmsOf(workplace, { resolved: query.all === 'true' }), query, showAlarm),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/alarms',
    summary: 'Alarms of an organization',
    right: 'read',
    params: orgParams,
    query: alarmQuery,
    answer: pageOf(alarm),
    handle: async ({ workplace, params: { org }, query }) =>
      pageByPlace(await listAlarmsOf(workplace, { org, resolved: query.all === 'true' }), query, showAlarm),
  }),
];
