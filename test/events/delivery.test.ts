/** Deliveries: in order, at least once, none invented; failures, slow receivers, leases, replays and memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSilentLogger } from '../../config/logger.js';
import { insertReplay, listDeliveries } from '../../db/control/eventdeliveries.js';
import { lastEvent, readEvents, recordEvent } from '../../db/control/events.js';
import { enableSubscriber, takeLease } from '../../db/control/eventsubscribers.js';
import { lastDirectoryEvent } from '../../db/directory/events.js';
import { deliverNext } from '../../events/attempt.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { deliverTo, placeOf, Receiver, subscribe } from '../support/events.js';

const event = (type: string, at = 1) => ({ at, org: null, type, subject: type, data: {} });
const hourMs = 3_600_000;

onBothDatabases('deliveries', (open) => {
  test('run.started, its users, run.completed: for each run and in the order of the runs', async (t) => {
    const acme = await Company.open(open, t);
    const databases = acme.databases;
    await subscribe(databases, { id: 'all', options: { batch: 2 } });
    await subscribe(databases, { id: 'runs', types: ['run.*'] });
    await subscribe(databases, { id: 'people', types: ['user.*'], options: { batch: 1 } });
    const rows = (names: string[]) => csv('User Email,User Name', ...names.map((one) => `${one}@acme.test,${one}`));
    await acme.import({ 'users.csv': rows(['a', 'b', 'c', 'd', 'e']) });
    await acme.import({ 'users.csv': rows(['a', 'f', 'g']) });
    const receiver = new Receiver();
    const deliveries = deliverTo(t, databases, receiver);
    await receiver.until(() => receiver.events('all').filter(({ type }) => type === 'run.completed').length === 2);
    const types = receiver.events('all').map(({ type, run }) => `${type} ${run ?? ''}`.trim());
    const users = (run: number, count: number) => Array.from({ length: count }, () => `user.created ${run}`);
    const [one, two] = receiver.events('all').filter(({ type }) => type === 'run.started');
    assert.deepEqual(
      types.filter((type) => !type.startsWith('upload.')),
      [
        `run.started ${one!.run}`,
        ...users(one!.run!, 5),
        `run.completed ${one!.run}`,
        `run.started ${two!.run}`,
        ...users(two!.run!, 2),
        `run.completed ${two!.run}`,
      ],
    );
    assert.deepEqual(
      receiver.batches
        .filter(({ body, subscriber }) => subscriber.id === 'all' && body.type === 'batch')
        .map((one) => one.events.length),
      [2, 2, 2],
    );
    await receiver.until(() => receiver.events('people').length === 7 && receiver.events('runs').length === 4);
    assert.deepEqual(
      receiver.events('runs').map(({ type }) => type),
      ['run.started', 'run.completed', 'run.started', 'run.completed'],
    );
    assert.ok(
      receiver.batches.every(({ body, subscriber }) => subscriber.id !== 'people' || body.type === 'user.created'),
    );
    await deliveries.stop();
  });

  test('each attempt is counted, with the kind of the subscriber and its result', async (t) => {
    const databases = await open(t);
    await subscribe(databases, { id: 's' });
    await recordEvent(databases.control.write, event('org.added'));
    const results: string[] = [];
    const answers = ['failed', 'delivered'] as const;
    const deliver = async () => ({ result: answers[results.length]!, detail: '' });
    const onAttempt = (kind: string, result: string) => results.push(`${kind} ${result}`);
    const deps = { ...databases, logger: createSilentLogger(), owner: 'test', onAttempt };
    for (const now of [1_000, 200_000]) {
      assert.ok(await takeLease(databases.control.write, 's', 'test', now, 60_000));
      const deliverer = { kind: 'test', concurrency: 1, deliver };
      const of = await placeOf(databases, 's');
      await deliverNext({ ...deps, now: () => now }, of, deliverer, new AbortController().signal);
    }
    assert.deepEqual(results, ['test failed', 'test delivered']);
  });

  test('one node delivers; a lease of another one is respected until it ends', async (t) => {
    const databases = await open(t);
    await subscribe(databases, { id: 's' });
    await recordEvent(databases.control.write, event('org.added'));
    let clock = 1_000_000;
    assert.ok(await takeLease(databases.control.write, 's', 'other', clock, 60_000));
    assert.equal(await takeLease(databases.control.write, 's', 'test', clock, 60_000), false);
    const receiver = new Receiver();
    clock += 60_001;
    const deliveries = deliverTo(t, databases, receiver, { now: () => clock });
    await receiver.until(() => receiver.events().length === 1);
    await deliveries.stop();
  });
});

onBothDatabases('a node that has lost its lease while its receiver was waited for', (open) => {
  for (const answer of [
    { result: 'delivered', detail: 'ok' },
    { result: 'gone', detail: 'HTTP 410' },
  ] as const)
    test(`${answer.result}: it moves no replay, and disables nothing`, async (t) => {
      const databases = await open(t);
      const { control } = databases;
      await subscribe(databases, { id: 's' });
      for (let at = 1; at <= 3; at++) await recordEvent(control.write, event('org.added', at));
      const { position } = await placeOf(databases, 's');
      const to = { control: (await lastEvent(control.read))!, directory: 0 };
      await insertReplay(control.write, { subscriber: 's', filter: {}, position: { ...position, control: 0 }, to });
      assert.ok(await takeLease(control.write, 's', 'this', 1_000, 60_000));
      const deps = { ...databases, logger: createSilentLogger(), now: () => 1_000, owner: 'this' };
      const deliver = async () => {
        assert.ok(await takeLease(control.write, 's', 'other', 70_000, 60_000));
        return answer;
      };
      const before = await control.read('event_replays');
      await deliverNext(
        deps,
        await placeOf(databases, 's'),
        { kind: 'test', concurrency: 1, deliver },
        new AbortController().signal,
      );
      assert.deepEqual(await control.read('event_replays'), before);
      assert.equal((await placeOf(databases, 's')).state, 'enabled');
    });
});

const sqlite = (t: Parameters<typeof openFresh>[0]) => openFresh(t, 'sqlite');

test('a receiver that fails for an hour gets everything, in order; one for three days is disabled', async (t) => {
  const databases = await sqlite(t);
  const { control } = databases;
  await subscribe(databases, { id: 's' });
  await subscribe(databases, { id: 'watch', types: ['webhook.disabled'] });
  let clock = 1_000_000;
  const receiver = new Receiver();
  let attempts = 0;
  let works = false;
  receiver.answer = ({ subscriber }) => {
    if (subscriber.id === 'watch') return { result: 'delivered', detail: 'ok' };
    attempts++;
    return works ? { result: 'delivered', detail: 'ok' } : { result: 'failed', detail: 'HTTP 500' };
  };
  for (let at = 1; at <= 5; at++) await recordEvent(control.write, event('org.added', at));
  const deliveries = deliverTo(t, databases, receiver, { now: () => clock });
  const fail = async () => {
    const before = attempts;
    await receiver.until(() => attempts > before);
    for (;;) {
      const { nextAt, state } = await placeOf(databases, 's');
      if (state === 'disabled') return null;
      if (nextAt !== null && nextAt > clock) return nextAt;
      await new Promise(setImmediate);
    }
  };
  const pauses: number[] = [];
  const begun = clock;
  while (clock < begun + hourMs) {
    const next = (await fail())!;
    pauses.push(next - clock);
    clock = next;
    deliveries.wake();
  }
  assert.deepEqual(pauses.slice(0, 5), [5_000, 15_000, 45_000, 135_000, 405_000]);
  works = true;
  await receiver.until(() => receiver.events('s').length === 5);
  assert.deepEqual(
    receiver.events('s').map(({ at }) => Date.parse(at)),
    [1, 2, 3, 4, 5],
  );
  const log = await listDeliveries(control.read, 's', 100);
  assert.deepEqual([log.at(-1)!.outcome, log.at(-1)!.detail, log.at(-1)!.attempt], ['failed', 'HTTP 500', 1]);

  works = false;
  const since = clock;
  await recordEvent(control.write, event('org.removed'));
  for (let next: number | null = clock; next !== null; next = await fail()) {
    clock = next;
    deliveries.wake();
  }
  assert.ok(clock - since >= 72 * hourMs && clock - since < 80 * hourMs, String(clock - since));
  await receiver.until(() => receiver.events('watch').length === 1);
  const [told] = receiver.events('watch');
  assert.deepEqual([told!.type, told!.data.subscriber, told!.data.reason], ['webhook.disabled', 's', 'HTTP 500']);
  // Enabled again, it gets the events that it has not had.
  works = true;
  await control.transact((tx) => enableSubscriber(tx, 's'));
  await receiver.until(() => receiver.events('s').length === 7);
  assert.equal(receiver.events('s')[5]!.type, 'org.removed');
  await deliveries.stop();
});

test('a receiver may end its subscription, and may ask for a longer pause', async (t) => {
  const databases = await sqlite(t);
  await subscribe(databases, { id: 'gone' });
  await subscribe(databases, { id: 'busy' });
  const receiver = new Receiver();
  receiver.answer = ({ subscriber }) =>
    subscriber.id === 'gone'
      ? { result: 'gone', detail: 'HTTP 410' }
      : { result: 'failed', detail: 'HTTP 429', retryAfterMs: 600_000 };
  await recordEvent(databases.control.write, event('org.added'));
  const deliveries = deliverTo(t, databases, receiver);
  for (;;) {
    const [gone, busy] = [await placeOf(databases, 'gone'), await placeOf(databases, 'busy')];
    if (gone.state === 'disabled' && busy.nextAt !== null) {
      assert.equal(gone.reason, 'HTTP 410');
      assert.equal(busy.nextAt, 1_600_000);
      break;
    }
    await new Promise(setImmediate);
  }
  await deliveries.stop();
});

test('slow receivers delay no other, up to the concurrency; stopping ends an attempt without counting it', async (t) => {
  const databases = await sqlite(t);
  for (const id of ['slow1', 'slow2', 'quick']) await subscribe(databases, { id });
  const receiver = new Receiver();
  receiver.answer = ({ subscriber }, signal) =>
    subscriber.id === 'quick'
      ? { result: 'delivered', detail: 'ok' }
      : new Promise((resolve) =>
          signal.addEventListener('abort', () => resolve({ result: 'failed', detail: 'ended' })),
        );
  const deliveries = deliverTo(t, databases, receiver);
  for (let n = 0; n < 20; n++) await recordEvent(databases.control.write, event('org.added', n));
  await receiver.until(() => receiver.events('quick').length === 20);
  await deliveries.stop();
  const slow = await placeOf(databases, 'slow1');
  assert.deepEqual([slow.failures, slow.nextAt, slow.position.control], [0, null, 0]);
});

test('a replay delivers the same events again, with their ids, before newer ones', async (t) => {
  const databases = await sqlite(t);
  const { control } = databases;
  for (let at = 1; at <= 6; at++)
    await recordEvent(control.write, event(at % 2 === 0 ? 'org.added' : 'org.removed', at));
  await subscribe(databases, { id: 's' });
  await recordEvent(control.write, event('org.enabled', 7));
  const stored = await readEvents(control.read, { after: 0, to: 100, limit: 100 });
  await insertReplay(control.write, {
    ...{ subscriber: 's', filter: { types: ['org.added'], since: 3 } },
    ...{ position: { control: 0, directory: 0, batchTo: null }, to: { control: 6, directory: 0 } },
  });
  const receiver = new Receiver();
  const deliveries = deliverTo(t, databases, receiver);
  await receiver.until(() => receiver.events().length === 3);
  assert.deepEqual(
    receiver.events().map(({ id }) => id),
    [stored[3]!.id, stored[5]!.id, stored[6]!.id],
  );
  await deliveries.stop();
});

test('a retry sends the same batch under the same id, whatever came meanwhile', async (t) => {
  const acme = await Company.open(sqlite, t);
  const databases = acme.databases;
  await subscribe(databases, { id: 's', types: ['user.*'] });
  const rows = (...names: string[]) => csv('User Email,User Name', ...names.map((one) => `${one}@acme.test,${one}`));
  await acme.import({ 'users.csv': rows('a', 'b', 'c') });
  const receiver = new Receiver();
  const ids: string[] = [];
  let clock = 1_000_000;
  let fails = true;
  receiver.answer = ({ id }) => {
    ids.push(id);
    return fails ? { result: 'failed', detail: 'HTTP 500' } : { result: 'delivered', detail: 'ok' };
  };
  const first = deliverTo(t, databases, receiver, { now: () => clock });
  await receiver.until(() => ids.length === 1);
  await first.stop();
  await acme.import({ 'users.csv': rows('d', 'e') });
  fails = false;
  clock += hourMs;
  const deliveries = deliverTo(t, databases, receiver, { now: () => clock });
  await receiver.until(() => receiver.events().length === 5);
  assert.equal(ids[1], ids[0]);
  assert.notEqual(ids[2], ids[0]);
  assert.deepEqual(
    receiver.batches.map(({ events }) => events.length),
    [3, 2],
  );
  await deliveries.stop();
});

test('100,000 user events are delivered in bounded memory', async (t) => {
  const databases = await sqlite(t);
  const { directory } = databases;
  await subscribe(databases, { id: 's', options: { batch: 1000 } });
  const count = Number(process.env.TEST_EVENTS ?? 20_000);
  await directory.transact(async (tx) => {
    const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`;
    await tx.raw(
      `INSERT INTO changes (org_id, run_id, upload_id, line, entity, entity_id, field, before, after, at)
       ${numbers} SELECT 'acme', 1, 1, i, 'user', CAST(i AS TEXT), 'Office', 'Berlin', 'Bonn', 5 FROM n`,
    );
    const { recordDirectoryEvents } = await import('../../db/directory/events.js');
    await recordDirectoryEvents(tx, 'acme', 0, 5);
  });
  assert.equal(await lastDirectoryEvent(directory.read), count);
  let last = 0;
  let seen = 0;
  let mostBytes = 0;
  const receiver = new Receiver();
  const delivered: WeakRef<object>[] = [];
  receiver.answer = ({ events }) => {
    delivered.push(new WeakRef(events));
    seen += events.length;
    const users = events.map(({ data }) => Number(data.user));
    assert.deepEqual([users[0], users.at(-1)], [last + 1, last + events.length]);
    last += events.length;
    mostBytes = Math.max(mostBytes, JSON.stringify(events).length);
    receiver.batches.length = 0;
    return { result: 'delivered', detail: 'ok' };
  };
  const deliveries = deliverTo(t, databases, receiver);
  await receiver.until(() => seen === count);
  assert.ok(mostBytes < 400_000, String(mostBytes));
  assert.equal(await lastEvent(databases.control.read), 0);
  await deliveries.stop();
  receiver.batches.length = 0;
  await new Promise(setImmediate);
  collectGarbage();
  // The last one may still be on the stack of its delivery.
  assert.ok(
    delivered.slice(0, -1).every((events) => events.deref() === undefined),
    'no batch is kept',
  );
});

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}
