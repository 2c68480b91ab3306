/** What changes at a subscriber while its receiver is waited for: the end of the attempt undoes none of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSilentLogger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { insertReplay, listDeliveries } from '../../db/control/eventdeliveries.js';
import { lastEvent, recordEvent } from '../../db/control/events.js';
import {
  deleteSubscriber,
  disableSubscriber,
  enableSubscriber,
  skipToNow,
  takeLease,
} from '../../db/control/eventsubscribers.js';
import { lastDirectoryEvent, recordErased } from '../../db/directory/events.js';
import { deliverNext } from '../../events/attempt.js';
import type { Deliverer, Outcome } from '../../events/deliverer.js';
import { onBothDatabases, type TestDatabases } from '../support/databases.js';
import { placeOf, subscribe } from '../support/events.js';
import { beforeStatement } from '../support/interleave.js';

const now = 400_000_000;
const delivered: Outcome = { result: 'delivered', detail: 'ok' };
const failed: Outcome = { result: 'failed', detail: 'HTTP 500' };
const gone: Outcome = { result: 'gone', detail: 'HTTP 410' };

/** The subscriber `s`, whose lease this node has, and three events that it has not had. */
async function openLeased(databases: TestDatabases, options = {}) {
  const { control, directory } = databases;
  await subscribe(databases, { id: 's', options });
  for (let at = 1; at <= 3; at++) await addEvent(control);
  await directory.transact(async (tx) => {
    for (let at = 1; at <= 3; at++) await recordErased(tx, 'acme', at, at);
  });
  assert.ok(await takeLease(control.write, 's', 'this', now, 60_000));
  const attempt = async (deliver: () => Promise<Outcome>, change: Partial<TestDatabases & Deliverer> = {}) => {
    const { control: ownControl = control, directory: ownDirectory = directory, ...receiver } = change;
    const deps = { control: ownControl, directory: ownDirectory, logger: createSilentLogger(), now: () => now };
    const deliverer = { kind: 'test', concurrency: 1, deliver, ...receiver };
    const subscriber = await placeOf(databases, 's');
    return deliverNext({ ...deps, owner: 'this' }, subscriber, deliverer, new AbortController().signal);
  };
  const enableFromNow = async () => {
    await control.transact((tx) => disableSubscriber(tx, 's', 'disabled by an operator'));
    await addEvent(control);
    const last = await lastDirectoryEvent(directory.read);
    await control.transact(async (tx) => {
      await enableSubscriber(tx, 's');
      await skipToNow(tx, 's', last);
    });
  };
  /** An attempt during which `change` is made notes nothing: the subscriber is as `change` left it. */
  const leavesAlone = async (change: () => Promise<unknown>, outcome: Outcome) => {
    let expected: unknown;
    const deliver = async () => {
      await change();
      expected = await placeOf(databases, 's');
      return outcome;
    };
    assert.equal(await attempt(deliver), 'idle');
    assert.deepEqual(await placeOf(databases, 's'), expected);
  };
  return { control, attempt, enableFromNow, leavesAlone };
}

function addEvent({ write }: Db) {
  return recordEvent(write, { at: 1, org: null, type: 'org.added', subject: 'acme', data: {} });
}

onBothDatabases('a subscriber that is disabled, and enabled from now on, during an attempt', (open) => {
  for (const outcome of [delivered, failed, gone])
    test(`${outcome.result}: keeps its new place, and has no failure`, async (t) => {
      const databases = await open(t);
      const { control, enableFromNow, leavesAlone } = await openLeased(databases);
      await leavesAlone(enableFromNow, outcome);
      assert.deepEqual(await listDeliveries(control.read, 's', 9), []);
    });

  for (const outcome of [delivered, failed])
    test(`${outcome.result}: also where the attempt began a batch`, async (t) => {
      const databases = await open(t);
      const { control, enableFromNow, leavesAlone } = await openLeased(databases);
      await control.write('subscribers').update({ types: '["user.*"]' });
      const change = async () => {
        assert.notEqual((await placeOf(databases, 's')).position.batchTo, null);
        await enableFromNow();
      };
      await leavesAlone(change, outcome);
    });

  test('a batch to which nothing happened moves the place, and its failure is noted', async (t) => {
    const databases = await open(t);
    const { control, attempt } = await openLeased(databases);
    await control.write('subscribers').update({ types: '["user.*"]' });
    assert.equal(await attempt(async () => failed), 'failed');
    assert.equal((await placeOf(databases, 's')).failures, 1);
    assert.equal(await attempt(async () => delivered), 'delivered');
    const { position, failures } = await placeOf(databases, 's');
    assert.deepEqual([position.directory, position.batchTo, failures], [3, null, 0]);
  });

  test('a replay goes on, and the place stays', async (t) => {
    const databases = await open(t);
    const { control, enableFromNow, leavesAlone } = await openLeased(databases);
    const { position } = await placeOf(databases, 's');
    const to = { control: await lastEvent(control.read), directory: 0 };
    await insertReplay(control.write, { subscriber: 's', filter: {}, position, to });
    const before = await control.read('event_replays');
    await leavesAlone(enableFromNow, delivered);
    assert.deepEqual(await control.read('event_replays'), before);
  });

  test('does not wait for events that the attempt wanted to gather', async (t) => {
    const databases = await open(t);
    const { control, attempt, enableFromNow } = await openLeased(databases);
    await control.write('events').update({ at: now });
    const gather = { ms: 60_000, most: 9 };
    const write = beforeStatement(control.write, 1, enableFromNow);
    assert.equal(await attempt(async () => delivered, { control: { ...control, write }, gather }), 'idle');
    assert.equal((await placeOf(databases, 's')).nextAt, null);
  });

  test('is not disabled again for failures before it was enabled', async (t) => {
    const databases = await open(t);
    const { control, leavesAlone } = await openLeased(databases);
    await control.write('subscribers').update({ failures: 40, failing_since: 1, next_at: 2 });
    const change = async () => {
      await control.transact((tx) => disableSubscriber(tx, 's', 'disabled by an operator'));
      await control.transact((tx) => enableSubscriber(tx, 's'));
    };
    await leavesAlone(change, failed);
  });
});

onBothDatabases('an attempt that failed', (open) => {
  const cases = {
    'whose subscriber was removed': (control: Db) => control.transact((tx) => deleteSubscriber(tx, 's')),
    'whose lease another node has': ({ write }: Db) => takeLease(write, 's', 'other', now + 70_000, 60_000),
  };
  for (const [title, change] of Object.entries(cases)) {
    for (const outcome of [failed, gone])
      test(`${title}: ${outcome.result} is not in the log of deliveries`, async (t) => {
        const databases = await open(t);
        const { control, attempt } = await openLeased(databases);
        const deliver = async () => {
          assert.ok(await change(control));
          return outcome;
        };
        assert.equal(await attempt(deliver), 'idle');
        assert.deepEqual(await listDeliveries(control.read, 's', 9), []);
      });

    test(`${title}: nor are events that could not be read`, async (t) => {
      const databases = await open(t);
      const { control, attempt } = await openLeased(databases);
      const read = beforeStatement(databases.directory.read, 1, async () => {
        assert.ok(await change(control));
        throw new Error('away');
      });
      const directory = { ...databases.directory, read };
      assert.equal(await attempt(async () => delivered, { directory }), 'idle');
      assert.deepEqual(await listDeliveries(control.read, 's', 9), []);
    });
  }
});
