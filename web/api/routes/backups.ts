/** Routes of backups: those that were made, and one that is asked for now, as a job with its progress. */
import { z } from 'zod';
import { listMadeBackups } from '../../../operations/backup/history.js';
import { type BackupJob, readBackupJob, requestBackup } from '../../../operations/backup/request.js';
import { isoTime } from '../../../operations/format.js';
import { count, maybeTime, pageByPlace, pageOf, pageQuery, time } from '../forms.js';
import { type Route, route } from '../route.js';

const backup = z.strictObject({
  at: time,
  actor: z.string(),
  folder: z.string(),
  files: count,
  masterKey: z.enum(['included', 'left out']),
});

const job = z.strictObject({
  /** `none`: none was asked for yet. */
  state: z.enum(['none', 'waiting', 'running', 'made', 'failed']),
  askedAt: maybeTime,
  askedBy: z.string().nullable(),
  endedAt: maybeTime,
  /** While it runs: its last step. */
  progress: z.string().nullable(),
  folder: z.string().nullable(),
  failure: z.string().nullable(),
});

const toJson = ({ askedAt, endedAt, ...rest }: BackupJob) => ({
  ...rest,
  askedAt: isoTime(askedAt),
  endedAt: isoTime(endedAt),
});

export const backupRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/backups',
    summary: 'Backups that were made, the newest first',
    right: 'read',
    isOfServer: true,
    query: pageQuery,
    answer: pageOf(backup),
    handle: async ({ workplace, query }) =>
      pageByPlace(await listMadeBackups(workplace), query, ({ at, ...rest }) => ({ ...rest, at: isoTime(at) })),
  }),
  route({
    method: 'POST',
    path: '/backups',
    summary: 'Make a backup now, in the folder of the setting backupTo; get "backups/job" for its progress',
    right: 'admin',
    isOfServer: true,
    answer: job,
    status: 202,
    handle: async ({ workplace }) => toJson(await requestBackup(workplace)),
  }),
  route({
    method: 'GET',
    path: '/backups/job',
    summary: 'The backup that was asked for last: its state and progress',
    right: 'read',
    isOfServer: true,
    answer: job,
    handle: async ({ workplace }) => toJson(await readBackupJob(workplace)),
  }),
];
