/** `dropslot status` is one screen of 80 columns and 24 lines, however much is held or wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wrapRecords } from '../../cli/output.js';
import { renderStatus, statusTints } from '../../cli/views/status.js';
import { displayWidth } from '../../cli/width.js';
import type { Status } from '../../operations/status.js';

const now = Date.UTC(2026, 2, 10, 9);

const calm: Status = {
  ...{ version: '1.0.0', database: 'sqlite', store: null, workers: [], held: [], alarms: [], openAlarms: 0 },
  ...{ commitWait: null, writeFault: null },
  organizations: { all: 300, enabled: 290 },
  ...{ importerSeenAt: now, queue: { files: 0, oldestAt: null }, nextSlots: [], expiringKeys: [], allExpiringKeys: 0 },
  runs: { open: 0, running: 0, held: 0, failedLastDay: 0 },
  disk: { folder: '/data', freeBytes: 5e9, totalBytes: 9e9, minFreeBytes: 1e9 },
  ...{ lastBackupAt: now, isBackupOverdue: false, scheduledBackups: null },
};

const times = <T>(number: number, make: (index: number) => T): T[] =>
  Array.from({ length: number }, (_, at) => make(at));
const org = (index: number) => `subsidiary-of-the-group-${index}`;
const message = (hour: number) => `no users file came by 2026-03-10 ${hour}:00 (America/Argentina/Buenos_Aires)`;

const busy: Status = {
  ...calm,
  held: times(20, (at) => ({ run: 1000 + at, org: org(at) })),
  alarms: times(20, (at) => ({ org: org(at), kind: 'missing', subject: 'users', message: message(at) })),
  openAlarms: 118,
  allExpiringKeys: 90,
  nextSlots: times(5, (at) => ({ org: org(at), at: now })),
  expiringKeys: times(20, (at) => ({ org: org(at), fingerprint: `SHA256:${'x'.repeat(43)}`, expiresAt: now })),
  runs: { open: 3, running: 2, held: 45, failedLastDay: 4 },
};

const worst: Status = {
  ...busy,
  store: { name: 's3://bucket', fault: 'the store does not answer. '.repeat(30) },
  workers: times(12, (number) => ({
    ...{ server: 'a', number, pid: 1, connections: 1000, memoryBytes: 1, processorMs: 1, restarts: 3 },
  })) as Status['workers'],
  importerSeenAt: now - 3_600_000,
  queue: { files: 4000, oldestAt: now },
  disk: { ...calm.disk, freeBytes: 5 },
  isBackupOverdue: true,
  scheduledBackups: {
    ...{
      to: 'sftp://backup@backup.example.test/srv/backups/dropslot',
      keep: 7,
      nextAt: null,
      begunAt: now,
      folder: null,
    },
    ...{ failedAt: now, failure: 'the server refused the connection. '.repeat(30) },
  } as unknown as Status['scheduledBackups'],
};

test('many held runs and alarms are counted, and the first of them are named', () => {
  const text = renderStatus(busy, 3, now);
  assert.match(text, /\nHeld: +run 1000 of \S+ · .* · and 4[0-4] more: dropslot runs list --state held\n/);
  assert.match(
    text,
    /\nAlarms: +subsidiary-of-the-group-0: no users file came .* · and 11[0-7] more: dropslot alarms list\n/,
  );
  assert.match(text, /\nKeys: .* · and (8[7-9]|90) more: dropslot keys list ORG$/);
  const few = renderStatus({ ...busy, held: busy.held.slice(0, 2), runs: { ...busy.runs, held: 2 } }, 3, now);
  assert.match(few, /\nHeld: +run 1000 of subsidiary-of-the-group-0 · run 1001 of subsidiary-of-the-group-1\n/);
});

test('it is one screen', () => {
  for (const status of [calm, busy, worst]) {
    const lines = wrapRecords(renderStatus(status, 3, now), 80).split('\n');
    assert.ok(lines.length <= 23, lines.join('\n'));
    for (const line of lines) assert.ok(displayWidth(line) <= 80, line);
  }
});

test('the names of values that ask for a person are painted', () => {
  assert.deepEqual(statusTints(calm, now), {});
  assert.deepEqual(statusTints(busy, now), {
    'Runs:': 'red',
    'Held:': 'yellow',
    'Alarms:': 'yellow',
    'Keys:': 'yellow',
  });
  assert.equal(Object.keys(statusTints(worst, now)).length, 9);
});
