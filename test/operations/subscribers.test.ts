/** Operations on subscribers and events: disabled, enabled, sent again, replayed, listed; with audit records and refusals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../db/control/audit.js';
import { firstReplay } from '../../db/control/eventdeliveries.js';
import { recordEvent } from '../../db/control/events.js';
import { findSubscriber } from '../../db/control/eventsubscribers.js';
import { insertOrg } from '../../db/control/orgs.js';
import { recordErased } from '../../db/directory/events.js';
import { describeSchemas, replayEvents, showEvent, walkEvents, walkLastEvents } from '../../operations/events.js';
import { disable, enable, removeSubscriber, resend, webhookKind } from '../../operations/subscribers.js';
import { addWebhook } from '../../operations/webhooks.js';
import { openFresh } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { workplaceOn } from '../support/workplace.js';

test('the last events of one time have the order in which they were recorded, and the newest are in the list', async (t) => {
  const { settings, control, directory } = await openFresh(t, 'sqlite');
  const place = await workplaceOn(t, settings);
  await insertOrg(control.write, sampleOrg('acme'));
  for (const subject of ['1', '2', '3'])
    await recordEvent(control.write, { at: 5, org: 'acme', type: 'org.added', subject, data: {} });
  await directory.transact((tx) => recordErased(tx, 'acme', 4, 5));
  await directory.transact((tx) => recordErased(tx, 'acme', 5, 5));
  const all: string[] = [];
  for await (const { id } of walkEvents(place, {})) all.push(id);
  for (const count of [1, 2, 4, 5])
    assert.deepEqual(
      (await walkLastEvents(place, count)).map(({ id }) => id),
      all.slice(-count),
    );
});

test('subscribers are disabled, enabled, sent events again and removed', async (t) => {
  const { settings, control, directory } = await openFresh(t, 'sqlite');
  const place = await workplaceOn(t, settings);
  await place.makeMaster();
  await insertOrg(control.write, sampleOrg('acme'));
  const { id } = await addWebhook(place, { url: 'https://hr.example/', org: 'acme', types: 'org.*,user.*' });
  const record = (type: string, org: string | null, at: number) =>
    recordEvent(control.write, { at, org, type, subject: type, data: {} });
  await record('org.added', 'acme', 1);
  await record('org.added', 'other', 2);
  await record('run.held', 'acme', 3);
  await directory.transact((tx) => recordErased(tx, 'acme', 7, 2));
  const listed = await walkLastEvents(place, 10);
  assert.deepEqual(
    listed.map(({ type, at }) => `${type} ${at}`),
    ['org.added 1', 'org.added 2', 'user.erased 2', 'run.held 3'],
  );
  const types: string[] = [];
  for await (const { type } of walkEvents(place, { org: 'acme', since: 2 })) types.push(type);
  assert.deepEqual(types, ['user.erased', 'run.held']);
  const whole = [];
  for await (const event of walkEvents(place, {})) whole.push(event);
  for (const [index, { place: from }] of whole.entries()) {
    const rest = [];
    for await (const { id: one } of walkEvents(place, {}, from)) rest.push(one);
    assert.deepEqual(
      rest,
      whole.slice(index + 1).map((one) => one.id),
    );
  }
  const [added, other, erased, held] = listed as unknown as [
    { id: string },
    { id: string },
    { id: string },
    { id: string },
  ];
  assert.deepEqual((await showEvent(place, erased.id, true)).data, { user: 7, fields: [] });
  await assert.rejects(showEvent(place, 'evt_none', false), { code: 'not_found' });

  await resend(place, webhookKind, id, added.id);
  assert.deepEqual((await firstReplay(control.read, id))!.to, { control: 1, directory: 0 });
  await resend(place, webhookKind, id, erased.id);
  for (const wrong of [held, other])
    await assert.rejects(resend(place, webhookKind, id, wrong.id), { code: 'refused' });
  await assert.rejects(resend(place, webhookKind, id, 'evt_none'), { code: 'not_found' });
  assert.deepEqual(await replayEvents(place, { type: 'org.*' }, null), [id]);
  await assert.rejects(replayEvents(place, { type: 'orgs' }, null), { code: 'usage' });
  await assert.rejects(replayEvents(place, {}, 'sub_none'), { code: 'not_found' });

  await disable(place, webhookKind, id);
  for (const again of [
    () => disable(place, webhookKind, id),
    () => resend(place, webhookKind, id, added.id),
    () => replayEvents(place, {}, id),
  ])
    await assert.rejects(again(), { code: 'refused' });
  assert.deepEqual(await replayEvents(place, {}, null), []);
  const before = (await findSubscriber(control.read, id))!.position;
  assert.deepEqual([before.control, before.directory], [0, 0]);
  await enable(place, webhookKind, id, true);
  const { position, state } = (await findSubscriber(control.read, id))!;
  assert.deepEqual([position.control, position.directory, state], [3, 1, 'enabled']);
  await assert.rejects(enable(place, webhookKind, id, false), { code: 'refused' });
  await removeSubscriber(place, webhookKind, id);
  await assert.rejects(removeSubscriber(place, webhookKind, id), { code: 'not_found' });
  assert.equal(await firstReplay(control.read, id), null);
  const actions = (await listAudit(control.read, 'acme')).map(({ action }) => action);
  assert.deepEqual(actions, [
    ...['webhook.added', 'webhook.resent', 'webhook.resent', 'events.replayed'],
    ...['webhook.disabled', 'webhook.enabled', 'webhook.removed'],
  ]);
});

test('schemas of events are JSON Schemas with the data of the type', () => {
  const schema = describeSchemas('run.held') as { properties: Record<string, { const?: string; required?: string[] }> };
  assert.equal(schema.properties.type!.const, 'run.held');
  assert.deepEqual(schema.properties.data!.required, ['run']);
  assert.ok(Object.keys(describeSchemas(null)).length > 50);
  assert.throws(() => describeSchemas('run'), { code: 'usage' });
});
