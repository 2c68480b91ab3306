/** The bound on audit records that clients cause: the neighbour's are all written, and a summary tells what was folded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openControl } from '../../db/connection.js';
import { listAudit, readHead, recordAudit } from '../../db/control/audit.js';
import type { AuditEvent } from '../../db/control/auditchain.js';
import { AuditRate } from '../../db/control/auditrate.js';
import { onBothDatabases } from '../support/databases.js';

const at = Date.UTC(2026, 2, 10);

function eventOf(action: string, org = 'mallory', actor = 'key:SHA256:m'): AuditEvent {
  return { at, org, actor, action, subject: '/users.csv', detail: {} };
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

test('past the rate reads are summed up, uploads written, and neighbours and operators not touched', () => {
  const clock = { now: 0 };
  const rate = new AuditRate(60, () => clock.now);
  const first = rate.admit(times(700, () => eventOf('file.read')));
  assert.equal(first.events.length, 600);
  const others = [
    ...times(5, () => eventOf('file.read', 'acme')),
    eventOf('file.read', 'mallory', 'operator:jane'),
    eventOf('upload.closed'),
    eventOf('login.accepted'),
  ];
  assert.equal(rate.admit(others).events.length, 7);
  assert.deepEqual([rate.waitMs('mallory'), rate.waitMs('acme')], [1000, 0]);
  clock.now = 60_000;
  const [summary, ...rest] = rate.admit([]).events;
  assert.equal(rest.length, 0);
  const { org, actor, action, detail } = summary!;
  assert.deepEqual([org, actor, action], ['mallory', 'system', 'audit.folded']);
  assert.deepEqual([detail.records, detail.counts], [101, { 'file.read': 100, 'login.accepted': 1 }]);
  assert.deepEqual([rate.hasFolded, rate.admit([eventOf('file.read')]).events.length], [false, 1]);
});

test('a sender of uploads waits longer the more it sends, up to a few seconds', () => {
  const rate = new AuditRate(60, () => 0);
  rate.admit(times(603, () => eventOf('upload.closed')));
  assert.equal(rate.waitMs('mallory'), 3000);
  rate.admit(times(60, () => eventOf('upload.closed')));
  assert.equal(rate.waitMs('mallory'), 5000);
});

test('records that were not committed do not count', () => {
  const rate = new AuditRate(60, () => 0);
  let told = 0;
  rate.observe((_, records) => {
    told += records;
  });
  for (let turn = 0; turn < 100; turn++) rate.admit(times(20, () => eventOf('upload.closed'))).undo();
  assert.equal(rate.waitMs('mallory'), 0);
  assert.equal(told, 0);
  assert.equal(rate.admit(times(700, () => eventOf('file.read'))).events.length, 600);
});

test('a transaction that fails changes neither the summary nor its time', () => {
  const clock = { now: 0 };
  const rate = new AuditRate(60, () => clock.now);
  rate.admit(times(605, () => eventOf('file.read')));
  rate.admit(times(3, () => eventOf('file.read'))).undo();
  clock.now = 60_000;
  const told = rate.admit([]);
  assert.equal(told.events[0]!.detail.records, 5);
  told.undo();
  assert.equal(rate.admit([]).events[0]!.detail.records, 5);
});

onBothDatabases('audit rate', (open) => {
  test('the records that were summed up are told when the database is closed, and the chain is whole', async (t) => {
    const { settings } = await open(t);
    const control = await openControl(settings);
    const flood = times(6100, () => eventOf('file.read'));
    await control.transact(async (tx) => {
      for (const event of flood) await recordAudit(tx, event);
    });
    assert.equal(control.auditRate!.hasFolded, true);
    // A slow machine writes the summary meanwhile.
    const admitted = control.read('audit').whereNot({ action: 'audit.folded' });
    assert.equal(Number((await admitted.count({ n: '*' }).first())!.n), settings.auditRecordsPerMinute * 10);
    await control.close();
    const later = await openControl(settings);
    t.after(() => later.close());
    const [summary] = (await listAudit(later.read, 'mallory')).filter(({ action }) => action === 'audit.folded');
    assert.equal(summary!.detail.records, 100);
    assert.equal((await readHead(later.read)).count, 6001);
  });
});
