/** Mail: addresses that confirm a code, one mail for the events of some minutes, and nothing lost while the mail server is away. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AddressObject, type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { createSilentLogger } from '../../config/logger.js';
import { settingsSchema } from '../../config/settings.js';
import { recordAudit } from '../../db/control/audit.js';
import { recordEvent } from '../../db/control/events.js';
import { findSubscriber } from '../../db/control/eventsubscribers.js';
import { insertOrg } from '../../db/control/orgs.js';
import type { Deliveries } from '../../events/delivery.js';
import { mailCategories, operatorOnly } from '../../events/mail/categories.js';
import { composeMail } from '../../events/mail/compose.js';
import { syncOperatorMail } from '../../events/mail/operators.js';
import { type SectionContext, wordEvent } from '../../events/mail/sections.js';
import { createMailService } from '../../events/mail/service.js';
import { eventTypes } from '../../events/types.js';
import { explainCode } from '../../importer/codes.js';
import { reportByCalendar } from '../../importer/schedule/reports.js';
import { readAuditHead } from '../../operations/audit.js';
import {
  addNotification,
  confirmNotification,
  listNotifications,
  removeNotification,
  resendCode,
  setNotification,
} from '../../operations/notify.js';
import { openFresh } from '../support/databases.js';
import { deliverTo } from '../support/events.js';
import { sampleOrg } from '../support/samples.js';
import { workplaceOn } from '../support/workplace.js';

/** A mail server on the loopback that parses what it gets. */
async function openMailbox(t: TestContext) {
  const mails: ParsedMail[] = [];
  const state = { refuses: false };
  const server = new SMTPServer({
    authOptional: true,
    closeTimeout: 50,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onRcptTo: (_address, _session, done) =>
      done(state.refuses ? Object.assign(new Error('mailbox unavailable'), { responseCode: 450 }) : null),
    onData: (stream, _session, done) => {
      simpleParser(stream).then((mail) => {
        mails.push(mail);
        done();
      }, done);
    },
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  t.after(() => new Promise<void>((resolve) => server.close(resolve)));
  const { port } = server.server.address() as AddressInfo;
  return {
    mails,
    state,
    settings: { smtp: `smtp://127.0.0.1:${port}`, smtpTls: 'off' as const, mailGatherMinutes: 5 },
  };
}

async function openPlace(t: TestContext) {
  const started: Deliveries[] = [];
  // Before the databases are closed: a query to a closed pool waits for a minute.
  t.after(() => Promise.all(started.map((each) => each.stop())));
  const box = await openMailbox(t);
  const clock = { now: Date.UTC(2026, 1, 2, 9) };
  const databases = await openFresh(t, 'sqlite');
  const given = { ...databases.settings, ...box.settings, mailReplyTo: 'People IT <it@acme.test>' };
  const opened = await workplaceOn(t, settingsSchema.parse(given));
  const place = { ...opened, now: () => clock.now };
  const { control, directory, settings } = place;
  await insertOrg(control.write, sampleOrg('acme', { name: 'Acme <Corp>', timeZone: 'Europe/Berlin' }));
  const service = createMailService({ control, settings, explainCode });
  const deliver = () => started.push(deliverTo(t, { control, directory }, service, { now: () => clock.now }));
  const until = async (is: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await is()); tries++) {
      assert.ok(tries < 1000, 'it happens in time');
      await sleep(10);
    }
  };
  const held = (run: number) =>
    control.transact((tx) =>
      recordEvent(tx, { at: clock.now, org: 'acme', type: 'run.held', run, subject: `run ${run}`, data: { run } }),
    );
  return { ...box, place, clock, settings, control, directory, deliver, until, held };
}

const codeIn = ({ text }: ParsedMail) => /\d{4} \d{4}/.exec(text!)![0];

test('an address gets mail once it has confirmed its code, and not before', async (t) => {
  const { place, mails, clock, held, deliver, until } = await openPlace(t);
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
  const { place, mails } = await openPlace(t);
  await addNotification(place, 'acme', 'hr@acme.test', undefined);
  for (let attempt = 0; attempt < 5; attempt++)
    await assert.rejects(confirmNotification(place, 'acme', 'hr@acme.test', 'x'), /not the code/);
  await assert.rejects(confirmNotification(place, 'acme', 'hr@acme.test', codeIn(mails[0]!)), /too many wrong codes/);
});

async function confirmed({ place, mails }: Awaited<ReturnType<typeof openPlace>>, events: string): Promise<string> {
  const { id } = await addNotification(place, 'acme', 'hr@acme.test', events);
  await confirmNotification(place, 'acme', 'hr@acme.test', codeIn(mails.pop()!));
  return id;
}

test('the events of five minutes are one mail, with whatever needs a hand first', async (t) => {
  const opened = await openPlace(t);
  const { control, mails, clock, held, deliver, until } = opened;
  const id = await confirmed(opened, 'held,done');
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
  const opened = await openPlace(t);
  const { control, mails, state, clock, held, deliver, until } = opened;
  const id = await confirmed(opened, 'held');
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
  const opened = await openPlace(t);
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
      data: { freeBytes: 1_500_000, minFreeBytes: 1e9 },
    }),
  );
  clock.now += 5 * 60_000;
  await until(() => mails.length === 1);
  assert.match(mails[0]!.text!, /dropslot runs approve 3/);
  assert.match(mails[0]!.text!, /1\.5 MB are free/);
});

const context: SectionContext = {
  ...{ timeZone: 'Europe/Berlin', isOperator: false, contact: 'People IT', explainCode },
  problemsOf: async () => ['Row has no email (users.csv:line 3)'],
};

test('every event of every kind of mail has words, for people and for operators', async () => {
  for (const name of Object.values(mailCategories).flat()) {
    const type = eventTypes.find((each) => each.name === name)!;
    const isForOperators = operatorOnly.some((category) =>
      (mailCategories[category] as readonly string[]).includes(name),
    );
    const event = {
      id: 'evt_1',
      type: name,
      org: 'acme',
      at: '2026-02-02T00:00:00Z',
      version: 1 as const,
      data: type.example,
    };
    for (const isOperator of [false, true]) {
      const section = await wordEvent(event, { ...context, isOperator });
      const { text, html } = composeMail([section!], { about: 'Acme', footer: [] });
      assert.doesNotMatch(text + html, /undefined|NaN|null|\[object/, name);
      for (const line of text.split('\n')) assert.ok(line.length <= 90 || line.startsWith('    '), line);
      if (!isOperator && !isForOperators) assert.doesNotMatch(text, /dropslot /, name);
    }
  }
});

test('the head of the audit trail leaves the machine once a day, also after a failure', async (t) => {
  const { place, control, clock } = await openPlace(t);
  const lines: string[] = [];
  let fails = true;
  const settings = { auditHeads: ['file:/elsewhere/heads', 'syslog'] };
  const writeLine = (target: string, line: string) => {
    if (fails && target === 'syslog') throw new Error('away');
    lines.push(`${target} ${JSON.parse(line).count}`);
  };
  const round = () =>
    reportByCalendar({ control, settings, logger: createSilentLogger(), now: () => clock.now, writeLine });
  await recordAudit(control.write, {
    at: clock.now,
    org: null,
    actor: 'system',
    action: 'x',
    subject: 'x',
    detail: {},
  });
  const { count } = await readAuditHead(place);
  await round();
  fails = false;
  await round();
  await round();
  assert.deepEqual(lines, [`file:/elsewhere/heads ${count}`, `syslog ${count}`]);
  clock.now += 86_400_000;
  await round();
  assert.equal(lines.length, 4);
  const events = await control.read('events').where({ type: 'audit.head' });
  assert.equal(events.length, 2);
});

test('the numbers of a week come once, after Monday 08:00 of the organization', async (t) => {
  const { control, clock } = await openPlace(t);
  const weekly = async () =>
    (await control.read('events').where({ type: 'report.weekly' })).map(({ data }) => JSON.parse(data));
  const round = () =>
    reportByCalendar({ control, settings: { auditHeads: [] }, logger: createSilentLogger(), now: () => clock.now });
  clock.now = Date.UTC(2026, 1, 2, 6, 59); // Monday 07:59 in Berlin
  await round();
  const before = (await weekly()).length;
  clock.now += 2 * 60_000;
  await round();
  await round();
  const told = await weekly();
  assert.equal(told.length, before + 1);
  assert.equal(told.at(-1).since, Date.UTC(2026, 0, 26, 7));
});
