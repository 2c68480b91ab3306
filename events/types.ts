/** Every type of event: its meaning, the schema of its data, and an example. It makes docs/events.md and the JSON Schemas. */
import { z } from 'zod';

export interface EventType {
  name: string;
  /** When it happens. */
  meaning: string;
  data: z.ZodObject;
  /** Keys of the data that only subscribers with `--include personal` get. */
  personal: readonly string[];
  /** Written after a run has changed the directory: its users and teams are told first. */
  isAfterApply: boolean;
  example: Record<string, unknown>;
}

const id = z.number().int().nonnegative();
const count = z.number().int().nonnegative();
const ms = z.number().int().describe('milliseconds since 1970');
const counts = z.record(z.string(), count);
const path = z.string().describe('path in the tree of the organization');
const bytes = count.describe('bytes before encryption');
const host = z.string().optional().describe('the machine');
const fields = z
  .array(z.string())
  .describe('labels of the columns that changed, or that a new user or team has values in');
const changes = z
  .array(z.object({ field: z.string(), before: z.string().nullable(), after: z.string().nullable() }))
  .describe('personal: the changed values');

interface Row {
  meaning: string;
  data: z.ZodRawShape;
  personal?: readonly string[];
  isAfterApply?: true;
  /** Its data may have more keys. */
  isOpen?: true;
  example: Record<string, unknown>;
}

const upload = { path, upload: id, size: bytes, sha256: z.string() };
const sample = { path: '/users.csv', upload: 41, size: 18_204, sha256: 'ab'.repeat(32) };
const fileCheck = { upload: id, type: z.enum(['users', 'teams']).nullable(), rows: count, dryRun: z.boolean() };
const decision = { run: id, by: z.string().describe('who decided, as in the audit trail') };
const completed = {
  run: id,
  kind: z.string().describe('slot, manual, upload, undo'),
  users: counts.describe('created, updated, unchanged, deactivated, scheduled, stubs, faults, warnings, refused'),
  teams: counts,
  files: count,
  refused: count.describe('files'),
};
const alarm = {
  kind: z.enum(['missing', 'shrunk', 'unchanged', 'source_failing', 'host_key_changed']),
  files: z.enum(['users', 'teams']).optional().describe('of the first three kinds'),
  source: id.optional().describe('of the last two kinds: a source'),
  folder: id.optional().describe('of source_failing: a watched folder'),
};
const key = { key: z.string().describe('fingerprint') };
const hostKey = { fingerprint: z.string(), type: z.string() };
const fingerprint = 'SHA256:Zb0pJ8q0uXv7k3mJ0m1mD1o0nXxC7o2Jb0x2n3w4c5A';
const user = {
  user: id,
  fields,
  email: z.string().optional().describe('personal: as it is when the event is delivered'),
  name: z.string().nullable().optional().describe('personal'),
  changes: changes.optional(),
};
const team = { team: id, fields, name: z.string().optional().describe('personal'), changes: changes.optional() };
const personalUser = ['email', 'name', 'changes'];

const rows: Record<string, Row> = {
  'upload.completed': {
    meaning: 'A client closed a complete file. `queued`: the next run imports it.',
    data: { ...upload, queued: z.boolean() },
    example: { ...sample, queued: true },
  },
  'upload.partial': {
    meaning: 'A connection ended before the file was complete; the client may resume it.',
    data: { path, size: bytes, keptBytes: bytes },
    example: { path: '/users.csv', size: 9000, keptBytes: 9000 },
  },
  'upload.superseded': {
    meaning: 'A newer version replaced a file before its import.',
    data: { ...upload, archivedAs: path },
    example: { ...sample, archivedAs: '/archive/2026-02-01/superseded/users.csv' },
  },
  'upload.ignored': {
    meaning: 'A file is stored and not imported because of its name.',
    data: { path, upload: id, size: bytes, reason: z.enum(['other', 'unfinished']) },
    example: { path: '/photo.jpg', upload: 42, size: 120_000, reason: 'other' },
  },
  'check.completed': {
    meaning: 'A file was checked before its import, or as a dry run, and would be imported.',
    data: fileCheck,
    example: { upload: 41, type: 'users', rows: 380, dryRun: false },
  },
  'check.would_refuse': {
    meaning: 'A check found that the import would refuse the file.',
    data: fileCheck,
    example: { upload: 41, type: null, rows: 0, dryRun: false },
  },
  'run.started': {
    meaning: 'A run took its files.',
    data: {
      run: id,
      kind: z.string(),
      files: count.describe('how many files it took'),
      uploads: z.array(id).max(100).describe('their ids, of at most 100'),
    },
    example: { run: 17, kind: 'slot', files: 1, uploads: [41] },
  },
  'run.completed': {
    meaning: 'A run was applied, and none of its files has a fault, a warning or a refusal.',
    data: completed,
    isAfterApply: true,
    example: {
      run: 17,
      kind: 'slot',
      users: { created: 2, updated: 5, unchanged: 373, deactivated: 0 },
      teams: { created: 1 },
      files: 1,
      refused: 0,
    },
  },
  'run.completed_with_problems': {
    meaning: 'A run was applied, and some rows, cells or files were not.',
    data: completed,
    isAfterApply: true,
    example: { run: 17, kind: 'slot', users: { created: 2, faults: 3 }, teams: {}, files: 1, refused: 0 },
  },
  'run.failed': {
    meaning: 'A run was given up; its files are queued for the next one.',
    data: { run: id, failure: z.string() },
    example: { run: 17, failure: 'given up after 5 attempts; see the log' },
  },
  'run.held': {
    meaning:
      'A run waits for the decision of an operator, and nothing is applied: it changes too much (rule G1), or an import hook or a setting holds it.',
    data: { run: id },
    example: { run: 17 },
  },
  'run.approved': {
    meaning: 'An operator approved a held run.',
    data: { ...decision, until: ms.optional() },
    example: { run: 17, by: 'operator:jo', until: 1_770_000_000_000 },
  },
  'run.rejected': {
    meaning: 'An operator rejected a held run. `requeued`: uploads that wait for the next run.',
    data: { ...decision, uploads: z.array(id), requeued: z.array(id).optional() },
    example: { run: 17, by: 'operator:jo', uploads: [41] },
  },
  'run.undone': {
    meaning: 'The changes of a run were taken back by the run `by`.',
    data: { run: id, by: id },
    isAfterApply: true,
    example: { run: 17, by: 18 },
  },
  'file.refused': {
    meaning: 'A run refused a whole file; nothing of it was applied. `code`: see the import rules.',
    data: { run: id, upload: id.nullable(), type: z.enum(['users', 'teams']).nullable(), code: z.string().nullable() },
    isAfterApply: true,
    example: { run: 17, upload: 41, type: null, code: 'no_rows' },
  },
  'file.quarantined': {
    meaning: 'A file stopped an importer, and no importer reads it again.',
    data: { upload: id, cause: z.enum(['hung', 'memory', 'time', 'check_time']), strikes: count },
    example: { upload: 41, cause: 'memory', strikes: 2 },
  },
  'alarm.opened': {
    meaning:
      'An expected file is missing, much smaller than usual, or never changes; or no files can be taken from a source or a watched folder. More keys have times and sizes.',
    data: alarm,
    isOpen: true,
    example: { kind: 'missing', files: 'users', deadline: 1_770_000_000_000 },
  },
  'alarm.resolved': {
    meaning: 'An alarm ended.',
    data: alarm,
    isOpen: true,
    example: { kind: 'missing', files: 'users', deadline: 1_770_000_000_000 },
  },
  'user.created': {
    meaning: 'A run or an operator created a user.',
    data: user,
    personal: personalUser,
    example: { user: 7, fields: ['User Email', 'User Name', 'Status'] },
  },
  'user.updated': {
    meaning: 'Values of a user changed.',
    data: user,
    personal: personalUser,
    example: { user: 7, fields: ['Manager Email', 'Cost Center'] },
  },
  'user.deactivated': {
    meaning: 'A user was deactivated, or created deactivated.',
    data: user,
    personal: personalUser,
    example: { user: 7, fields: ['Status'] },
  },
  'user.reactivated': {
    meaning: 'A deactivated user is active again.',
    data: user,
    personal: personalUser,
    example: { user: 7, fields: ['Status', 'Deactivation Date'] },
  },
  'user.deactivation_scheduled': {
    meaning: 'The deactivation of a user was scheduled, or moved to another day.',
    data: user,
    personal: personalUser,
    example: { user: 7, fields: ['Deactivation Date'] },
  },
  'user.erased': {
    meaning: 'A person was erased: remove all that you have under this id.',
    data: { user: id, fields },
    example: { user: 7, fields: [] },
  },
  'team.created': {
    meaning: 'A run created a team.',
    data: team,
    personal: ['name', 'changes'],
    example: { team: 3, fields: ['Team Name'] },
  },
  'team.updated': {
    meaning: 'The name, owner, parent or type of a team changed.',
    data: team,
    personal: ['name', 'changes'],
    example: { team: 3, fields: ['Owner Email'] },
  },
  'field.created': {
    meaning: 'A new custom field of users.',
    data: { field: z.string(), label: z.string().nullable() },
    example: { field: 'f0a1b2c3d4e5', label: 'Cost Center' },
  },
  'org.added': { meaning: 'An organization was added.', data: {}, example: {} },
  'org.changed': {
    meaning: 'Settings of an organization changed.',
    data: { settings: z.array(z.string()) },
    example: { settings: ['slot', 'timeZone'] },
  },
  'org.enabled': { meaning: 'SFTP access of an organization was enabled.', data: {}, example: {} },
  'org.disabled': {
    meaning: 'SFTP access of an organization was disabled.',
    data: { reason: z.string().optional() },
    example: { reason: 'plan' },
  },
  'org.removed': { meaning: 'An organization was removed.', data: {}, example: {} },
  'org.sftp_requested': { meaning: 'An admin of an organization asked for SFTP access.', data: {}, example: {} },
  'org.sftp_request_ended': {
    meaning: 'A request for SFTP access ended.',
    data: { reason: z.string().optional() },
    example: { reason: 'plan' },
  },
  'key.added': {
    meaning: 'A login key, password or authority was added.',
    data: { ...key, kind: z.string().optional(), algorithm: z.string().optional(), expiresAt: ms.nullish() },
    example: { key: fingerprint, kind: 'key', algorithm: 'ssh-ed25519', expiresAt: null },
  },
  'key.changed': { meaning: 'The terms of a login key changed.', data: key, example: { key: fingerprint } },
  'key.rotated': {
    meaning: 'Another key replaces a login key, which still works until it expires.',
    data: { ...key, by: z.string(), expiresAt: ms },
    example: { key: fingerprint, by: fingerprint, expiresAt: 1_770_000_000_000 },
  },
  'key.revoked': { meaning: 'A login key was revoked.', data: key, example: { key: fingerprint } },
  'key.expiring': {
    meaning: 'A login key or password expires within 30, 7 or 1 days (`days`).',
    data: { ...key, label: z.string(), expiresAt: ms, days: z.union([z.literal(30), z.literal(7), z.literal(1)]) },
    example: { key: fingerprint, label: 'hr-system', expiresAt: 1_770_000_000_000, days: 7 },
  },
  'login.refused': {
    meaning: 'Connections of an address, or of several, ended without a login; told once a minute.',
    data: { addresses: count, connections: count, address: z.string().optional().describe('personal') },
    personal: ['address'],
    example: { addresses: 1, connections: 12 },
  },
  'penalty.started': {
    meaning:
      'The server closes the connections of an address for a while. Many at once share one event with their number.',
    data: {
      source: z.string().optional().describe('personal: the address'),
      until: ms.optional(),
      inARow: count.optional(),
      cause: z.string().optional(),
      addresses: count.optional(),
    },
    personal: ['source'],
    example: { until: 1_770_000_000_000, inARow: 1, cause: 'wrong keys' },
  },
  'hostkey.added': {
    meaning: 'A host key was added; clients may learn it before it is used.',
    data: hostKey,
    example: { fingerprint, type: 'ssh-ed25519' },
  },
  'hostkey.activated': {
    meaning: 'The server proves itself with another host key from now on.',
    data: hostKey,
    example: { fingerprint, type: 'ssh-ed25519' },
  },
  'hostkey.removed': {
    meaning: 'A host key was removed.',
    data: hostKey,
    example: { fingerprint, type: 'ssh-ed25519' },
  },
  'quota.near': {
    meaning: 'An organization uses 90 % of its storage or of its files.',
    data: { bytes, maxBytes: bytes, files: count, maxFiles: count },
    example: { bytes: 97_000_000_000, maxBytes: 107_374_182_400, files: 2000, maxFiles: 100_000 },
  },
  'disk.low': {
    meaning: 'The disk of the data folder has less than twice the space of `minFreeBytes`.',
    data: { freeBytes: count, minFreeBytes: count, host },
    example: { freeBytes: 400_000_000, minFreeBytes: 268_435_456, host: 'sftp1' },
  },
  'backup.completed': {
    meaning: '`dropslot backup`, or the schedule, made a backup.',
    data: { files: count },
    example: { files: 1204 },
  },
  'backup.failed': {
    meaning: 'A scheduled backup failed; the schedule tries again.',
    data: { reason: z.string() },
    example: { reason: '/mnt/backup (backupTo) is gone: is its volume mounted?' },
  },
  'backup.overdue': {
    meaning: 'No backup was made for `backupOverdueDays`, or with `backupTo` for twice `backupEvery`.',
    data: { since: ms, days: count },
    example: { since: 1_769_000_000_000, days: 8 },
  },
  'doctor.wrong': {
    meaning: '`dropslot doctor` found something wrong that it did not find before on that machine.',
    data: { checks: z.array(z.string()), wrong: count, host },
    example: { checks: ['blobs'], wrong: 2, host: 'sftp1' },
  },
  'report.weekly': {
    meaning: 'The week of an organization in numbers, on Mondays at 08:00 of its time zone.',
    data: {
      since: ms,
      runs: count,
      ...{ created: count, updated: count, deactivated: count, faults: count, refused: count, alarms: count },
    },
    example: {
      ...{ since: 1_770_000_000_000, runs: 7, created: 3, updated: 40, deactivated: 1, faults: 2, refused: 0 },
      alarms: 0,
    },
  },
  'audit.head': {
    meaning:
      'Once a day: the number of audit records and the hash of the last one. Kept elsewhere it proves that none was removed.',
    data: { count, hash: z.string() },
    example: { count: 4120, hash: 'ab'.repeat(32) },
  },
  'export.due': {
    meaning: 'The time of a daily export has come (`exports add --when daily@04:00`).',
    data: { export: z.string() },
    example: { export: 'sub_1a2b3c4d5e6f7081' },
  },
  'webhook.disabled': {
    meaning:
      'A webhook, command, mail address, handler or export was disabled because its deliveries failed for three days, or because it said that it is gone. Of an export: or because its server has another host key.',
    data: { subscriber: z.string(), kind: z.string(), reason: z.string(), failures: count },
    example: { subscriber: 'sub_1a2b3c4d5e6f7081', kind: 'webhook', reason: 'HTTP 410', failures: 1 },
  },
  'webhook.test': {
    meaning:
      'An operator tests a subscriber (`webhooks test`, `hooks test`); it is in no list, and is not tried again.',
    data: {},
    example: {},
  },
};

/** In the order of the documentation. */
export const eventTypes: readonly EventType[] = Object.entries(rows).map(([name, row]) => ({
  ...{ name, meaning: row.meaning, example: row.example, personal: row.personal ?? [] },
  ...{
    isAfterApply: row.isAfterApply === true,
    data: row.isOpen === true ? z.looseObject(row.data) : z.strictObject(row.data),
  },
}));

const byName = new Map(eventTypes.map((type) => [type.name, type]));

/** null: no such type. */
export function findType(name: string): EventType | null {
  return byName.get(name) ?? null;
}

/** Whether its events are in the directory database: those of users, teams and fields. */
export function isOfDirectory(name: string): boolean {
  return /^(user|team|field)\./.test(name);
}

/** The types that fit one of the patterns: `*`, `run.*`, `run.held`; null: one of them fits no type. */
export function matchTypes(patterns: readonly string[]): string[] | null {
  const fits = (pattern: string, name: string) =>
    pattern === '*' || pattern === name || (pattern.endsWith('.*') && name.startsWith(pattern.slice(0, -1)));
  if (patterns.some((pattern) => !eventTypes.some(({ name }) => fits(pattern, name)))) return null;
  return eventTypes.map(({ name }) => name).filter((name) => patterns.some((pattern) => fits(pattern, name)));
}

/** As matchTypes, without the patterns that fit no type: a newer version may have known them. */
export function typesOf(patterns: readonly string[]): string[] {
  return matchTypes(patterns.filter((pattern) => matchTypes([pattern]) !== null)) ?? [];
}
