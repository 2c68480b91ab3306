/** Events that a subscriber does not want: they cost it no lease and no write, and its place is stored now and then. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordEvent } from '../../db/control/events.js';
import { listDue, updateSubscriber } from '../../db/control/eventsubscribers.js';
import { readBounds } from '../../events/feed.js';
import { createIdleMarks } from '../../events/idle.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { deliverTo, placeOf, Receiver, subscribe } from '../support/events.js';

const event = (type: string, org: string | null = null) => ({ at: 1, org, type, subject: type, data: {} });

onBothDatabases('idle subscribers', (open) => {
  test('only those that want a new event are served; the place of the others is stored each minute', async (t) => {
    const databases = await open(t);
    const { control } = databases;
    await subscribe(databases, { id: 'runs', types: ['run.*'] });
    await subscribe(databases, { id: 'orgs', types: ['org.*', 'user.*'] });
    let clock = 0;
    const marks = createIdleMarks(databases, () => clock);
    const sift = async () => {
      const due = await listDue(control.read, 1_000);
      const found = await marks.sift(due, await readBounds(databases));
      return found.map(({ id }) => id);
    };
    const store = async () => (await placeOf(databases, 'runs')).position.control;
    await recordEvent(control.write, event('disk.low'));
    assert.deepEqual(await sift(), []);
    await recordEvent(control.write, event('org.added', 'acme'));
    assert.deepEqual(await sift(), ['orgs'], 'known by its mark');
    assert.deepEqual(await sift(), ['orgs'], 'as long as it has not had the event');
    assert.equal(await store(), 0);
    clock = 60_000;
    await sift();
    assert.equal(await store(), 2);
    assert.equal((await placeOf(databases, 'orgs')).position.control, 0);
    await recordEvent(control.write, event('disk.low'));
    await sift();
    await updateSubscriber(control.write, 'runs', { types: ['disk.*'] });
    assert.deepEqual((await sift()).sort(), ['orgs', 'runs'], 'a mark is of the types that it was made for');
  });
});

test('an event that a subscriber does not want writes nothing of it', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const { control } = databases;
  await subscribe(databases, { id: 'idle', types: ['run.*'] });
  await subscribe(databases, { id: 'busy', types: ['org.*'] });
  const written: string[] = [];
  control.write.on('query', ({ sql, bindings }: { sql: string; bindings: unknown[] }) => {
    if (sql.startsWith('update `subscribers`')) written.push(bindings.includes('idle') ? 'idle' : 'busy');
  });
  const receiver = new Receiver();
  const deliveries = deliverTo(t, databases, receiver);
  for (let count = 1; count <= 3; count++) {
    await recordEvent(control.write, event('org.added', 'acme'));
    await receiver.until(() => receiver.events('busy').length === count);
  }
  await recordEvent(control.write, event('run.held', 'acme'));
  assert.ok(written.includes('busy') && !written.includes('idle'), written.join());
  await receiver.until(() => receiver.events('idle').length === 1);
  await deliveries.stop();
});
