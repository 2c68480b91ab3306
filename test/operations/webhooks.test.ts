/** The secrets of webhooks, and other changes of subscribers, by several people at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findSubscriber } from '../../db/control/eventsubscribers.js';
import { createSecretReader } from '../../events/secrets.js';
import { changeSubscriber, removeSubscriber, webhookKind } from '../../operations/subscribers.js';
import { addWebhook, rotateSecret } from '../../operations/webhooks.js';
import { onBothDatabases } from '../support/databases.js';
import { changedBefore, workplaceOn } from '../support/workplace.js';

const dayMs = 86_400_000;

onBothDatabases('changes of a webhook at once', (open) => {
  test('each secret that a rotation shows signs, and one that was ended does not come back', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    await place.makeMaster();
    const { id, secret: leaked } = await addWebhook(place, { url: 'https://hr.example/' });
    const read = createSecretReader(() => place.master(), place.now);
    const secrets = async () => read((await findSubscriber(place.control.read, id))!.secret!);
    let first = '';
    const end = changedBefore(place, 'control', async () => {
      first = (await rotateSecret(place, id, 0)).secret;
    });
    const { secret } = await rotateSecret(end, id, dayMs);
    assert.deepEqual(await secrets(), [secret, first]);
    assert.ok(![secret, first].includes(leaked));
  });

  test('a webhook that is removed first is neither changed nor removed again', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    await place.makeMaster();
    const change = { types: ['run.*'], description: null, options: {} };
    const late = [
      (by: typeof place, id: string) => changeSubscriber(by, webhookKind, id, change),
      (by: typeof place, id: string) => removeSubscriber(by, webhookKind, id),
      (by: typeof place, id: string) => rotateSecret(by, id, 0),
    ];
    for (const act of late) {
      const { id } = await addWebhook(place, { url: 'https://hr.example/' });
      const removed = changedBefore(place, 'control', () => removeSubscriber(place, webhookKind, id));
      await assert.rejects(act(removed, id), { code: 'not_found' });
    }
    const actions: string[] = await place.control.read('audit').orderBy('seq').pluck('action');
    assert.deepEqual(
      actions.filter((action) => action.startsWith('webhook.') && action !== 'webhook.added'),
      ['webhook.removed', 'webhook.removed', 'webhook.removed'],
    );
  });
});
