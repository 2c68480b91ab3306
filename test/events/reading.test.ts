/** Events that can't be read, or that name more than a statement takes: one subscriber waits, the others get theirs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { insertDelivery, keptDeliveries, listDeliveries } from '../../db/control/eventdeliveries.js';
import { recordEvent } from '../../db/control/events.js';
import { readDirectoryEvents, recordDirectoryEvents } from '../../db/directory/events.js';
import { envelopesOf } from '../../events/envelope.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { deliverTo, placeOf, Receiver, subscribe } from '../support/events.js';

const event = (type: string) => ({ at: 1, org: null, type, subject: type, data: {} });

test('an event that can not be read postpones its subscriber, and stops no other', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const { control } = databases;
  for (const id of ['bad', 'broken', 'good'])
    await subscribe(databases, { id, types: [id === 'bad' ? 'org.*' : 'run.*'] });
  await recordEvent(control.write, event('org.added'));
  await control.write('events').update({ data: '{' });
  await control.write('subscribers').where({ id: 'broken' }).update({ types: '[' });
  await recordEvent(control.write, event('run.held'));
  let clock = 1_000_000;
  const receiver = new Receiver();
  const deliveries = deliverTo(t, databases, receiver, { now: () => clock });
  await receiver.until(() => receiver.events('good').length === 1);
  while ((await placeOf(databases, 'bad')).failures === 0) await new Promise(setImmediate);
  const { failures, nextAt, position, state } = await placeOf(databases, 'bad');
  assert.deepEqual([failures, nextAt, position.control, state], [1, clock + 5_000, 0, 'enabled']);
  const [attempt] = await listDeliveries(control.read, 'bad', 10);
  assert.deepEqual([attempt!.outcome, attempt!.events], ['failed', 0]);
  assert.match(attempt!.detail, /could not be read/);
  await control.write('events').where({ type: 'org.added' }).update({ data: '{}' });
  await control.write('subscribers').where({ id: 'broken' }).update({ types: '["run.*"]' });
  clock += 5_000;
  await receiver.until(() => receiver.events('bad').length === 1 && receiver.events('broken').length === 1);
  await deliveries.stop();
});

test('events that can not be read for a week disable no subscriber', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  await subscribe(databases, { id: 's' });
  await recordEvent(databases.control.write, event('org.added'));
  await databases.control.write('events').update({ data: '{' });
  let clock = 1_000_000;
  const deliveries = deliverTo(t, databases, new Receiver(), { now: () => clock });
  for (let failed = 1; clock < 1_000_000 + 7 * 86_400_000; failed++) {
    while ((await placeOf(databases, 's')).failures < failed) await new Promise(setImmediate);
    clock = (await placeOf(databases, 's')).nextAt!;
    deliveries.wake();
  }
  assert.equal((await placeOf(databases, 's')).state, 'enabled');
  await deliveries.stop();
});

onBothDatabases('large batches', (open) => {
  test('1,000 new users with 70 custom fields each are one batch', async (t) => {
    const { directory } = await open(t);
    const custom = Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`f${n}`, 'x']));
    await directory.transact(async (tx) => {
      const numbers = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)';
      const after = JSON.stringify({ 'User Email': 'a@acme.test', custom });
      await tx.raw(
        `INSERT INTO changes (org_id, run_id, upload_id, line, entity, entity_id, field, before, after, at)
         ${numbers} SELECT 'acme', 1, 1, i, 'user', CAST(i AS TEXT), '', NULL, CAST(? AS TEXT), 5 FROM n`,
        [after],
      );
      await recordDirectoryEvents(tx, 'acme', 0, 5);
    });
    const events = await readDirectoryEvents(directory.read, { after: 0, to: 1000, limit: 1000 });
    const envelopes = await envelopesOf(directory.read, events, true);
    assert.equal(envelopes.length, 1000);
    assert.equal((envelopes[999]!.data.fields as string[]).length, 71);
  });
});

test('the log keeps the last deliveries of each subscriber, whichever numbers theirs have', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const { control } = databases;
  for (const id of ['odd', 'even']) await subscribe(databases, { id });
  const row = { at: 1, ms: 1, type: 'org.added', events: 1, attempt: 1, detail: 'HTTP 204' };
  const count = 1390;
  const rows = Array.from({ length: count }, (_, n) => ({
    ...{ ...row, id: n + 1, subscriber_id: n % 2 === 0 ? 'odd' : 'even', event_id: `evt_${n}`, outcome: 'delivered' },
  }));
  await control.transact(async (tx) => {
    for (let from = 0; from < count; from += 90) await tx('deliveries').insert(rows.slice(from, from + 90));
    for (let n = count; n < 1400; n++) {
      const subscriber = n % 2 === 0 ? 'odd' : 'even';
      await insertDelivery(tx, { ...row, subscriber, event: `evt_${n}`, outcome: 'delivered' });
    }
  });
  for (const id of ['odd', 'even']) assert.equal((await listDeliveries(control.read, id, 9999)).length, keptDeliveries);
});
