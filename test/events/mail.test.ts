/** Mail: one for the events of some minutes, and nothing lost while the mail server is away. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AddressObject } from 'mailparser';
import { recordEvent } from '../../db/control/events.js';
import { disableSubscriber, findSubscriber } from '../../db/control/eventsubscribers.js';
import { syncOperatorMail } from '../../events/mail/operators.js';
import { sendMail } from '../../events/mail/transport.js';
import { listNotifications } from '../../operations/notifyaddress.js';
import { openMailbox } from '../support/mailbox.js';
import { addConfirmed, openMailPlace } from '../support/mailplace.js';
import { temporaryFolder } from '../support/temporary.js';

test('the events of five minutes are one mail, with whatever needs a hand first', async (t) => {
  const opened = await openMailPlace(t);
  const { control, mails, clock, held, deliver, until } = opened;
  const id = await addConfirmed(opened, 'held,done');
  deliver();
  const data = { run: 1, kind: 'slot', users: { created: 2, updated: 1 }, teams: {}, files: 1, refused: 0 };
  await control.transact((tx) =>
    recordEvent(tx, { at: clock.now, org: 'acme', type: 'run.completed', run: 1, subject: 'run 1', data }),
  );
  await held(7);
  await until(async () => (await findSubscriber(control.read, id))!.nextAt !== null);
  assert.equal(mails.length, 0);
  clock.now += 5 * 60_000;
  await until(() => mails.length === 1);
  const [mail] = mails;
  assert.equal(mail!.subject, 'Acme <Corp>: an import waits for a decision, and 1 more');
  assert.equal((mail!.to as AddressObject).text, 'hr@acme.test');
  assert.ok(mail!.text!.indexOf('waits for a decision') < mail!.text!.indexOf('2 created'));
  assert.match(String(mail!.html), /Acme &lt;Corp&gt;/);
  assert.match(
    mail!.headerLines.find(({ key }) => key === 'list-unsubscribe')!.line,
    new RegExp(`it@acme\\.test\\?subject=unsubscribe%20${id}`),
  );
});

test('a mail server that is away or refuses loses nothing', async (t) => {
  const opened = await openMailPlace(t);
  const { control, mails, state, clock, held, deliver, until } = opened;
  const id = await addConfirmed(opened, 'held');
  state.refuses = true;
  deliver();
  await held(1);
  clock.now += 5 * 60_000;
  await until(async () => (await findSubscriber(control.read, id))!.failures === 1);
  await held(2);
  state.refuses = false;
  clock.now += 86_400_000;
  await until(() => mails.length === 1);
  assert.match(mails[0]!.text!, /run-1\.held[\s\S]*run-2\.held/);
});

test('the addresses of operatorMail get mail about all organizations and the server, with commands', async (t) => {
  const opened = await openMailPlace(t);
  const { control, directory, settings, mails, clock, held, deliver, until } = opened;
  const sync = (operatorMail: string[]) =>
    syncOperatorMail({ control, directory, settings: { ...settings, operatorMail }, now: () => clock.now });
  await sync(['ops@host.test', 'old@host.test']);
  await sync(['ops@host.test']);
  assert.deepEqual(
    (await listNotifications(opened.place)).map(({ address }) => address),
    ['ops@host.test'],
  );
  deliver();
  await held(3);
  await control.transact((tx) =>
    recordEvent(tx, {
      at: clock.now,
      org: null,
      type: 'disk.low',
      subject: 'disk.low',
      data: { freeBytes: 1_500_000, minFreeBytes: 1e9, host: 'sftp1' },
    }),
  );
  clock.now += 5 * 60_000;
  await until(() => mails.length === 1);
  assert.match(mails[0]!.text!, /dropslot runs approve 3/);
  assert.match(mails[0]!.text!, /1\.5 MB are free on sftp1\. /);
});

test('an address of operatorMail that was disabled is enabled at the next start', async (t) => {
  const opened = await openMailPlace(t);
  const { control, directory, settings, clock, place } = opened;
  const sync = (operatorMail: string[]) =>
    syncOperatorMail({ control, directory, settings: { ...settings, operatorMail }, now: () => clock.now });
  await sync(['ops@host.test']);
  const { id } = (await listNotifications(place))[0]!;
  await control.transact((tx) => disableSubscriber(tx, id, '450'));
  await sync(['ops@host.test']);
  assert.equal((await listNotifications(place))[0]!.state, 'enabled');
});

test('a new password of the mail server needs no restart', async (t) => {
  const box = await openMailbox(t, 'first');
  const file = join(temporaryFolder(t), 'password');
  const settings = { ...box.settings, smtpPassword: file, credentials: undefined, mailFrom: undefined };
  const send = () =>
    sendMail({ ...settings, mailReplyTo: undefined }, { to: 'a@b.test', subject: 's', text: 't', id: 'i' });
  await assert.rejects(send(), /smtpPassword\): there is no file/);
  writeFileSync(file, 'first\n');
  await send();
  box.state.password = 'second';
  await assert.rejects(send(), /535|EAUTH/);
  writeFileSync(file, 'second');
  await send();
  assert.equal(box.mails.length, 2);
});

test('a server that stops ends a mail that is under way, and sends it at its next start', async (t) => {
  const opened = await openMailPlace(t);
  const { control, mails, state, clock, held, deliver, until } = opened;
  const id = await addConfirmed(opened, 'held');
  state.hangs = true;
  await held(1);
  clock.now += 5 * 60_000;
  const deliveries = deliver();
  await until(() => mails.length === 1);
  const began = performance.now();
  await deliveries.stop();
  assert.ok(performance.now() - began < 20_000, 'before the time limit of the mail server');
  assert.equal((await findSubscriber(control.read, id))!.failures, 0);
  state.hangs = false;
  deliver();
  await until(() => mails.length === 2);
  assert.equal(mails[1]!.messageId, mails[0]!.messageId);
});

test('a mail of 150 events has 20 sections and the number of the others, and words no more than it shows', async (t) => {
  const opened = await openMailPlace(t);
  const { control, mails, clock, held, deliver, until } = opened;
  await addConfirmed(opened, 'held,done');
  const data = { run: 1, kind: 'slot', users: {}, teams: {}, files: 1, refused: 0 };
  const done = { at: clock.now, org: 'acme', type: 'run.completed', subject: 'run 1', data };
  await control.transact(async (tx) => {
    for (let run = 1; run < 150; run++) await recordEvent(tx, { ...done, run });
  });
  await held(150);
  clock.now += 5 * 60_000;
  deliver();
  await until(() => mails.length === 1);
  assert.equal(mails[0]!.subject, 'Acme <Corp>: an import waits for a decision, and 149 more');
  assert.match(mails[0]!.text!, /And 130 more\./);
  assert.equal(mails[0]!.text!.match(/is done\n/g)!.length, 19);
});
