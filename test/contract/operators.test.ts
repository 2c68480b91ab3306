/** Two nodes that start at the same moment with another `operatorMail` than before: both start, and each address has one subscriber. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { disableSubscriber, listSubscribers } from '../../db/control/eventsubscribers.js';
import { syncOperatorMail } from '../../events/mail/operators.js';
import { onBothDatabases, type TestDatabases } from '../support/databases.js';
import { beforeTransaction, holdOpen, untilBlocked } from '../support/interleave.js';

const mail = { smtp: 'smtp://mail.test', mailFrom: 'dropslot@mail.test' };

function syncOn({ directory }: TestDatabases, control: Db, operatorMail: string[]): Promise<void> {
  const settings = settingsSchema.parse({ ...mail, operatorMail: operatorMail.join() });
  return syncOperatorMail({ control, directory, settings, now: () => 1 });
}

async function listAddresses({ control }: TestDatabases) {
  const subscribers = await listSubscribers(control.read, 'mail');
  return subscribers.map(({ options, state }) => `${options.address} ${state}`).sort();
}

onBothDatabases('operatorMail on two nodes', (open) => {
  test('one has begun its transaction when the other one reads', async (t) => {
    const databases = await open(t);
    const { control } = databases;
    const held = await holdOpen(control, (tx) => syncOn(databases, within(control, tx), ['a@ops.test', 'b@ops.test']));
    const other = syncOn(databases, control, ['b@ops.test', 'a@ops.test']);
    other.catch(() => {});
    await untilBlocked(control);
    await held.commit();
    await other;
    assert.deepEqual(await listAddresses(databases), ['a@ops.test enabled', 'b@ops.test enabled']);
  });

  test('one changes the rows before the transaction of the other one', async (t) => {
    const databases = await open(t);
    const { control } = databases;
    await syncOn(databases, control, ['old@ops.test', 'down@ops.test']);
    const [down] = (await listSubscribers(control.read, 'mail')).filter(
      ({ options }) => options.address !== 'old@ops.test',
    );
    await control.transact((tx) => disableSubscriber(tx, down!.id, '450'));
    const wanted = ['down@ops.test', 'a@ops.test', 'b@ops.test'];
    const late = beforeTransaction(control, () => syncOn(databases, control, wanted));
    await syncOn(databases, late, wanted);
    assert.deepEqual(await listAddresses(databases), wanted.map((address) => `${address} enabled`).sort());
  });
});

/** Its transaction is the open one. */
function within(control: Db, tx: Db['write']): Db {
  const transact = ((work: (tx: Db['write']) => Promise<unknown>) => work(tx)) as Db['transact'];
  return { ...control, transact };
}
