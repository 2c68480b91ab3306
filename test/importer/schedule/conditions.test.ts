/** Conditions have one event when they begin, and another one only after they ended; old events are removed, those that wait are kept. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSilentLogger } from '../../../config/logger.js';
import { settingsSchema } from '../../../config/settings.js';
import { recordAudit } from '../../../db/control/audit.js';
import { listMarks, mark } from '../../../db/control/eventmarks.js';
import { readEvents, recordEvent } from '../../../db/control/events.js';
import { disableSubscriber } from '../../../db/control/eventsubscribers.js';
import { insertLoginKey, revokeLoginKey } from '../../../db/control/keys.js';
import { insertOrg, updateOrg } from '../../../db/control/orgs.js';
import { putPenalties } from '../../../db/control/penalties.js';
import { recordErased } from '../../../db/directory/events.js';
import { findType } from '../../../events/types.js';
import { type ConditionDeps, lookAtConditions } from '../../../importer/schedule/conditions.js';
import { removeOldEvents } from '../../../importer/schedule/eventretention.js';
import { onBothDatabases, openFresh, type TestDatabases } from '../../support/databases.js';
import { subscribe } from '../../support/events.js';
import { sampleOrg } from '../../support/samples.js';

const dayMs = 86_400_000;
const start = Date.UTC(2026, 2, 10);
const all = { after: 0, to: Number.MAX_SAFE_INTEGER, limit: 1000 };

async function told({ control }: Pick<TestDatabases, 'control'>): Promise<string[]> {
  const events = await readEvents(control.read, all);
  for (const { type, data } of events) findType(type)!.data.parse(data);
  const own = events.filter(({ type }) => type !== 'backup.completed');
  return own.map(({ type, org, data }) => [type, org, data.days].filter((one) => one != null).join(' '));
}

/** As `dropslot backup` does. */
function noteBackup({ write }: TestDatabases['control'], at: number): Promise<void> {
  return recordAudit(write, { at, org: null, actor: 'a', action: 'backup.made', subject: '/b', detail: { files: 1 } });
}

function conditionsOf({ control, settings }: TestDatabases, now: () => number, host?: string): ConditionDeps {
  return { control, settings, now, host, logger: createSilentLogger() };
}

onBothDatabases('conditions', (open) => {
  test('a key that expires has an event 30, 7 and 1 days before, and none once it is revoked', async (t) => {
    const databases = await open(t);
    const { control } = databases;
    let clock = start;
    const deps = conditionsOf(databases, () => clock);
    await insertOrg(control.write, sampleOrg('acme'));
    const key = { org: 'acme', algorithm: 'ssh-ed25519', publicKey: '', label: 'hr', sources: [], createdAt: start };
    await insertLoginKey(control.write, { ...key, fingerprint: 'SHA256:one', expiresAt: start + 40 * dayMs });
    await insertLoginKey(control.write, { ...key, fingerprint: 'SHA256:two', expiresAt: start + 400 * dayMs });
    await insertLoginKey(control.write, { ...key, fingerprint: 'SHA256:six', expiresAt: start + 60 * dayMs });
    await noteBackup(control, start + 100 * dayMs);
    for (const day of [0, 9, 10.5, 20, 29, 30.5, 32, 33.5, 38, 39.5, 41]) {
      clock = start + day * dayMs;
      await lookAtConditions(deps);
    }
    const expected = ['key.expiring acme 30', 'key.expiring acme 30', 'key.expiring acme 7', 'key.expiring acme 1'];
    assert.deepEqual((await told(databases)).sort(), expected.sort());
    await revokeLoginKey(control.write, 'acme', 'SHA256:six', clock, 'command');
    clock = start + 59.5 * dayMs;
    await lookAtConditions(deps);
    assert.equal((await told(databases)).length, 4);
  });

  test('old events are removed, but not those that an enabled subscriber waits for, within a bound', async (t) => {
    const databases = await open(t);
    const { control, directory } = databases;
    let clock = start;
    const settings = settingsSchema.parse({ eventDays: 10 });
    const remove = () =>
      removeOldEvents({ control, directory, settings, logger: createSilentLogger(), now: () => clock });
    const record = async () => {
      await recordEvent(control.write, { at: clock, org: null, type: 'org.added', subject: '', data: {} });
      await directory.transact((tx) => recordErased(tx, 'acme', 1, clock));
    };
    await record();
    await subscribe(databases, { id: 's' });
    await record();
    clock += 11 * dayMs;
    await record();
    assert.deepEqual(await remove(), { control: 1, directory: 1 });
    clock += 10 * dayMs;
    assert.deepEqual(await remove(), { control: 1, directory: 1 }, 'twice eventDays is the bound');
    await record();
    await disableSubscriber(control.write, 's', 'test');
    clock += 0.5 * dayMs;
    assert.deepEqual(await remove(), { control: 1, directory: 1 });
    assert.equal((await readEvents(control.read, all)).length, 1);
  });

  test('events from when the clock was ahead are as old as those after them, and keep none of these', async (t) => {
    const { control, directory } = await open(t);
    let clock = start;
    const settings = settingsSchema.parse({ eventDays: 10 });
    const record = async (at: number) => {
      await recordEvent(control.write, { at, org: null, type: 'org.added', subject: '', data: {} });
      await directory.transact((tx) => recordErased(tx, 'acme', 1, at));
    };
    for (const day of [0, 365, 366, 1, 12]) await record(start + day * dayMs);
    clock += 10.5 * dayMs;
    const remove = () =>
      removeOldEvents({ control, directory, settings, logger: createSilentLogger(), now: () => clock });
    assert.deepEqual(await remove(), { control: 1, directory: 1 }, 'those after them are not old yet');
    clock += 1 * dayMs;
    assert.deepEqual(await remove(), { control: 3, directory: 3 });
    assert.equal((await readEvents(control.read, all)).length, 1);
  });
});

test('quota, disk and backup have one event while the condition lasts', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const { control } = databases;
  let clock = start;
  const deps = conditionsOf(databases, () => clock);
  await insertOrg(control.write, sampleOrg('acme'));
  const look = async (change: Partial<ConditionDeps['settings']> = {}) =>
    lookAtConditions({ ...deps, settings: { ...databases.settings, ...change } });
  await look();
  assert.deepEqual(await told(databases), []);
  await look(low);
  await look(low);
  await look();
  await look(low);
  assert.deepEqual(await told(databases), ['disk.low', 'disk.low']);
  const full = { maxFiles: 0 };
  await updateOrg(control.write, 'acme', { limits: full });
  await look();
  await look();
  await updateOrg(control.write, 'acme', { limits: {} });
  clock += 8 * dayMs;
  await look();
  await look();
  await noteBackup(control, clock);
  await look();
  clock += 8 * dayMs;
  await look();
  assert.deepEqual((await told(databases)).slice(2), ['quota.near acme', 'backup.overdue 8', 'backup.overdue 8']);
  await look({ backupOverdueDays: 0 });
});

const low = { minFreeBytes: Number.MAX_SAFE_INTEGER };

test('the full disk of one node of several has one event, and those of two nodes have two', async (t) => {
  const databases = await openFresh(t, 'postgres');
  const { control, settings } = databases;
  let clock = start;
  const look = (host: string, change: Partial<ConditionDeps['settings']> = {}) =>
    lookAtConditions({ ...conditionsOf(databases, () => clock, host), settings: { ...settings, ...change } });
  const hosts = async () =>
    (await readEvents(control.read, all)).filter(({ type }) => type === 'disk.low').map(({ data }) => data.host);
  await mark(control.write, 'disk.low:', start); // of a version that knew no nodes
  for (let round = 0; round < 3; round++) {
    await look('web_1', low);
    await look('webx1');
  }
  assert.deepEqual(await hosts(), ['web_1']);
  await look('webx1', low);
  await look('web_1');
  await look('webx1', low);
  await look('web_1', low);
  assert.deepEqual(await hosts(), ['web_1', 'webx1', 'web_1']);
  // web_1 is switched off; webx1 is not.
  for (let day = 0; day <= 100; day += 20) {
    clock = start + day * dayMs;
    await look('webx1', low);
  }
  assert.deepEqual((await hosts()).length, 3);
  assert.deepEqual(await listMarks(control.read, 'disk.low'), ['disk.low@webx1:']);
});

test('the one server on SQLite is the same one under another name of its host', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  for (const host of ['4f1e', '9a0b'])
    await lookAtConditions({
      ...conditionsOf(databases, () => start, host),
      settings: { ...databases.settings, ...low },
    });
  assert.deepEqual(await told(databases), ['disk.low']);
});

test('penalties have an event each, and many at once share one', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const penalty = (n: number) => ({ source: `192.0.2.${n}`, until: 5, strikes: 1, cause: 'wrong keys', beganAt: n });
  await putPenalties(databases.control.write, [penalty(1), penalty(2)]);
  await putPenalties(
    databases.control.write,
    Array.from({ length: 100 }, (_, n) => penalty(n)),
  );
  const events = await readEvents(databases.control.read, all);
  assert.equal((await told(databases)).length, 2 + 20 + 1);
  assert.deepEqual(events.at(-1)!.data, { addresses: 80 });
});
