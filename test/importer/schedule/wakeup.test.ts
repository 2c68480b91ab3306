/** Slots begin at the instant that the calendar computes, whatever the clocks do; one job wakes for all organizations. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import schedule from 'node-schedule';
import { createSilentLogger, type Logger } from '../../../config/logger.js';
import type { Db } from '../../../db/connection.js';
import { insertBlob } from '../../../db/control/blobs.js';
import { insertOrg, updateOrg } from '../../../db/control/orgs.js';
import { listRuns } from '../../../db/control/runs.js';
import { insertUpload } from '../../../db/control/uploads.js';
import { startSlots } from '../../../importer/schedule/slots.js';
import { createWakeUp } from '../../../importer/schedule/wakeup.js';
import { openFresh } from '../../support/databases.js';
import { sampleOrg } from '../../support/samples.js';
import { keepingLogger } from '../../support/session.js';

const minuteMs = 60_000;
const at = (text: string) => Date.parse(text);

/** Timers and the clock stand at `from`, and move when the test moves them. */
function stopClock(t: TestContext, from: string): void {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: at(from) });
}

/** Waits for input and output, which needs none of the timers. */
async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let turn = 0; turn < 100_000; turn++) {
    if (await holds()) return;
    await new Promise(setImmediate);
  }
  throw new Error(`waited in vain: ${what}`);
}

interface Started {
  control: Db;
  start(logger?: Logger): Promise<{ stop(): Promise<void> }>;
  /** How often slots were opened. */
  opened(): number;
}

async function prepare(t: TestContext, from: string): Promise<Started> {
  stopClock(t, from);
  // Registered first, so that it runs before the databases are closed.
  let slots: { stop(): Promise<void> } | undefined;
  t.after(() => slots?.stop());
  const { control } = await openFresh(t, 'sqlite');
  let opened = 0;
  const onOpen = () => {
    opened++;
  };
  const start = async (logger = createSilentLogger()) => {
    slots = await startSlots({ control, logger, now: Date.now, onOpen });
    return slots;
  };
  return { control, start, opened: () => opened };
}

/** A file that waits in the queue for ever: no run of these tests is worked on. */
async function queueFile(control: Db, org: string): Promise<void> {
  const blob = { id: `blob of ${org}`, org, size: 1, sealedSize: 1, sha256: '', sealedTo: null, createdAt: 0 };
  await insertBlob(control.write, blob);
  const sent = { keyFingerprint: null, address: null, client: null, begunAt: 0, closedAt: 0 };
  await insertUpload(control.write, { org, path: '/users.csv', blobId: blob.id, state: 'queued', ...sent });
}

/** The slot of an organization waits while it has a run. */
async function endRuns(control: Db): Promise<void> {
  await control.write('runs').update({ state: 'done' });
}

/** Until work that a tick began is over: nothing asks the database any more, while a few queries of ours are answered. */
async function settle(control: Db): Promise<void> {
  const ours = 20;
  let asked = 0;
  const count = () => {
    asked++;
  };
  for (const knex of [control.read, control.write]) knex.on('query', count);
  do {
    asked = 0;
    for (let turn = 0; turn < ours; turn++) await control.read('orgs').count();
  } while (asked > ours);
  for (const knex of [control.read, control.write]) knex.off('query', count);
}

const nights: [name: string, timeZone: string, slot: string, from: string, instants: string[]][] = [
  [
    'a skipped hour moves the slot later that night',
    'Europe/Berlin',
    '02:30',
    '2026-03-28T01:30:00Z',
    ['2026-03-29T01:30:00Z', '2026-03-30T00:30:00Z'],
  ],
  [
    'a repeated hour has the slot once, the first time',
    'Europe/Berlin',
    '02:30',
    '2026-10-24T00:30:00Z',
    ['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
  ],
  [
    'clocks that move by half an hour',
    'Australia/Lord_Howe',
    '01:45',
    '2026-04-03T14:45:00Z',
    ['2026-04-04T14:45:00Z', '2026-04-05T15:15:00Z'],
  ],
  [
    'a skipped midnight',
    'Africa/Cairo',
    '00:15',
    '2026-04-22T22:15:00Z',
    ['2026-04-23T22:15:00Z', '2026-04-24T21:15:00Z'],
  ],
  [
    'several slots a day',
    'UTC',
    '14:00,02:00',
    '2026-01-10T02:00:00Z',
    ['2026-01-10T14:00:00Z', '2026-01-11T02:00:00Z'],
  ],
];

for (const [name, timeZone, slot, from, instants] of nights) {
  test(`slots are opened at their time: ${name}`, async (t) => {
    const { control, start, opened } = await prepare(t, from);
    await insertOrg(control.write, sampleOrg('acme', { timeZone, slot }));
    await queueFile(control, 'acme');
    await start();
    const runs = async () => (await listRuns(control.read, 'acme')).map(({ openedAt }) => openedAt).reverse();
    const expected = [at(from)];
    assert.deepEqual(await runs(), expected);
    for (const instant of instants) {
      await endRuns(control);
      // The round of the minute that passes begins no slot, and begins its pause anew: the job alone opens the slot.
      t.mock.timers.tick(at(instant) - Date.now() - 1);
      await settle(control);
      assert.deepEqual(await runs(), expected, `not before ${instant}`);
      t.mock.timers.tick(1);
      expected.push(at(instant));
      await until(() => opened() === expected.length, `a slot at ${instant}`);
      assert.deepEqual(await runs(), expected);
      await until(() => Object.keys(schedule.scheduledJobs).length === 1, 'the next slot is planned');
    }
  });
}

test('however many organizations there are, one job waits, and a slot costs nothing to those that have another', async (t) => {
  const { control, start, opened } = await prepare(t, '2026-01-10T12:59:30Z');
  for (let n = 0; n < 60; n++)
    await insertOrg(control.write, sampleOrg(`org${n}`, { slot: n === 0 ? '13:00' : '02:00', timeZone: 'UTC' }));
  await queueFile(control, 'org0');
  const slots = await start();
  assert.equal(opened(), 1, 'the missed slots');
  await endRuns(control);
  const passed = await control.read('orgs').where('slot_mark', '>', 0).count({ count: '*' }).first();
  assert.equal(passed!.count, 60, 'slots without files are over');
  assert.equal(Object.keys(schedule.scheduledJobs).length, 1);
  let queries = 0;
  for (const knex of [control.read, control.write])
    knex.on('query', () => {
      queries++;
    });
  t.mock.timers.tick(30_000);
  await until(() => opened() === 2, 'the slot of one organization');
  await slots.stop();
  assert.equal(Object.keys(schedule.scheduledJobs).length, 0);
  assert.ok(queries < 20, `${queries} queries`);
});

test('two thousand idle organizations write nothing in a minute', async (t) => {
  const { control, start } = await prepare(t, '2026-01-10T12:00:00Z');
  const orgs = Array.from({ length: 2_000 }, (_, n) => sampleOrg(`org${n}`, { timeZone: 'UTC' }));
  await control.transact(async (tx) => {
    for (const org of orgs) await insertOrg(tx, org);
  });
  await start();
  const written: string[] = [];
  let read = 0;
  control.write.on('query', ({ sql }: { sql: string }) => written.push(sql));
  control.read.on('query', () => {
    read++;
  });
  t.mock.timers.tick(minuteMs);
  await until(() => read > 0, 'a look');
  await settle(control);
  assert.deepEqual(written, []);
});

test('a slot that changed, and a new organization, are followed within a minute; a failure is logged, and retried within seconds', async (t) => {
  const { control, start, opened } = await prepare(t, '2026-01-10T12:08:50Z');
  await insertOrg(control.write, sampleOrg('acme', { slot: '02:00', timeZone: 'UTC' }));
  await queueFile(control, 'acme');
  const { logger, lines } = keepingLogger();
  await start(logger);
  assert.equal(opened(), 1);
  await endRuns(control);
  await updateOrg(control.write, 'acme', { slot: '12:10', slotsFrom: Date.now() });
  await control.write.schema.renameTable('orgs', 'mislaid');
  t.mock.timers.tick(minuteMs);
  await until(() => lines.length > 1, 'a log line');
  assert.match(lines.at(-1)!, /could not open the slots that are due; will retry in 5 s/);
  await control.write.schema.renameTable('mislaid', 'orgs');
  await settle(control);
  t.mock.timers.tick(5_000);
  await settle(control);
  t.mock.timers.tick(at('2026-01-10T12:10:00Z') - Date.now());
  await until(() => opened() === 2, 'the slot at its new time');
  assert.equal((await listRuns(control.read, 'acme'))[0]!.openedAt, at('2026-01-10T12:10:00Z'));
});

test('a wake-up is on time by a clock of its own, moves, and is cancelled', (t) => {
  stopClock(t, '2026-06-01T00:00:00Z');
  const woken: number[] = [];
  const behind = () => Date.now() - 1_000_000;
  const wakeUp = createWakeUp(behind, (instant) => woken.push(instant));
  const soon = behind() + 5_000;
  wakeUp.set(soon + 60_000);
  wakeUp.set(soon);
  wakeUp.set(soon);
  t.mock.timers.tick(4_999);
  assert.deepEqual(woken, []);
  t.mock.timers.tick(1);
  assert.deepEqual(woken, [soon]);
  wakeUp.set(behind());
  t.mock.timers.tick(10);
  assert.deepEqual(woken, [soon, behind() - 10], 'an instant that has passed');
  wakeUp.set(behind() + 5_000);
  wakeUp.cancel();
  wakeUp.set(null);
  t.mock.timers.tick(100_000);
  assert.equal(woken.length, 2);
  assert.equal(Object.keys(schedule.scheduledJobs).length, 0);
});
