/** Handlers of a program that embeds Dropslot: one call at a time, in order, repeated where they fail; disabled where the program is gone. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createSilentLogger } from '../../config/logger.js';
import { readEvents, recordEvent } from '../../db/control/events.js';
import { findByName, noteSeen, takeLease } from '../../db/control/eventsubscribers.js';
import { createAbsenceDeliverer } from '../../events/embedded/absence.js';
import { createHandlerDeliverer, type Handler } from '../../events/embedded/handlers.js';
import { registerHandler } from '../../operations/handlers.js';
import type { Workplace } from '../../operations/workplace.js';
import { onBothDatabases, openFresh, type TestDatabases } from '../support/databases.js';
import { deliverTo, placeOf } from '../support/events.js';
import { until } from '../support/session.js';

const began = 1_000_000;
const hourMs = 3_600_000;

function at({ control, directory }: TestDatabases, now = () => began): Workplace {
  return { control, directory, now, actor: 'system', org: async (id: string) => ({ id }) } as unknown as Workplace;
}

const event = (subject: string) => ({ at: 1, org: null, type: 'org.added', subject, data: {} });

/** Three events for a handler, which a program delivers as soon as `advance` moves the clock. */
async function begin(t: TestContext, handle: Handler, { timeLimitMs = 60_000, graceMs = 60_000 } = {}) {
  const databases = await openFresh(t, 'sqlite');
  let clock = began;
  const { id } = await registerHandler(at(databases), { name: 'table', types: 'org.*' });
  for (const subject of ['a', 'b', 'c']) await recordEvent(databases.control.write, event(subject));
  const ids = (await readEvents(databases.control.read, { after: 0, to: 99, limit: 99 })).map((one) => one.id);
  const handlers = new Map([[id, { name: 'table', handle, timeLimitMs }]]);
  const deliverer = createHandlerDeliverer({ handlers, logger: createSilentLogger(), graceMs });
  const deliveries = deliverTo(t, databases, deliverer, { now: () => clock });
  const place = () => placeOf(databases, id);
  const advance = (ms: number) => {
    clock += ms;
    deliveries.wake();
  };
  return { databases, id, ids, deliveries, place, advance };
}

test('a handler that throws gets the event again after a pause, and no later one before', async (t) => {
  const got: string[] = [];
  let fails = true;
  const { ids, place, advance, deliveries } = await begin(t, (one) => {
    got.push(one.id);
    if (one.id === got[1] && fails) throw new TypeError('no connection');
  });
  await until(async () => (await place()).failures === 1, 'it has failed');
  assert.deepEqual(got, ids.slice(0, 2));
  fails = false;
  advance(6_000);
  await until(async () => got.length === 4, 'it went on');
  assert.deepEqual(got, [ids[0], ids[1], ids[1], ids[2]]);
  await until(async () => (await place()).failures === 0, 'it is healthy');
  await deliveries.stop();
});

test('after a time limit the call is not repeated before it has ended; its signal says so', async (t) => {
  const ends: (() => void)[] = [];
  let aborted = 0;
  const { place, advance, deliveries } = await begin(
    t,
    (_one, { signal }) => {
      signal.addEventListener('abort', () => aborted++);
      return new Promise<void>((resolve) => ends.push(resolve));
    },
    { timeLimitMs: 20 },
  );
  await until(async () => (await place()).failures === 1, 'it is late');
  assert.deepEqual([ends.length, aborted], [1, 1]);
  advance(6_000);
  await until(async () => (await place()).failures === 2, 'it is still late');
  assert.equal(ends.length, 1);
  ends[0]!();
  advance(hourMs);
  await until(async () => ends.length === 2, 'it is called again');
  await deliveries.stop();
});

test('a stop lets the call end, and its event is not repeated; a call that does not end is left', async (t) => {
  let end = () => {};
  const calls: string[] = [];
  const { databases, id, ids, deliveries, place } = await begin(t, (one, { signal }) => {
    calls.push(one.id);
    return new Promise<void>((resolve) => {
      end = resolve;
      signal.addEventListener('abort', () => resolve());
    });
  });
  await until(async () => calls.length === 1, 'it is called');
  await deliveries.stop();
  assert.deepEqual(calls, [ids[0]]);
  const { position, failures } = await place();
  assert.deepEqual([position.control, failures], [1, 0]);
  // The next process takes over at once: no lease is left.
  assert.ok(await takeLease(databases.control.write, id, 'other', began, 1));
  end();

  const stuck = await begin(t, () => new Promise(() => {}), { graceMs: 10 });
  await until(async () => (await stuck.place()).position.batchTo === null, 'it is called');
  await stuck.deliveries.stop();
  assert.deepEqual([(await stuck.place()).position.control, (await stuck.place()).failures], [0, 0]);
});

test('a handler whose program is gone fails, is disabled after three days, and is tried at once when it comes back', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const { control } = databases;
  let clock = began;
  const now = () => clock;
  const { id } = await registerHandler(at(databases), { name: 'table', types: 'org.*' });
  await recordEvent(control.write, event('a'));
  const absence = createAbsenceDeliverer(now);
  const deliveries = deliverTo(t, databases, absence, { now, aloneWith: [] });
  const place = () => placeOf(databases, id);
  assert.equal(absence.serves!(await place()), false, 'its program has just been here');
  clock += 91_000;
  await until(async () => (await place()).failures === 1, 'it fails');
  clock += 60_000;
  await noteSeen(control.write, [id], clock, true);
  assert.equal((await place()).nextAt, null);
  assert.equal(absence.serves!(await place()), false);
  while ((await place()).state === 'enabled') {
    clock += hourMs;
    const { failures } = await place();
    deliveries.wake();
    await until(
      async () =>
        (await place()).failures > failures || (await place()).state === 'disabled' || (await place()).nextAt! > clock,
      'a round',
    );
    assert.ok(clock < began + 6 * 24 * hourMs, 'it is never disabled');
  }
  assert.ok(clock >= began + 3 * 24 * hourMs);
  const told = await readEvents(control.read, { after: 0, to: 99, limit: 99 }, { types: ['webhook.disabled'] });
  await deliveries.stop();
  assert.deepEqual(
    told.map(({ data }) => [data.subscriber, data.kind]),
    [[id, 'embedded']],
  );
});

onBothDatabases('handlers', (open) => {
  test('a handler is found again by its name, keeps its place, and takes other types', async (t) => {
    const databases = await open(t);
    const first = await registerHandler(at(databases), { name: 'table', types: 'org.*' });
    await recordEvent(databases.control.write, event('a'));
    const again = await registerHandler(at(databases), { name: 'table', types: 'run.*,user.*', include: 'personal' });
    assert.deepEqual([again.id, again.position], [first.id, first.position]);
    assert.deepEqual([again.types, again.options], [['run.*', 'user.*'], { personal: true }]);
    await registerHandler(at(databases), { name: 'other' });
    assert.notEqual((await findByName(databases.control.read, 'other'))!.id, first.id);
    // A new one gets the kept events from before only where it wants them; a known one keeps its place.
    const begin = await registerHandler(at(databases), { name: 'late', from: 'beginning' });
    assert.deepEqual([begin.position.control, begin.position.directory], [0, 0]);
    const now = await registerHandler(at(databases), { name: 'now', from: 'now' });
    assert.ok(now.position.control > 0);
    assert.deepEqual((await registerHandler(at(databases), { name: 'now', from: 'beginning' })).position, now.position);
    await assert.rejects(registerHandler(at(databases), { name: 'a b' }), /the name of a handler has/);
    await assert.rejects(registerHandler(at(databases), { name: 'c', types: 'usr.*' }), /fits no type of event/);
  });
});
