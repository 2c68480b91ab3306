/** Addresses that get mail: confirmed by a code, changed, disabled and enabled again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ParsedMail } from 'mailparser';
import { disableSubscriber } from '../../db/control/eventsubscribers.js';
import { replayEvents } from '../../operations/events.js';
import { enableNotification, removeNotification, setNotification, testNotification } from '../../operations/notify.js';
import { listNotifications } from '../../operations/notifyaddress.js';
import { addNotification, confirmNotification, resendCode } from '../../operations/notifycode.js';
import { onBothDatabases } from '../support/databases.js';
import { addConfirmed, codeIn, openMailPlace } from '../support/mailplace.js';

test('an address gets mail once it has confirmed its code, and not before', async (t) => {
  const { place, mails, clock, held, deliver, until } = await openMailPlace(t);
  await assert.rejects(addNotification(place, 'acme', 'no address', undefined), { code: 'usage' });
  await assert.rejects(addNotification(place, 'acme', 'a@b.test\nBcc: x@y.test', undefined), { code: 'usage' });
  await assert.rejects(addNotification(place, 'acme', 'hr@acme.test', 'heldd'), /did you mean "held"/);
  const added = await addNotification(place, 'acme', 'hr@acme.test', 'held,problems');
  assert.deepEqual([added.state, added.events], ['unconfirmed', ['problems', 'held']]);
  assert.equal(mails.length, 1);
  await assert.rejects(addNotification(place, 'acme', 'HR@acme.test', undefined), { code: 'refused' });
  await held(1);
  await assert.rejects(confirmNotification(place, 'acme', 'hr@acme.test', '00000000'), { code: 'refused' });
  await assert.rejects(resendCode(place, 'acme', 'hr@acme.test'), /try again in a minute/);
  clock.now += 60_000;
  await resendCode(place, 'acme', 'hr@acme.test');
  await assert.rejects(confirmNotification(place, 'acme', 'hr@acme.test', codeIn(mails[0]!)), { code: 'refused' });
  const confirmed = await confirmNotification(place, 'acme', 'hr@acme.test', codeIn(mails[1]!));
  assert.equal(confirmed.state, 'enabled');
  deliver();
  await held(2);
  clock.now += 5 * 60_000;
  await until(() => mails.length === 3);
  assert.match(mails[2]!.text!, /run-2\.held\.txt/);
  assert.doesNotMatch(mails[2]!.text!, /run-1/);
  await setNotification(place, 'acme', 'hr@acme.test', 'weekly');
  assert.deepEqual((await listNotifications(place, 'acme'))[0]!.events, ['weekly']);
  await removeNotification(place, 'acme', 'hr@acme.test');
  assert.deepEqual(await listNotifications(place), []);
});

test('five wrong codes end a code', async (t) => {
  const { place, mails } = await openMailPlace(t);
  await addNotification(place, 'acme', 'hr@acme.test', undefined);
  for (let attempt = 0; attempt < 5; attempt++)
    await assert.rejects(confirmNotification(place, 'acme', 'hr@acme.test', 'x'), /not the code/);
  await assert.rejects(confirmNotification(place, 'acme', 'hr@acme.test', codeIn(mails[0]!)), /too many wrong codes/);
});

test('another code has five attempts of its own, and attempts at the same time are counted one by one', async (t) => {
  const { place, mails, clock } = await openMailPlace(t);
  await addNotification(place, 'acme', 'hr@acme.test', undefined);
  const wrong = () =>
    confirmNotification(place, 'acme', 'hr@acme.test', 'x').then(
      () => assert.fail('it is wrong'),
      (error: Error) => error.message,
    );
  const answers: string[] = await Promise.all(Array.from({ length: 8 }, wrong));
  assert.equal(answers.filter((answer) => /too many/.test(answer)).length, 3);
  clock.now += 60_000;
  await resendCode(place, 'acme', 'hr@acme.test');
  assert.match(await wrong(), /not the code/);
  const { state } = await confirmNotification(place, 'acme', 'hr@acme.test', codeIn(mails[1]!));
  assert.equal(state, 'enabled');
});

test('a code that could not be sent is sent again at once, and nothing is added without a mail server', async (t) => {
  const { place, mails, state } = await openMailPlace(t);
  const without = { ...place, settings: { ...place.settings, smtp: undefined } };
  await assert.rejects(addNotification(without, 'acme', 'hr@acme.test', undefined), /set smtp/);
  assert.deepEqual(await listNotifications(place), []);
  state.refuses = true;
  await assert.rejects(addNotification(place, 'acme', 'hr@acme.test', undefined), /"dropslot notify resend acme hr@/);
  state.refuses = false;
  await assert.rejects(addNotification(place, 'acme', 'hr@acme.test', undefined), /"dropslot notify resend acme hr@/);
  await resendCode(place, 'acme', 'hr@acme.test');
  assert.equal((await confirmNotification(place, 'acme', 'hr@acme.test', codeIn(mails[0]!))).state, 'enabled');
});

onBothDatabases('an address whose mail was taken, and the answer lost', (open) => {
  test('stays confirmed, and keeps a newer code', async (t) => {
    const { place, mails, clock, state } = await openMailPlace(t, open);
    const confirm = (mail: ParsedMail) => confirmNotification(place, 'acme', 'hr@acme.test', codeIn(mail));
    state.loses = confirm;
    await assert.rejects(addNotification(place, 'acme', 'hr@acme.test', undefined), /could not be sent/);
    assert.equal((await listNotifications(place, 'acme'))[0]!.state, 'enabled');
    await assert.rejects(resendCode(place, 'acme', 'hr@acme.test'), /is confirmed already/);
    await removeNotification(place, 'acme', 'hr@acme.test');
    state.loses = async () => {
      state.loses = null;
      clock.now += 60_000;
      await resendCode(place, 'acme', 'hr@acme.test');
    };
    await assert.rejects(addNotification(place, 'acme', 'hr@acme.test', undefined), /could not be sent/);
    assert.equal((await confirm(mails.at(-1)!)).state, 'enabled');
  });
});

onBothDatabases('addresses that are added at once', (open) => {
  test('are no more than an organization may have, and each once', async (t) => {
    const { place, mails } = await openMailPlace(t, open);
    const addresses = Array.from({ length: 58 }, (_, at) => `hr${at % 55}@acme.test`);
    const added = await Promise.allSettled(addresses.map((to) => addNotification(place, 'acme', to, undefined)));
    assert.equal(added.filter(({ status }) => status === 'fulfilled').length, 50);
    const listed = (await listNotifications(place, 'acme')).map(({ address }) => address);
    assert.equal(new Set(listed).size, 50);
    assert.equal(mails.length, 50);
  });
});

test('people of an organization read what the mail server answered, and not where it stands', async (t) => {
  const { place, state } = await openMailPlace(t);
  const ofOrg = { ...place, isOfOrg: true };
  state.refuses = true;
  const answered = await addNotification(ofOrg, 'acme', 'hr@acme.test', undefined).then(
    () => assert.fail('it is refused'),
    (error: Error) => error.message,
  );
  assert.match(answered, /could not be sent: \w+: \d{3} /);
  const away = { ...place.settings, smtp: 'smtp://127.0.0.1:1' };
  const add = (isOfOrg: boolean, to: string) =>
    addNotification({ ...place, settings: away, isOfOrg }, 'acme', to, undefined).then(
      () => assert.fail('nothing listens there'),
      (error: Error) => error.message,
    );
  assert.match(await add(false, 'a@acme.test'), /ECONNREFUSED.*127\.0\.0\.1/);
  assert.match(
    await add(true, 'b@acme.test'),
    /could not be sent: the mail server does not work now; tell the operator/,
  );
  assert.doesNotMatch(await add(true, 'c@acme.test'), /127\.0\.0\.1|ECONN/);
});

test('a confirmation is whole or not at all', async (t) => {
  const { place, mails, control } = await openMailPlace(t);
  await addNotification(place, 'acme', 'hr@acme.test', undefined);
  const failing = {
    ...place,
    control: {
      ...control,
      transact: <T>(work: (tx: never) => Promise<T>) =>
        control.transact(async (tx) => {
          await work(tx as never);
          throw new Error('the database is away');
        }),
    },
  };
  const confirm = (at: typeof place) => confirmNotification(at, 'acme', 'hr@acme.test', codeIn(mails[0]!));
  await assert.rejects(confirm(failing), /away/);
  assert.equal((await listNotifications(place, 'acme'))[0]!.state, 'unconfirmed');
  assert.equal((await confirm(place)).state, 'enabled');
});

test('a disabled address is enabled again, and an unconfirmed one is neither enabled nor tested', async (t) => {
  const opened = await openMailPlace(t);
  const { place, mails, control } = opened;
  await addNotification(place, 'acme', 'new@acme.test', undefined);
  mails.length = 0;
  const refused = { code: 'refused', message: /"dropslot notify confirm acme new@acme\.test CODE"/ };
  await assert.rejects(enableNotification(place, 'acme', 'new@acme.test', false), refused);
  await assert.rejects(testNotification(place, 'acme', 'new@acme.test'), refused);
  await assert.rejects(enableNotification(place, 'acme', 'x@acme.test', false), { code: 'not_found' });
  const id = await addConfirmed(opened);
  await testNotification(place, 'acme', ' HR@acme.test ');
  assert.equal(mails.length, 1);
  await assert.rejects(enableNotification(place, 'acme', 'hr@acme.test', false), { code: 'refused' });
  await control.transact((tx) => disableSubscriber(tx, id, '450'));
  await assert.rejects(replayEvents(place, {}, id), /"dropslot notify enable acme hr@acme\.test"/);
  assert.equal((await enableNotification(place, 'acme', 'HR@acme.test', false)).state, 'enabled');
});
